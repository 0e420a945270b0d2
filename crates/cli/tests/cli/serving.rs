//! `serve`: what it prints, and how it ends.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use crate::support::{PROGRAM, Server, alone, clean, run};

#[test]
fn a_trial_prints_two_lines_that_a_shell_can_take() {
    let home = tempfile::tempdir().unwrap();
    let mut serve = clean(PROGRAM, home.path());
    serve.args(["serve", "--dev", "--listen", "127.0.0.1:0"]);
    let mut server = serve
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(server.stdout.take().unwrap());
    let mut lines = String::new();
    output.read_line(&mut lines).unwrap();
    output.read_line(&mut lines).unwrap();
    let mut bash = clean("bash", home.path());
    bash.args([
        "-c",
        &format!("{lines}\n{PROGRAM} kv set /a 1 && {PROGRAM} whoami"),
    ]);
    assert!(run(&mut bash).text().starts_with("user: tester\n"));

    let kill = Command::new("kill").arg(server.id().to_string()).status();
    assert!(kill.unwrap().success());
    assert!(server.wait().unwrap().success());
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "two lines and nothing else");
}

#[test]
fn settings_that_make_no_sense_are_2_and_a_folder_in_use_is_1() {
    let complaint = alone(&["serve", "--listen", "0.0.0.0:0"]).complaint(2);
    assert!(complaint.contains("--insecure"), "{complaint}");
    let complaint = alone(&["serve", "--config", "/no/such.toml"]).complaint(2);
    assert!(complaint.contains("/no/such.toml"), "{complaint}");
    let complaint = alone(&["serve", "--listen", "nowhere"]).complaint(2);
    assert!(complaint.contains("nowhere"), "{complaint}");

    let server = Server::start();
    let mut second = clean(PROGRAM, server.home.path());
    let complaint = run(second.args(["serve", "--listen", "127.0.0.1:0"])).complaint(1);
    assert!(complaint.contains(&server.pid().to_string()), "{complaint}");
}

#[test]
fn an_address_that_another_server_listens_on_is_refused() {
    let server = Server::start();
    let address = server.url.split('/').nth(2).unwrap().to_owned();
    let home = tempfile::tempdir().unwrap();
    let mut second = clean(PROGRAM, home.path());
    let complaint = run(second.args(["serve", "--dev", "--listen", &address])).complaint(1);
    assert!(
        complaint.contains(&format!("cannot listen on {address}")),
        "{complaint}"
    );
}

#[test]
fn the_log_can_be_made_quieter_but_not_by_a_misspelt_word() {
    let home = tempfile::tempdir().unwrap();
    let mut serve = clean(PROGRAM, home.path());
    let complaint = run(serve.env("PROMINENCE_LOG", "lots").arg("serve")).complaint(2);
    assert!(complaint.contains("PROMINENCE_LOG"), "{complaint}");
}
