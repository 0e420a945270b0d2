//! What the README tells a newcomer to type, typed.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use prominence_tests::{clean, program, succeed, text};

/// Runs a script in a shell, with the two lines that the server printed put in front, as a
/// newcomer pastes them.
fn shell(exports: &str, home: &std::path::Path, script: &str) -> String {
    let mut command = clean("bash", home);
    let path = format!(
        "{}:{}",
        program().parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    command.env("PATH", path).current_dir(home);
    command
        .arg("-c")
        .arg(format!("set -eu\n{exports}\n{script}"));
    text(succeed(&mut command))
}

/// The blocks of commands in the README, in order.
fn readme_blocks() -> Vec<String> {
    let readme = include_str!("../../../README.md");
    let blocks = readme.split("```\n").skip(1).step_by(2);
    blocks.map(str::to_owned).collect()
}

#[test]
fn the_readme_begins_with_how_to_start_to_use_and_to_test() {
    let blocks = readme_blocks();
    assert_eq!(blocks[0], "cargo run --release -- serve --dev\n");
    assert_eq!(blocks[1].lines().count(), 3, "{}", blocks[1]);
    assert_eq!(blocks[2], "cargo xtask test\n");
    let readme = include_str!("../../../README.md");
    let first_screen: Vec<_> = readme.lines().take(30).collect();
    assert!(
        first_screen.contains(&"cargo xtask test"),
        "{first_screen:?}"
    );
}

#[test]
fn the_trial_server_prints_two_lines_that_make_every_example_work() {
    let home = tempfile::tempdir().unwrap();
    let mut serve = clean(program(), home.path());
    serve.args(["serve", "--dev", "--listen", "127.0.0.1:0"]);
    let mut server = serve
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let mut export = |name: &str| loop {
        let line = lines.next().expect("the line comes").unwrap();
        if line.trim_start().starts_with(&format!("export {name}=")) {
            break line;
        }
    };
    let exports = format!(
        "{}\n{}",
        export("PROMINENCE_URL"),
        export("PROMINENCE_TOKEN")
    );
    let run = |script: &str| shell(&exports, home.path(), script);

    // The lines of the README's first screen, as they stand there.
    let shown = run(&readme_blocks()[1]);
    assert_eq!(shown, "example stringexample string");

    std::fs::write(home.path().join("test.txt"), "from a file\n").unwrap();
    assert_eq!(
        run("prominence kv set /mykey/path/example --string 'example string'"),
        ""
    );
    assert_eq!(
        run("prominence kv get /mykey/path/example"),
        "example string"
    );
    assert_eq!(run("prominence kv set /mykey/path/example test.txt"), "");
    assert_eq!(
        run("prominence kv get /mykey/path/example"),
        "from a file\n"
    );
    assert_eq!(run("prominence kv list /mykey"), "/mykey/path/example\n");
    assert_eq!(run("prominence kv delete /mykey/path/example"), "");
    assert_eq!(run("prominence kv list"), "");

    let curl = r#"curl -s -H "Authorization: Bearer $PROMINENCE_TOKEN""#;
    let posted = run(&format!(
        "{curl} -X POST -d 'example string' $PROMINENCE_URL/kv/mykey/path/example"
    ));
    assert!(
        posted.contains(r#""key":"/mykey/path/example""#),
        "{posted}"
    );
    assert_eq!(
        run(&format!("{curl} $PROMINENCE_URL/kv/mykey/path/example")),
        "example string"
    );
    assert_eq!(run("prominence kv set /mykey/two 2"), "");
    assert_eq!(
        run("prominence kv delete --prefix /mykey && prominence kv list /mykey"),
        ""
    );

    // A job run here finds the server by itself, and shares the user's keys.
    run("prominence kv set /input/param1 42");
    assert_eq!(
        run(
            "unset PROMINENCE_URL PROMINENCE_TOKEN; prominence exec -- prominence kv get /input/param1"
        ),
        "42"
    );

    let pid = server.id().to_string();
    succeed(Command::new("kill").args(["-INT", &pid]));
    assert!(server.wait().unwrap().success(), "Ctrl-C is a good end");
}

#[test]
fn a_server_started_without_any_setting_says_how_to_mint_a_token() {
    let home = tempfile::tempdir().unwrap();
    let mut serve = clean(program(), home.path());
    serve
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut server = serve.spawn().unwrap();
    let mut said = String::new();
    for line in BufReader::new(server.stderr.take().unwrap()).lines() {
        said.push_str(&line.unwrap());
        if said.contains("prominence token create") {
            break;
        }
    }
    assert!(said.contains("job-token.secret"), "{said}");
    server.kill().unwrap();
    server.wait().unwrap();
}
