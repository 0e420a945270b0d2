//! `kv get --wait`, `kv wait` and `kv watch`.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::Value;

use crate::support::{Person, Script, Server, answer};

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

/// A watch, whose end ends the process.
struct Watching {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watching {
    fn begin(me: &Person<'_>, arguments: &[&str]) -> Self {
        let mut command = me.command(&["kv", "watch"]);
        let spawned = command.args(arguments).stdout(Stdio::piped()).spawn();
        let mut child = spawned.unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    /// The event and the key of the next line of JSON.
    fn event(&mut self) -> (String, String) {
        let line: Value = serde_json::from_str(&self.line()).unwrap();
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        (text("event"), text("key"))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_watch_with_existing_prints_what_is_there_and_goes_on() {
    let server = Server::start();
    let me = server.user("me");
    for (key, value) in [("/a/1", "1"), ("/a/2", "22"), ("/b", "x")] {
        me.kv(&["set", key, "--string", value]).text();
    }
    let mut json = Watching::begin(&me, &["/a/", "--existing", "--json", "--values"]);
    let mut plain = Watching::begin(&me, &["/a/", "--existing"]);
    let first: Value = serde_json::from_str(&json.line()).unwrap();
    let listed: Value = serde_json::from_str(&me.kv(&["list", "--json", "/a/1"]).text()).unwrap();
    assert_eq!(
        (&first["event"], &first["key"], &first["value"]),
        (&"existing".into(), &"/a/1".into(), &"1".into())
    );
    assert_eq!(
        (&first["time"], &first["revision"]),
        (&listed[0]["modified"], &listed[0]["revision"])
    );
    assert_eq!(json.event(), ("existing".into(), "/a/2".into()));
    let line = plain.line();
    assert!(line.ends_with("  existing  /a/1  1"), "{line}");
    assert!(plain.line().ends_with("  existing  /a/2  2"));
    me.kv(&["set", "/a/1", "--string", "333"]).text();
    me.kv(&["delete", "/a/2"]).text();
    assert_eq!(json.event(), ("put".into(), "/a/1".into()));
    assert_eq!(json.event(), ("delete".into(), "/a/2".into()));
    let (put, delete) = (plain.line(), plain.line());
    assert!(put.ends_with("  put       /a/1  3"), "{put}");
    assert!(delete.ends_with("  delete    /a/2"), "{delete}");
}

#[test]
fn a_watch_with_existing_shows_every_key_once_while_others_are_written() {
    const KEYS: usize = 200;
    let server = Server::start();
    let me = server.user("me");
    let client = me.client();
    let name = |number: usize| format!("/w/{number:03}");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..KEYS {
                let key = prominence_core::Key::parse(&name(number)).unwrap();
                client.set(&key, b"x", &Default::default()).unwrap();
            }
        });
        // Each begins at another moment; whatever it lists, the rest has to follow.
        for _ in 0..5 {
            let mut watching = Watching::begin(&me, &["/w/", "--existing", "--json"]);
            let mut seen = Vec::new();
            while seen.last() != Some(&name(KEYS - 1)) {
                seen.push(watching.event().1);
            }
            assert_eq!(seen, (0..KEYS).map(name).collect::<Vec<_>>());
        }
    });
}

#[test]
fn a_watch_with_existing_lists_again_where_changes_are_missing() {
    let listed = |revision: u64, key: &str| {
        let time = "2026-01-02T03:04:05.678Z";
        let body = format!(
            "[{{\"key\": \"{key}\", \"size\": 1, \"revision\": {revision}, \"created\": \"{time}\", \
             \"modified\": \"{time}\"}}]"
        );
        answer(
            "200 OK",
            &format!("Prominence-Revision: {revision}\r\n"),
            &body,
        )
    };
    let gone = r#"{"error": "changes up to 5 are no longer kept", "code": "compacted"}"#;
    let stream = "id: 9\n\nid: 12\nevent: reset\ndata: {\"revision\": 12}\n\n";
    let script = Script::new(vec![
        listed(3, "/a"),
        answer("410 Gone", "", gone),
        listed(9, "/b"),
        answer("200 OK", "Content-Type: text/event-stream\r\n", stream),
        listed(12, "/c"),
        answer(
            "403 Forbidden",
            "",
            r#"{"error": "no", "code": "forbidden"}"#,
        ),
    ]);
    let ran = script.run(&["kv", "watch", "--existing"]);
    let said = String::from_utf8(ran.stdout).unwrap();
    let events: Vec<_> = said
        .lines()
        .map(|line| line.split_once("Z  ").map_or(line, |(_, rest)| rest))
        .collect();
    assert_eq!(
        events,
        [
            "existing  /a  1",
            "reset: changes up to revision 3 are missing; what is there now follows",
            "existing  /b  1",
            "reset: changes up to revision 12 are missing; what is there now follows",
            "existing  /c  1",
        ]
    );
    script.played();
}

#[test]
fn a_server_that_does_not_tell_revisions_can_not_be_watched_with_existing() {
    let script = Script::new(vec![answer("200 OK", "", "[]")]);
    let complaint = script.run(&["kv", "watch", "--existing"]).complaint(2);
    assert!(complaint.contains("without --existing"), "{complaint}");
    script.played();
}

#[test]
fn a_command_that_takes_siblings_of_a_folder_says_so() {
    let server = Server::start();
    let me = server.user("me");
    for key in ["/run1/a", "/run10/a", "/run1-old/a"] {
        me.kv(&["set", key, "--string", "{}"]).text();
    }
    for arguments in [
        &["wait", "/run1", "--count", "3"][..],
        &["gather", "/run1"],
        &["claim", "/run1", "--", "true"],
    ] {
        let told = me.kv(arguments);
        assert_eq!(told.status, 0, "{told:?}");
        let expected =
            told.stderr.contains("/run1 also matches /run1") && told.stderr.contains("/run1/ for");
        assert!(expected, "{told:?}");
        let arguments: Vec<_> = arguments
            .iter()
            .map(|word| if *word == "/run1" { "/run10/" } else { word })
            .map(|word| if word == "3" { "1" } else { word })
            .collect();
        assert_eq!(me.kv(&arguments).stderr, "");
    }
}
