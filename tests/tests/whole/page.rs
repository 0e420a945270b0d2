//! The web page: tests of its modules in Node.js, its types, and its flows in a real browser against the real program.

use std::path::PathBuf;
use std::process::Command;

use prominence_tests::{program, root, succeed, text};

/// The folder of the tests, with the packages that `cargo xtask install` puts there.
fn folder() -> PathBuf {
    let folder = root().join("tests/web");
    assert!(
        folder.join("node_modules").exists(),
        "{} has no packages; `cargo xtask install` puts them there",
        folder.display()
    );
    folder
}

/// Runs test files with Node.js, a file at a time. Nothing may be left out.
fn run(files: &[&str], variables: &[(&str, &str)]) {
    let mut node = Command::new("node");
    node.args(["--test", "--test-concurrency=1", "--test-reporter=spec"])
        .args(files.iter().map(|file| folder().join(file)))
        .current_dir(root())
        .env("PROMINENCE_TEST_PROGRAM", program())
        .env("PROMINENCE_TEST_SHOTS", root().join("target/web-shots"))
        .envs(variables.iter().copied());
    let report = text(succeed(&mut node));
    println!("{report}");
    for word in ["skipped 0", "todo 0", "cancelled 0"] {
        assert!(report.contains(word), "{word}");
    }
}

#[test]
fn modules_do_what_plain_models_do() {
    let files = [
        "graph", "json", "level", "live", "order", "path", "plot", "queue", "snippet", "store",
        "visible",
    ];
    let files = files.map(|name| format!("unit/{name}.test.js"));
    run(&files.each_ref().map(String::as_str), &[]);
}

#[test]
fn types_are_checked() {
    let compiler = folder().join("node_modules/typescript/bin/tsc");
    let mut check = Command::new("node");
    check.arg(compiler).args(["--project", "tests/web"]);
    println!("{}", text(succeed(check.current_dir(root()))));
}

#[test]
fn signing_in() {
    run(&["browser/sign-in.test.js"], &[]);
}

#[test]
fn signing_in_at_a_provider() {
    run(&["browser/provider.test.js"], &[]);
}

#[test]
fn keys_of_every_name_and_number() {
    run(&["browser/keys.test.js"], &[]);
}

#[test]
fn changes_as_they_happen() {
    run(&["browser/live.test.js"], &[]);
}

#[test]
fn values_of_every_kind() {
    run(&["browser/values.test.js"], &[]);
}

#[test]
fn changing_keys() {
    run(&["browser/changes.test.js"], &[]);
}

#[test]
fn plots_and_queues() {
    run(&["browser/plot.test.js"], &[]);
}

#[test]
fn main_flows_in_firefox() {
    run(&["browser/firefox.test.js"], &[]);
}

#[test]
fn every_view_dark_and_on_a_phone() {
    run(&["browser/looks.test.js"], &[]);
}

#[test]
fn below_a_path_of_a_proxy() {
    run(&["browser/proxy.test.js"], &[]);
}

#[test]
fn answers_that_say_no_and_answers_of_others() {
    run(&["browser/failures.test.js"], &[]);
}
