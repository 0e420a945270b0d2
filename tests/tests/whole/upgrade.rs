//! Data folders of earlier versions: refused with the way to go on, and brought to the latest format.

use std::fs;
use std::path::Path;
use std::process::Command;

use prominence_tests::{Server, clean, program, refused, root, succeed, text};

/// A folder as a server of that version of the format left it.
fn earlier(format: u32) -> (tempfile::TempDir, std::path::PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let fixture = format!("crates/engines/tests/fixtures/format-{format}/written");
    succeed(
        Command::new("cp")
            .arg("--recursive")
            .arg(root().join(fixture))
            .arg(&data),
    );
    // Git keeps no empty folders.
    for keyspace in fs::read_dir(data.join("store/keyspaces")).unwrap() {
        fs::create_dir_all(keyspace.unwrap().path().join("tables")).unwrap();
    }
    (home, data)
}

fn migrate(home: &Path, data: &Path, more: &[&str]) -> Command {
    let mut command = clean(program(), home);
    command.args(["admin", "migrate", "--data-dir"]).arg(data);
    command.args(more);
    command
}

fn assert_served(server: &Server) {
    let client = server.client("alice");
    assert_eq!(
        client.ask("GET", "/kv/large", ""),
        (200, "x".repeat(16_384))
    );
    assert_eq!(client.ask("POST", "/kv/after", "new").0, 201);
    assert_eq!(client.ask("GET", "/kv/after", ""), (200, "new".into()));
}

#[test]
fn a_server_refuses_a_folder_of_an_earlier_format_and_says_how_to_migrate_it() {
    for format in [1, 2] {
        let (home, data) = earlier(format);
        let (code, said) = refused(home.path(), &data, &[]);
        assert_ne!(code, 0);
        let command = format!("prominence admin migrate --data-dir {}", data.display());
        for part in [
            command.as_str(),
            "--migrate",
            &format!("the format {format}"),
        ] {
            assert!(said.contains(part), "{said}");
        }
        let line = fs::read_to_string(data.join("FORMAT")).unwrap();
        assert_eq!(line, format!("prominence-kv {format}\n"));
    }
}

#[test]
fn a_folder_of_every_earlier_format_is_migrated_by_the_command() {
    for format in [1, 2] {
        let (home, data) = earlier(format);
        let said = text(succeed(&mut migrate(home.path(), &data, &["--json"])));
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(said["migrated"], true);
        assert_eq!(said["from_format"], format);
        assert!(said["entries"].as_u64().unwrap() > 30, "{said}");
        let again = text(succeed(&mut migrate(home.path(), &data, &[])));
        assert!(again.contains("has the latest format"), "{again}");
        let mut check = clean(program(), home.path());
        check.args(["admin", "check", "--data-dir"]).arg(&data);
        succeed(&mut check);
        assert_served(&Server::start_on(home, data, &[]));
    }
}

#[test]
fn a_folder_of_every_earlier_format_is_migrated_at_start() {
    for format in [1, 2] {
        let (home, data) = earlier(format);
        let mut server = Server::start_on(home, data, &["--migrate"]);
        assert_served(&server);
        server.kill();
        server.restart();
        let client = server.client("alice");
        assert_eq!(client.ask("GET", "/kv/after", ""), (200, "new".into()));
    }
    // A new folder has the latest format.
    let server = Server::start(&["--migrate"]);
    let client = server.client("alice");
    assert_eq!(client.ask("POST", "/kv/a", "b").0, 201);
}

#[test]
fn a_folder_that_is_damaged_in_use_or_missing_is_not_migrated() {
    let refusal = |home: &Path, data: &Path| {
        let output = migrate(home, data, &[]).output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        said
    };
    let (home, data) = earlier(2);
    let journal = data.join("store/0.jnl");
    let mut bytes = fs::read(&journal).unwrap();
    bytes[1_000] ^= 1;
    fs::write(&journal, bytes).unwrap();
    let said = refusal(home.path(), &data);
    assert!(said.contains("store/0.jnl"), "{said}");
    let missing = home.path().join("missing");
    let said = refusal(home.path(), &missing);
    assert!(said.contains("there is no store"), "{said}");
    assert!(!missing.exists());
    let server = Server::start(&[]);
    let said = refusal(server.home(), server.data());
    assert!(said.contains("is in use by process"), "{said}");
}
