//! The OpenAPI document against the real program: requests are made of it, and answers held against it.

use std::process::Command;

use prominence_tests::{Server, clean, python, root};

/// Requests for each operation: with all phases about a minute.
const EXAMPLES: &str = "15";

/// The same requests each time, so that a change of the program is the only reason to fail.
const SEED: &str = "20260101";

#[test]
fn every_answer_is_as_the_openapi_document_says() {
    let server = Server::start(&[]);
    for (key, value) in [("a", "1"), ("in/1", "x"), ("in/2", "\u{e9}")] {
        let path = format!("/kv/{key}");
        assert_eq!(server.client("alice").ask("POST", &path, value).0, 201);
    }
    let program = python::schemathesis();
    let mut run: Command = clean(&program, server.home());
    let config = root().join("tests/schemathesis");
    run.arg("--config-file")
        .arg(config.join("schemathesis.toml"));
    run.arg("run")
        .arg(format!("{}/openapi.json", server.origin()));
    run.args([
        "--max-examples",
        EXAMPLES,
        "--seed",
        SEED,
        "--checks",
        "all",
    ]);
    let token = server.token("alice");
    run.args(["--header", &format!("Authorization: Bearer {token}")]);
    run.current_dir(server.home())
        .env("PYTHONPATH", &config)
        .env("NO_COLOR", "1");
    let output = run.output().unwrap();
    let (report, complaint) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    println!("{report}");
    assert!(output.status.success(), "{report}{complaint}");
}
