//! What people's HTTP clients see when a value is far over the limit, or its head settles the answer.

use std::path::{Path, PathBuf};
use std::process::Command;

use prominence_tests::{Server, python, root, succeed, text};

/// Bytes of a file that somebody takes for a value: far more than sockets take in by themselves.
const FAR_TOO_LARGE: usize = 50 << 20;

/// A server, a user, and a file that is no value.
struct Upload {
    server: Server,
    file: PathBuf,
}

impl Upload {
    fn new() -> Self {
        let server = Server::start(&[]);
        let file = server.home().join("results.bin");
        std::fs::write(&file, vec![b'x'; FAR_TOO_LARGE]).unwrap();
        Self { server, file }
    }

    /// A client's command, with the token and the address in its environment.
    fn command(&self, name: impl AsRef<Path>) -> Command {
        let mut command = prominence_tests::clean(name, self.server.home());
        self.server.as_user(&mut command, "alice");
        command
    }

    /// Runs a client that prints each answer on a line; all have to be 413.
    #[track_caller]
    fn assert_told(&self, command: &mut Command, answers: usize) {
        let printed = text(succeed(command));
        let told = printed
            .lines()
            .filter(|line| line.starts_with("413") && line.contains("value_too_large"));
        assert_eq!(told.count(), answers, "{command:?}: {printed}");
    }

    fn client(&self, name: &str) -> PathBuf {
        root().join("tests/http-clients").join(name)
    }

    fn curl(&self, arguments: &[&str]) -> Command {
        let mut curl = self.command("curl");
        let token = self.server.token("alice");
        curl.args(["--silent", "--show-error", "--output", "-", "--write-out"])
            .arg("\n%{http_code} %{errormsg}\n")
            .args(["--header", &format!("Authorization: Bearer {token}")])
            .args(arguments)
            .arg(format!("{}/kv/upload", self.server.url));
        curl
    }
}

#[test]
fn curl_sees_why_a_large_file_is_refused() {
    let upload = Upload::new();
    let file = upload.file.to_str().unwrap();
    let data = format!("@{file}");
    for arguments in [
        &["--upload-file", file][..],
        &["--upload-file", file, "--header", "Expect:"],
        &[
            "--upload-file",
            file,
            "--header",
            "Transfer-Encoding: chunked",
            "--header",
            "Expect:",
        ],
        &["--data-binary", &data],
        &["--data-binary", &data, "--header", "Expect:"],
    ] {
        let mut curl = upload.curl(arguments);
        let printed = text(succeed(&mut curl));
        assert!(
            printed.contains("value_too_large"),
            "{arguments:?}: {printed}"
        );
        assert!(printed.contains("\n413 "), "{arguments:?}: {printed}");
    }
}

#[test]
fn curl_is_not_asked_for_a_body_whose_head_settles_the_answer() {
    let upload = Upload::new();
    let file = upload.file.to_str().unwrap();
    let expect = [
        "--upload-file",
        file,
        "--header",
        "Expect: 100-continue",
        "--verbose",
    ];
    let output = succeed(&mut upload.curl(&expect));
    let (told, spoken) = (
        text(output.clone()),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    assert!(told.contains("413 "), "{told}");
    assert!(spoken.contains("Expect: 100-continue"), "{spoken}");
    assert!(!spoken.contains("HTTP/1.1 100"), "{spoken}");
}

#[test]
fn wget_sees_why_a_large_file_is_refused() {
    let upload = Upload::new();
    let token = upload.server.token("alice");
    let mut wget = upload.command("wget");
    wget.args([
        "--tries=1",
        "--output-document=-",
        "--content-on-error",
        "--method=PUT",
    ])
    .arg(format!("--body-file={}", upload.file.display()))
    .args(["--header", &format!("Authorization: Bearer {token}")])
    .arg(format!("{}/kv/upload", upload.server.url));
    let output = wget.output().unwrap();
    // Exit status 8: the server answered with an error.
    assert_eq!(output.status.code(), Some(8), "{output:?}");
    assert!(text(output).contains("value_too_large"));
}

#[test]
fn python_sees_why_a_large_file_is_refused() {
    let upload = Upload::new();
    let mut python = upload.command(python::with_pypi_client());
    python.arg(upload.client("upload.py")).arg(&upload.file);
    upload.assert_told(&mut python, 5);
}

#[test]
fn node_sees_why_a_large_file_is_refused() {
    let upload = Upload::new();
    let mut node = upload.command("node");
    node.arg(upload.client("upload.mjs")).arg(&upload.file);
    upload.assert_told(&mut node, 2);
    let mut node = upload.command("node");
    node.arg(upload.client("upload.mjs"))
        .arg(&upload.file)
        .arg("expect");
    let printed = text(succeed(&mut node));
    assert!(
        printed.starts_with("413 ") && !printed.contains("continue\n"),
        "{printed}"
    );
}

#[test]
fn go_sees_why_a_large_file_is_refused() {
    let upload = Upload::new();
    for expect in [&[][..], &["expect"]] {
        let mut go = upload.command("go");
        // Kept for the next run, because building Go's own library takes long.
        go.env("GOCACHE", root().join("target/go-cache"))
            .arg("run")
            .arg(upload.client("upload.go"))
            .arg(&upload.file)
            .args(expect);
        upload.assert_told(&mut go, 1);
    }
}

#[test]
fn java_sees_why_a_large_file_is_refused() {
    let upload = Upload::new();
    let mut java = upload.command("java");
    java.arg(upload.client("Upload.java")).arg(&upload.file);
    // Not with `expectContinue`: Java 17's HttpClient then waits for ever where a server answers with a
    // status other than 100 (JDK-8286171).
    upload.assert_told(&mut java, 2);
}

#[test]
fn the_command_line_sees_why_a_large_file_is_refused() {
    let upload = Upload::new();
    // Files that no server takes, of more than 1 MiB, are not sent at all.
    std::fs::write(&upload.file, vec![0; 1_000_000]).unwrap();
    let mut set = upload.server.command("alice");
    set.args(["kv", "set", "/upload", "--file"])
        .arg(&upload.file);
    let output = set.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("16384"), "{said}");
}
