//! Readers that don't read, and those that read slowly.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::common::{Client, Server, Setup};
use crate::held::eventually;

/// How long these servers let a reader take nothing.
const WRITE_WITHIN: Duration = Duration::from_millis(500);

/// Bytes of the values that are told, so that few of them fill a connection's buffers.
const VALUE_BYTES: usize = 16_000;

/// The same where a reader is to stay: on a busy machine it may be a while until the other end of a
/// connection hears that something was taken.
const LONGER: Duration = Duration::from_secs(2);

fn impatient(write_within: Duration) -> Server {
    let mut setup = Setup::default();
    setup.limits.write_within = write_within;
    Server::with(setup)
}

/// Opens a watch that tells values, without reading any of it.
fn watch(server: &Server) -> TcpStream {
    let mut stream = server.connect();
    let token = server.token("alice");
    let head = format!(
        "GET /prominence/v1/kv/busy/?watch&values HTTP/1.1\r\nHost: x\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    eventually("the watch has begun", || server.held() == 1);
    stream
}

/// What a server says of itself, by the name of the series.
fn gauge(anyone: &Client, series: &str) -> u64 {
    let text = anyone.get("//metrics").text();
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    line.unwrap_or_else(|| panic!("no {series} in {text}"))
        .trim()
        .parse()
        .unwrap()
}

#[test]
fn a_watcher_that_reads_nothing_is_cut_off_and_gives_its_place_back() {
    const WATCHES: &str = "prominence_held_requests{kind=\"watch\"}";
    let server = impatient(WRITE_WITHIN);
    let (alice, anyone) = (server.user("alice"), server.anonymous());
    let mut stalled = watch(&server);
    assert_eq!(gauge(&anyone, WATCHES), 1);
    let value = "x".repeat(VALUE_BYTES);
    let begun = Instant::now();
    let mut sets = 0;
    eventually("the watcher is cut off", || {
        alice.set(&format!("/kv/busy/{}", begun.elapsed().as_nanos()), &value);
        server.held() == 0
    });
    assert!(begun.elapsed() > WRITE_WITHIN);
    assert_eq!(gauge(&anyone, WATCHES), 0);
    // What was on its way still arrives; then the connection is at its end.
    let mut taken = Vec::new();
    while stalled.read_to_end(&mut taken).is_err() {
        sets += 1;
        assert!(sets < 2, "a connection that is reset is reset once");
    }
    assert!(!taken.is_empty());
}

#[test]
fn a_quiet_watcher_is_left_alone() {
    let server = impatient(WRITE_WITHIN);
    let alice = server.user("alice");
    let mut quiet = BufReader::new(watch(&server));
    let begun = Instant::now();
    // Nothing under its prefix changes, so there is nothing that it could read.
    while begun.elapsed() < 3 * WRITE_WITHIN {
        alice.set("/kv/elsewhere", "x");
    }
    alice.set("/kv/busy/a", "x");
    let mut lines = quiet.by_ref().lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "event: put"));
}

#[test]
fn a_watcher_that_reads_slowly_is_served_on_from_the_log() {
    let server = impatient(LONGER);
    let alice = server.user("alice");
    let mut slow = watch(&server);
    let value = "x".repeat(VALUE_BYTES);
    let mut taken = Vec::new();
    let mut sets = 0;
    let begun = Instant::now();
    // A small part of what there would be, several times longer than a reader may take nothing.
    while begun.elapsed() < 3 * LONGER {
        for _ in 0..4 {
            sets += 1;
            alice.set(&format!("/kv/busy/{sets}"), &value);
        }
        let mut piece = [0; VALUE_BYTES];
        slow.read_exact(&mut piece).unwrap();
        taken.extend(piece);
    }
    assert_eq!(server.held(), 1, "it is watching still");
    let all = BufReader::new(taken.chain(slow));
    let told = all.lines().map(Result::unwrap);
    let revisions: Vec<_> = told
        .filter(|line| line.starts_with("id: ") && line != "id: 0")
        .take(sets)
        .collect();
    let expected: Vec<_> = (1..=sets).map(|n| format!("id: {n}")).collect();
    assert_eq!(revisions, expected);
}
