//! The cluster that people try things on: `cargo xtask cluster`.

use std::path::Path;
use std::process::Command;

use prominence_tests::{clean, program, root, succeed, text};

/// A cluster, which goes down with the test.
struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    fn ask(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        command
            .current_dir(root())
            .args(["run", "--quiet", "--package", "xtask", "--", "cluster"])
            .args(arguments)
            .arg("--folder")
            .arg(self.cluster());
        command
    }

    fn cluster(&self) -> std::path::PathBuf {
        self.folder.path().join("cluster")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.ask(&["down"]).output();
    }
}

/// What the README tells a newcomer to type, at one server.
fn try_out(home: &Path, url: &str, token: &str, value: &str) {
    let script = format!(
        "set -e
        prominence kv set /mykey/path/example {value}
        test \"$(prominence kv get /mykey/path/example)\" = {value}
        test \"$(curl -sf -H \"Authorization: Bearer $PROMINENCE_TOKEN\" \
            $PROMINENCE_URL/kv/mykey/path/example)\" = {value}"
    );
    let folder = program().parent().unwrap().display();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = clean("sh", home);
    shell
        .args(["-c", &script])
        .env("PATH", format!("{folder}:{path}"))
        .env("PROMINENCE_URL", url)
        .env("PROMINENCE_TOKEN", token);
    succeed(&mut shell);
}

#[test]
fn a_cluster_to_try_comes_up_by_one_command_and_lives_with_a_node_less() {
    let stage = Stage {
        folder: tempfile::tempdir().unwrap(),
    };
    let home = stage.folder.path();
    let built = program().to_str().unwrap();
    let said = text(succeed(&mut stage.ask(&[
        "up",
        "--port",
        "0",
        "--program",
        built,
    ])));
    let exported = |name: &str| {
        let start = format!("export {name}=");
        let lines = said.lines().filter_map(|line| line.strip_prefix(&start));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let (urls, token) = (exported("PROMINENCE_URL"), exported("PROMINENCE_TOKEN"));
    assert_eq!((urls.len(), token.len()), (3, 1), "{said}");
    for url in &urls {
        try_out(home, url, &token[0], "whole");
    }
    succeed(&mut stage.ask(&["kill", "1"]));
    for url in &urls {
        try_out(home, url, &token[0], "less");
    }
    let status = text(succeed(&mut stage.ask(&["status"])));
    assert!(
        status
            .lines()
            .any(|line| line.starts_with("node-1") && line.ends_with("Gone"))
    );
    assert_eq!(status.matches("leads").count(), 1, "{status}");
    succeed(&mut stage.ask(&["down"]));
    assert!(!stage.cluster().exists());
}
