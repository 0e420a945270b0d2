//! `exec`: a command in the environment that a job has.

use std::process::Command;

use crate::support::{PROGRAM, Server, alone, clean, run, run_with_input, save_secret};

#[test]
fn a_command_finds_the_server_and_its_users_keys() {
    let server = Server::start();
    let home = server.home.path();
    let me = server.user("tester");
    me.kv(&["set", "/a", "--string", "42"]).text();
    let mut exec = clean(PROGRAM, home);
    exec.args(["exec", "--", PROGRAM, "kv", "get", "/a"]);
    assert_eq!(
        run(&mut exec).text(),
        "42",
        "by the folder's address and secret"
    );

    let alice = server.user("alice");
    alice.kv(&["set", "/a", "--string", "hers"]).text();
    let exec = alice.run(&["exec", "--", PROGRAM, "kv", "get", "/a"]);
    assert_eq!(exec.text(), "hers", "as the user of the token at hand");
    let exec = alice.run(&["exec", "--user", "tester", "--", PROGRAM, "kv", "get", "/a"]);
    assert_eq!(exec.text(), "42");
}

#[test]
fn what_it_writes_carries_the_job_and_its_scopes_limit_it() {
    let server = Server::start();
    let me = server.user("me");
    let exec = |arguments: &[&str]| {
        let mut all = vec![
            "exec",
            "--job",
            "17",
            "--scope",
            "storage.modify:/out",
            "--",
        ];
        all.extend([PROGRAM, "kv", "set"]);
        all.extend(arguments);
        me.run(&all)
    };
    assert_eq!(exec(&["/out/a", "--string", "1"]).text(), "");
    let shown = me.kv(&["get", "--json", "/out/a"]).text();
    assert!(shown.contains("\"job\": \"17\""), "{shown}");
    exec(&["/in/a", "--string", "1"]).complaint(3);
}

#[test]
fn input_output_and_exit_status_are_the_commands_own() {
    let server = Server::start();
    let me = server.user("me");
    let mut exec = me.command(&["exec", "--", "sh", "-c", "cat; echo err >&2; exit 7"]);
    let ran = run_with_input(&mut exec, b"in");
    assert_eq!(
        (ran.status, &ran.stdout[..], ran.stderr.as_str()),
        (7, &b"in"[..], "err\n")
    );

    let mut bash = Command::new("bash");
    me.equip(bash.env("HOME", server.home.path()));
    bash.args([
        "-c",
        &format!("{PROGRAM} exec -- sh -c 'kill -TERM $$'; echo $?"),
    ]);
    let ran = run(&mut bash);
    assert_eq!(
        ran.stdout, b"143\n",
        "128 and the signal, as a shell says it: {ran:?}"
    );
}

#[test]
fn a_command_that_cannot_be_run_is_named() {
    let server = Server::start();
    let me = server.user("me");
    let complaint = me.run(&["exec", "--", "/no/such/command"]).complaint(127);
    assert!(complaint.contains("/no/such/command"), "{complaint}");
    let complaint = me.run(&["exec", "--", "/etc/passwd"]).complaint(126);
    assert!(complaint.contains("/etc/passwd"), "{complaint}");
}

#[test]
fn without_a_server_it_says_how_to_start_one() {
    let home = tempfile::tempdir().unwrap();
    save_secret(&home.path().join("job-token.secret"));
    let folder = home.path().to_str().unwrap();
    let complaint = alone(&["exec", "--data-dir", folder, "--", "true"]).complaint(2);
    assert!(complaint.contains("prominence serve"), "{complaint}");
}
