//! The existing client from PyPI, unmodified, against this server.

use std::process::Command;

use prominence_tests::{Server, python, root, succeed};

#[test]
fn the_client_from_pypi_works_unmodified() {
    let server = Server::start(&[]);
    let mut suite = Command::new(python::with_pypi_client());
    suite
        .args(["-m", "unittest", "-v", "suite"])
        .current_dir(root().join("tests/pypi"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PROMINENCE_") {
            suite.env_remove(name);
        }
    }
    server.as_user(&mut suite, "alice");
    suite
        .env("HOME", server.home())
        .env("PYTHONDONTWRITEBYTECODE", "1");
    suite.env("EXPIRED_TOKEN", {
        let mut expired = server.command("alice");
        expired.args([
            "token",
            "create",
            "--user",
            "alice",
            "--for",
            "1s",
            "--data-dir",
        ]);
        prominence_tests::text(succeed(expired.arg(server.data())))
            .trim()
            .to_owned()
    });
    let output = succeed(&mut suite);
    // unittest reports on standard error.
    let report = String::from_utf8(output.stderr).unwrap();
    println!("{report}");
    assert!(report.contains("\nOK"), "{report}");
    assert!(!report.contains("skipped"), "{report}");
}
