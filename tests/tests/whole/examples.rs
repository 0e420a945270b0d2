//! The job scripts in `examples/` do what they say.

use std::process::Command;

use prominence_tests::{Server, root, succeed, text};

/// Runs an example as a user's shell would, with the program on its path.
fn example(server: &Server, name: &str) -> String {
    let mut command = Command::new(root().join("examples").join(name));
    let programs = prominence_tests::program().parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    server.as_user(&mut command, "scientist");
    command
        .env("PATH", path)
        .env("PROMINENCE_SERVE_DATA_DIR", server.data());
    command.env("HOME", server.home());
    text(succeed(&mut command))
}

#[test]
fn a_parameter_sweep_reads_its_input_and_writes_its_output() {
    let server = Server::start(&[]);
    let table = example(&server, "sweep.sh");
    let rows: Vec<_> = table.lines().collect();
    assert_eq!(rows, ["1 1", "2 4", "3 9", "4 16", "5 25"], "{table}");
    let (_, count) = server
        .client("scientist")
        .ask("GET", "/kv/sweep/output/?count", "");
    assert_eq!(count, "{\"count\":5}");
}

#[test]
fn a_sweep_from_a_table_ends_in_a_table() {
    let server = Server::start(&[]);
    let table = example(&server, "table-sweep.sh");
    assert_eq!(table, "name,volume\ncrate,24\ncube,3.375\nplank,0.1\n");
    let input = server
        .client("scientist")
        .ask("GET", "/kv/boxes/input/cube", "")
        .1;
    assert_eq!(
        input,
        r#"{"name":"cube","width":1.50,"depth":1.50,"height":1.50}"#
    );
}

#[test]
fn two_jobs_pass_a_value() {
    let server = Server::start(&[]);
    let said = example(&server, "pass-a-value.sh");
    assert!(said.contains("the consumer got: 42 widgets"), "{said}");
}

#[test]
fn a_counter_counts_jobs_that_run_side_by_side() {
    let server = Server::start(&[]);
    assert_eq!(
        example(&server, "progress.sh").lines().last(),
        Some("20 of 20 done")
    );
}
