//! `kv get --wait`, `kv wait` and `kv watch`.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::support::Server;

#[test]
fn a_get_waits_for_its_key_and_says_when_it_did_not_come() {
    let server = Server::start();
    let me = server.user("me");
    let complaint = me.kv(&["get", "/a", "--wait", "1s"]).complaint(1);
    assert!(
        complaint.contains("still no key /a after 1s"),
        "{complaint}"
    );
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| me.kv(&["get", "/a", "--wait", "20m"]).text());
        me.kv(&["set", "/a", "42"]).text();
        assert_eq!(waiting.join().unwrap(), "42");
    });
}

#[test]
fn a_barrier_prints_how_many_there_are_and_fails_when_there_are_too_few() {
    let server = Server::start();
    let me = server.user("me");
    me.kv(&["set", "/done/1", "x"]).text();
    let wait = |timeout: &str| me.kv(&["wait", "/done/", "--count", "2", "--timeout", timeout]);
    let complaint = wait("1s").complaint(1);
    assert!(complaint.contains("1 of 2 keys"), "{complaint}");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| wait("20m").text());
        me.kv(&["set", "/done/2", "x"]).text();
        assert_eq!(waiting.join().unwrap(), "2\n");
    });
}

#[test]
fn a_watch_prints_a_line_for_each_change_and_ends_with_its_reader() {
    let server = Server::start();
    let me = server.user("me");
    me.kv(&["set", "/a/b", "12345"]).text();
    me.kv(&["delete", "/a/b"]).text();
    let watch = |arguments: &[&str]| {
        let mut command = me.command(&["kv", "watch", "/a/", "--since", "0"]);
        let mut child = command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let lines: Vec<_> = lines.take(2).map(Result::unwrap).collect();
        (child, lines)
    };
    let (child, lines) = watch(&[]);
    assert!(lines[0].ends_with("  put     /a/b  5"), "{lines:?}");
    assert!(lines[1].ends_with("  delete  /a/b"), "{lines:?}");
    // Nobody reads any more, which the next change makes it notice.
    me.kv(&["set", "/a/c", "x"]).text();
    let ended = child.wait_with_output().unwrap();
    assert!(
        ended.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );

    let (mut child, lines) = watch(&["--json", "--values"]);
    assert!(
        lines[0].starts_with(r#"{"event":"put","key":"/a/b","revision":1,"#),
        "{lines:?}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
}
