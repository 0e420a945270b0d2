//! Watches: every change in order, none twice, none missing, whatever happens to the connection.

use std::io::{BufRead as _, BufReader, Write as _};
use std::time::Duration;

use prominence_core::{Key, Lifetime, Operation};
use prominence_engines::Retention;
use serde_json::Value;

use crate::common::{Client, Server, Setup, TOKEN_LASTS};
use crate::long_poll::eventually;

/// A watch that is being read.
struct Watch {
    headers: ureq::http::HeaderMap,
    lines: BufReader<ureq::BodyReader<'static>>,
    /// The `Last-Event-ID` that a reader would send.
    last_id: String,
}

/// A block of lines that a reader takes for an event.
#[derive(Debug, PartialEq)]
struct Event {
    name: String,
    data: Value,
    /// The id that was current after it.
    id: String,
}

impl Watch {
    #[track_caller]
    fn open(caller: &Client, path: &str, last_id: Option<&str>) -> Self {
        let headers: Vec<_> = last_id.iter().map(|id| ("last-event-id", *id)).collect();
        let response = caller.open("GET", path, &headers, b"");
        assert_eq!(response.status(), 200);
        let (head, body) = response.into_parts();
        let mut watch = Self {
            headers: head.headers,
            lines: BufReader::new(body.into_reader()),
            last_id: String::new(),
        };
        // The first block tells where the watch starts, and is no event.
        let first = [watch.line(), watch.line()];
        assert!(
            first[0].starts_with("id: ") && first[1].is_empty(),
            "{first:?}"
        );
        watch.last_id = first[0]["id: ".len()..].to_owned();
        watch
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the stream ended: {line:?}");
        line.trim_end_matches('\n').to_owned()
    }

    /// The next event, by the standard's rules.
    fn event(&mut self) -> Event {
        let (mut name, mut data) = (String::new(), String::new());
        loop {
            let line = self.line();
            match line.split_once(": ") {
                Some(("id", id)) => self.last_id = id.to_owned(),
                Some(("event", text)) => name = text.to_owned(),
                Some(("data", text)) => data = text.to_owned(),
                _ if line.is_empty() && !data.is_empty() => {
                    return Event {
                        name,
                        data: serde_json::from_str(&data).unwrap(),
                        id: self.last_id.clone(),
                    };
                }
                _ => assert!(line.is_empty() || line == ":", "an odd line: {line}"),
            }
        }
    }

    /// The next events, as `put /a`.
    fn told(&mut self, number: usize) -> Vec<String> {
        (0..number).map(|_| told(&self.event())).collect()
    }

    /// True if nothing more comes.
    fn has_ended(&mut self) -> bool {
        let mut rest = String::new();
        self.lines.read_line(&mut rest).unwrap() == 0
    }
}

fn told(event: &Event) -> String {
    format!(
        "{} {}",
        event.name,
        event.data["key"].as_str().unwrap_or_default()
    )
}

fn set(name: &str) -> Operation {
    Operation::Set {
        key: Key::parse(name).unwrap(),
        value: prominence_core::Value::from_integer(1),
        lifetime: Lifetime::Permanent,
    }
}

#[test]
fn changes_are_told_as_they_happen_and_others_are_not() {
    let server = Server::start();
    let (alice, bob) = (server.user("alice"), server.user("bob"));
    let job = server.with_token(&server.token_for("alice", "", Some("job-7")));
    alice.set("/kv/in/before", "x");
    let mut watch = Watch::open(&alice, "/kv/in/?watch", None);
    assert_eq!(watch.headers["content-type"], "text/event-stream");
    assert_eq!(watch.headers["cache-control"], "private, no-cache");
    assert_eq!(watch.headers["x-accel-buffering"], "no");
    assert_eq!(watch.headers["prominence-revision"], "1");
    assert_eq!(watch.last_id, "1");
    bob.set("/kv/in/a", "bob's");
    alice.set("/kv/inside", "x");
    alice.set("/kv/in/_internal_/x", "x");
    job.set("/kv/in/a?ttl=1", "12345");
    let put = watch.event();
    assert_eq!((put.name.as_str(), put.id.as_str()), ("put", "4"));
    let data = serde_json::json!({
        "key": "/in/a", "revision": 4, "job": "job-7", "size": 5,
        "time": "2023-11-14T22:13:20.000Z", "change": "set",
        "created": "2023-11-14T22:13:20.000Z", "expires": "2023-11-14T22:13:21.000Z",
    });
    assert_eq!(put.data, data);
    server.clock.advance(Duration::from_secs(1));
    server.sweep();
    alice.delete("/kv/in/before");
    assert_eq!(watch.told(2), ["expire /in/a", "delete /in/before"]);
}

#[test]
fn values_are_told_unless_a_later_change_superseded_them() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/a", "old");
    alice.set("/kv/a", "new\nline");
    alice.set("/kv/b", [0xff, 0]);
    let mut watch = Watch::open(&alice, "/kv?watch&values&since=0", None);
    let values: Vec<_> = (0..3).map(|_| watch.event().data).collect();
    assert_eq!(values[0].get("value"), None);
    assert_eq!(values[1]["value"], "new\nline");
    assert_eq!(values[2]["value_base64"], "/wA=");
}

#[test]
fn a_reader_that_reconnects_after_any_event_misses_none_and_sees_none_twice() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/a/0", "x");
    let delete = Operation::Delete {
        key: Key::parse("/a/0").unwrap(),
    };
    let several = vec![set("/a/1"), set("/b/1"), set("/a/2"), delete];
    let revision = server.commit("alice", several);
    assert_eq!(revision, 2);
    alice.set("/kv/b/2", "x");
    alice.delete("/kv/a?prefix");
    for path in ["/kv?watch&since=0", "/kv/a/?watch&since=0"] {
        let total = if path.contains("/a/") { 6 } else { 8 };
        let mut whole = Watch::open(&alice, path, None);
        let all: Vec<_> = (0..total).map(|_| whole.event()).collect();
        let last_of_batch = all
            .iter()
            .rfind(|event| event.data["revision"] == 2)
            .unwrap();
        assert_eq!(
            last_of_batch.id, "2",
            "the last event of a commit stands for all of it"
        );
        assert_eq!(all[0].id, "1");
        for (seen, event) in (1..).zip(&all) {
            // `since` is still in the address; where the reader has come to wins over it.
            let mut rest = Watch::open(&alice, path, Some(&event.id));
            for expected in &all[seen..] {
                assert_eq!(rest.event(), *expected, "after {}", event.id);
            }
            // `since` takes ids as well.
            let resumed = path.replace("since=0", &format!("since={}", event.id));
            let mut rest = Watch::open(&alice, &resumed, None);
            if let Some(expected) = all.get(seen) {
                assert_eq!(rest.event(), *expected);
            }
        }
    }
}

#[test]
fn a_reader_that_reconnects_before_the_first_event_misses_nothing() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/a", "x");
    let watch = Watch::open(&alice, "/kv?watch", None);
    let seen = watch.last_id.clone();
    drop(watch);
    alice.set("/kv/b", "x");
    let mut again = Watch::open(&alice, "/kv?watch", Some(&seen));
    assert_eq!(again.told(1), ["put /b"]);
}

#[test]
fn a_large_deletion_is_told_key_by_key_in_order() {
    const KEYS: usize = 2_500;
    let server = Server::start();
    let alice = server.user("alice");
    let name = |n: usize| format!("/many/{n:05}");
    for first in (0..KEYS).step_by(100) {
        let sets = (first..first + 100).map(|n| set(&name(n))).collect();
        server.commit("alice", sets);
    }
    let mut watch = Watch::open(&alice, "/kv/many/?watch", None);
    assert_eq!(alice.delete("/kv/many/?prefix").json()["deleted"], KEYS);
    let expected: Vec<_> = (0..KEYS).map(|n| format!("delete {}", name(n))).collect();
    let events: Vec<_> = (0..KEYS).map(|_| watch.event()).collect();
    assert_eq!(events.iter().map(told).collect::<Vec<_>>(), expected);
    assert_eq!(events[0].id, "26.0");
    assert_eq!(events[KEYS - 1].id, "26");
    let mut rest = Watch::open(&alice, "/kv/many/?watch", Some(&events[1_234].id));
    assert_eq!(rest.told(KEYS - 1_235), expected[1_235..]);
}

#[test]
fn what_is_no_longer_kept_is_410_with_the_oldest_revision() {
    let server = Server::with(Setup {
        retention: Retention {
            changes: 3,
            ..Retention::default()
        },
        ..Setup::default()
    });
    let alice = server.user("alice");
    for n in 0..10 {
        alice.set("/kv/a", n.to_string());
    }
    let answer = alice.get("/kv?watch&since=1");
    let message = answer.error(410, "compacted");
    let oldest = answer.header("prominence-oldest-revision").to_owned();
    assert!(message.contains(&oldest), "{message}");
    let mut watch = Watch::open(&alice, &format!("/kv?watch&since={oldest}"), None);
    let kept = 10 - oldest.parse::<usize>().unwrap();
    assert!((1..=4).contains(&kept), "{kept}");
    let revisions: Vec<_> = (0..kept).map(|_| watch.event().id).collect();
    assert_eq!(revisions.last().unwrap(), "10");
}

#[test]
fn what_is_no_place_in_the_log_is_refused_in_clear_words() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/a", "x");
    let message = alice.get("/kv?watch&since=2").error(400, "bad_request");
    assert!(message.contains("the latest is 1"), "{message}");
    for odd in ["x", "-1", "1.", "1.x"] {
        let path = format!("/kv?watch&since={odd}");
        let message = alice.get(&path).error(400, "bad_request");
        assert!(message.contains("neither a revision"), "{message}");
    }
    let headers = [("last-event-id", "x")];
    let answer = alice.send("GET", "/kv?watch", &headers, b"");
    assert!(answer.error(400, "bad_request").contains("Last-Event-ID"));
    for mixed in ["watch&list", "watch&wait=1", "watch&limit=1"] {
        alice.get(&format!("/kv?{mixed}")).error(400, "bad_request");
    }
}

#[test]
fn a_quiet_watch_is_kept_alive_by_comments() {
    let server = Server::start();
    let alice = server.user("alice");
    let mut watch = Watch::open(&alice, "/kv?watch", None);
    for _ in 0..3 {
        server.clock.advance(Duration::from_secs(15));
        assert_eq!(watch.line(), ":");
    }
    alice.set("/kv/a", "x");
    assert_eq!(watch.told(1), ["put /a"]);
}

#[test]
fn a_watch_ends_with_its_token() {
    let server = Server::start();
    let alice = server.user("alice");
    let mut watch = Watch::open(&alice, "/kv?watch", None);
    server.clock.advance(TOKEN_LASTS);
    assert!(watch.has_ended());
    eventually("the long poll has ended", || server.long_polls() == 0);
}

#[test]
fn a_watch_ends_when_the_server_stops() {
    let mut server = Server::start();
    let mut watch = Watch::open(&server.user("alice"), "/kv?watch", None);
    let stopped = server.stop();
    assert!(watch.has_ended());
    stopped.blocking_recv().unwrap();
}

#[test]
fn a_reader_that_reads_nothing_holds_nobody_up_and_gets_everything_later() {
    let server = Server::start();
    let alice = server.user("alice");
    let mut slow = server.connect();
    // A watch takes its slot before it knows its first revision, unless the request names one.
    let head = format!(
        "GET /prominence/v1/kv?watch&values&since=0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        server.token("alice")
    );
    slow.write_all(head.as_bytes()).unwrap();
    eventually("the watch has begun", || server.long_polls() == 1);
    let mut quick = Watch::open(&alice, "/kv?watch", None);
    // More than the connection's buffers take.
    let value = "x".repeat(16_000);
    let sets = 1_000;
    for n in 0..sets {
        alice.set(&format!("/kv/{n}"), &value);
        assert_eq!(quick.told(1), [format!("put /{n}")]);
    }
    let lines = BufReader::new(slow).lines().map(Result::unwrap);
    let events = lines.filter(|line| line.starts_with("id: ") && line != "id: 0");
    let revisions: Vec<_> = events.take(sets).collect();
    let expected: Vec<_> = (1..=sets).map(|n| format!("id: {n}")).collect();
    assert_eq!(revisions, expected);
}

#[test]
fn a_reader_that_falls_behind_what_is_kept_is_told_to_list_again() {
    let server = Server::with(Setup {
        retention: Retention {
            changes: 10,
            ..Retention::default()
        },
        ..Setup::default()
    });
    let alice = server.user("alice");
    let mut slow = server.connect();
    let head = format!(
        "GET /prominence/v1/kv?watch&values HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        server.token("alice")
    );
    slow.write_all(head.as_bytes()).unwrap();
    eventually("the watch has begun", || server.long_polls() == 1);
    let mut lines = BufReader::new(slow).lines().map(Result::unwrap);
    let mut next =
        |beginning: &str| lines.find_map(|line| Some(line.strip_prefix(beginning)?.to_owned()));
    // A watch takes its slot before it knows its first revision.
    assert_eq!(next("id: ").unwrap(), "0");
    // More than the connection's buffers take, and than the log keeps.
    let value = "x".repeat(16_000);
    let sets = 1_000;
    for n in 1..=sets {
        alice.set(&format!("/kv/{n}"), &value);
    }
    // Where a line follows another without a gap, or a reset says that there is one.
    let mut at = 0;
    let mut resets = 0;
    while at < sets {
        let id: u64 = next("id: ").unwrap().parse().unwrap();
        let event = next("event: ").unwrap();
        let data: Value = serde_json::from_str(&next("data: ").unwrap()).unwrap();
        assert_eq!(data["revision"], id);
        if event == "reset" {
            assert!(id > at + 1, "nothing is missing between {at} and {id}");
            resets += 1;
        } else {
            assert_eq!((event.as_str(), id), ("put", at + 1));
        }
        at = id;
    }
    assert!(resets > 0);
    alice.set("/kv/after", "x");
    assert_eq!(next("id: ").unwrap(), (sets + 1).to_string());
    assert_eq!(next("event: ").unwrap(), "put");
}

#[test]
fn an_event_tells_what_a_put_was_and_how_the_entry_is_since_then() {
    let server = Server::start();
    let worker = |job| server.with_token(&server.token_for("alice", "", Some(job)));
    let alice = worker("writer");
    let mut watch = Watch::open(&alice, "/kv/w/?watch", None);
    let start = "2023-11-14T22:13:20.000Z";
    alice.set("/kv/w/a?ttl=1h", "1");
    let mut fields = |names: &[&str]| {
        let event = watch.event();
        assert_eq!(
            (event.name.as_str(), &event.data["key"]),
            ("put", &"/w/a".into())
        );
        names
            .iter()
            .map(|name| event.data.get(name).cloned().unwrap_or_default())
            .collect::<Vec<_>>()
    };
    let names = [
        "change",
        "job",
        "created",
        "expires",
        "claimed_until",
        "claimed_by",
        "claims",
    ];
    let end = "2023-11-14T23:13:20.000Z";
    let none = || Value::Null;
    let wanted = |change: &str, job: &str, claim: [Value; 3]| {
        let mut wanted = vec![change.into(), job.into(), start.into(), end.into()];
        wanted.extend(claim);
        wanted
    };
    assert_eq!(
        fields(&names),
        wanted("set", "writer", [none(), none(), none()])
    );
    server.clock.advance(Duration::from_secs(10));
    let claimed = worker("one").post("/kv/w/?claim=60", "");
    let until = "2023-11-14T22:14:30.000Z";
    let held = |until: &str| [until.into(), "one".into(), 1.into()];
    assert_eq!(fields(&names), wanted("claim", "one", held(until)));
    let tag = claimed.header("etag");
    let two = worker("two");
    let renewed = two.send("POST", "/kv/w/a?renew=90", &[("if-match", tag)], b"");
    let until = "2023-11-14T22:15:00.000Z";
    assert_eq!(fields(&names), wanted("renew", "two", held(until)));
    let tag = renewed.header("etag");
    two.send("POST", "/kv/w/a?release", &[("if-match", tag)], b"");
    let released = [none(), none(), 1.into()];
    assert_eq!(fields(&names), wanted("release", "two", released));
    alice.post("/kv/w/a?add=1", "");
    assert_eq!(
        fields(&names),
        wanted("set", "writer", [none(), none(), none()])
    );
    alice.delete("/kv/w/a");
    let event = watch.event();
    assert_eq!(
        (event.name.as_str(), event.data.get("change")),
        ("delete", None)
    );
}
