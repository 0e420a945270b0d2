//! Tokens in files that are renewed while commands run.

use std::fs::Permissions;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use crate::running::{Job, Place, until};
use crate::support::{PROGRAM, Server, clean, run};

/// Long enough to begin everything, and short enough to wait for its end.
const SHORT: &str = "6s";

fn mint(server: &Server, lifetime: &str) -> String {
    let mut command = clean(PROGRAM, server.home.path());
    command.args(["token", "create", "--user", "me", "--for", lifetime]);
    run(&mut command).text()
}

/// Replaces a file as those who renew tokens do: readers see the old one or the new one.
fn renew(file: &Path, token: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, token).unwrap();
    std::fs::rename(new, file).unwrap();
}

#[test]
fn watches_waits_claims_and_locks_go_on_with_the_token_that_the_file_has_by_then() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    let file = place.file("token");
    let short = mint(&server, SHORT);
    renew(&file, &short);
    let command = |arguments: &[&str]| {
        let mut command = clean(PROGRAM, server.home.path());
        command
            .env("PROMINENCE_URL", &server.url)
            .env("PROMINENCE_TOKEN_FILE", &file)
            .arg("kv")
            .args(arguments)
            .current_dir(place.path());
        command
    };
    let stay = "echo held > held; until [ -e go ]; do sleep 0.02; done; echo done";
    let lock = ["lock", "/lock", "--ttl", "3s", "--", "sh", "-c", stay];
    let lock = Job::spawn(&mut command(&lock));
    let get = Job::spawn(&mut command(&["get", "/result", "--wait", "1m"]));
    let claim = Job::spawn(&mut command(&[
        "claim", "/queue/", "--wait", "1m", "--", "cat",
    ]));
    let mut watch = command(&["watch", "/result"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    place.line("held");
    until("the server holds all of them", || server.held() == 3);
    renew(
        &file,
        &format!("{{\"access_token\": \"{}\"}}", mint(&server, "1h").trim()),
    );
    until("the first token has ended", || {
        let mut whoami = clean(PROGRAM, server.home.path());
        whoami.args(["whoami", "--url", &server.url, "--token", short.trim()]);
        run(&mut whoami).status == 3
    });
    until("the server holds all of them again", || server.held() == 3);
    me.kv(&["set", "/result", "--string", "42"]).text();
    me.kv(&["set", "/queue/1", "--string", "work"]).text();
    assert_eq!(get.ended().text(), "42");
    assert_eq!(claim.ended().text(), "work");
    assert_eq!(me.kv(&["list", "/lock"]).text(), "/lock\n", "it is renewed");
    place.make("go");
    assert_eq!(lock.ended().text(), "done\n");
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("/result"));
    watch.kill().unwrap();
    let said = watch.wait_with_output().unwrap().stderr;
    assert!(said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn a_token_is_taken_from_flags_before_the_environment_and_from_there_before_the_saved_file() {
    let server = Server::start();
    let tokens = ["flag", "flag-file", "variable", "variable-file", "saved"];
    let [flag, flag_file, variable, variable_file, saved] =
        tokens.map(|name| server.user(name).token);
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, token: &str| {
        let path = home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, token).unwrap();
        path.to_str().unwrap().to_owned()
    };
    // A file that others can read is reported.
    let saved = file(".prominence/token", &saved);
    std::fs::set_permissions(saved, Permissions::from_mode(0o600)).unwrap();
    let (flag_file, variable_file) = (file("a", &flag_file), file("b", &variable_file));
    let who = |variables: &[(&str, &str)], flags: &[&str]| {
        let mut command = clean(PROGRAM, home.path());
        command
            .env("PROMINENCE_URL", &server.url)
            .arg("whoami")
            .args(flags);
        run(command.envs(variables.iter().copied()))
    };
    let user = |variables: &[(&str, &str)], flags: &[&str]| {
        let text = who(variables, flags).text();
        text.lines().next().unwrap().replace("user: ", "")
    };
    let both = [
        ("PROMINENCE_TOKEN", variable.as_str()),
        ("PROMINENCE_TOKEN_FILE", variable_file.as_str()),
    ];
    assert_eq!(user(&[], &[]), "saved");
    assert_eq!(user(&both[1..], &[]), "variable-file");
    assert_eq!(user(&both, &[]), "variable");
    assert_eq!(user(&both, &["--token-file", &flag_file]), "flag-file");
    assert_eq!(user(&both, &["--token", &flag]), "flag");
    let two = who(&both, &["--token", &flag, "--token-file", &flag_file]);
    let complaint = two.complaint(2);
    assert!(complaint.contains("--token-file"), "{complaint}");
}

#[test]
fn a_token_that_has_ended_is_told_with_its_file_its_end_and_the_way_to_renew_it() {
    let server = Server::start();
    let place = Place::new();
    let file = place.file("token");
    let ended = mint(&server, "1s");
    let ended = ended.trim();
    renew(&file, ended);
    until("the token has ended", || {
        let mut whoami = clean(PROGRAM, server.home.path());
        whoami.args(["whoami", "--url", &server.url, "--token", ended]);
        run(&mut whoami).status == 3
    });
    let run_with = |name: &str, value: &str, arguments: &[&str]| {
        let mut command = clean(PROGRAM, server.home.path());
        command.env("PROMINENCE_URL", &server.url).env(name, value);
        run(command.args(arguments)).complaint(3)
    };
    let name = file.to_str().unwrap();
    for arguments in [
        &["kv", "list"][..],
        &["kv", "get", "/a", "--wait", "5s"],
        &["kv", "watch"],
    ] {
        let complaint = run_with("PROMINENCE_TOKEN_FILE", name, arguments);
        for words in ["expired", name, " ended at 20", "renew the file"] {
            assert!(complaint.contains(words), "{words}: {complaint}");
        }
        assert!(!complaint.contains("PROMINENCE_TOKEN,"), "{complaint}");
    }
    let complaint = run_with("PROMINENCE_TOKEN", ended, &["kv", "list"]);
    assert!(complaint.contains("it ended at 20"), "{complaint}");
    assert!(complaint.contains("set PROMINENCE_TOKEN"), "{complaint}");
    renew(&file, "opaque");
    let complaint = run_with("PROMINENCE_TOKEN_FILE", name, &["kv", "list"]);
    assert!(
        complaint.contains(&format!("the token comes from {name}")),
        "{complaint}"
    );
}

#[test]
fn a_file_that_holds_more_than_the_token_is_refused_by_what_it_holds() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    let file = place.file("token");
    let list = |content: &[u8]| {
        std::fs::write(&file, content).unwrap();
        let mut command = clean(PROGRAM, server.home.path());
        command
            .env("PROMINENCE_URL", &server.url)
            .args(["kv", "list", "--count"]);
        run(command.arg("--token-file").arg(&file))
    };
    let token = &me.token;
    for good in [
        format!("\u{feff}{token}\r\n"),
        format!("\n  {token}\t\n\n"),
        format!("\u{feff}{{\"access_token\": \"{token}\"}}"),
    ] {
        assert_eq!(list(good.as_bytes()).text(), "0\n");
    }
    for (odd, words) in [
        (format!("{token}\n{token}\n"), "several lines"),
        (format!("# my token\n{token}\n"), "several lines"),
        (format!("Bearer {token}\n"), "begins with \"Bearer \""),
        (format!("\"{token}\"\n"), "quotation marks"),
        (format!("'{token}'"), "quotation marks"),
        (format!("{token} x"), "character"),
        (String::new(), "empty"),
    ] {
        let complaint = list(odd.as_bytes()).complaint(3);
        assert!(complaint.contains(words), "{words}: {complaint}");
        assert!(complaint.contains(file.to_str().unwrap()), "{complaint}");
        assert!(!complaint.contains(token.as_str()), "{complaint}");
    }
    let utf16: Vec<u8> = token.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16 = [&[0xff, 0xfe][..], &utf16].concat();
    assert!(list(&utf16).complaint(3).contains("UTF-8"));
}
