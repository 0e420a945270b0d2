//! Readers that don't read, and those that read slowly.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::common::{Client, Server, Setup};
use crate::long_poll::eventually;

/// How long these servers let a reader take nothing.
const WRITE_WITHIN: Duration = Duration::from_millis(500);

/// Bytes of the values that are told, so that few of them fill a connection's buffers.
const VALUE_BYTES: usize = 16_000;

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
        "GET /prominence/v1/kv/busy/?watch&values&since=0 HTTP/1.1\r\nHost: x\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    eventually("the watch has begun", || server.long_polls() == 1);
    stream
}

/// What a server says of itself, by the name of the series.
fn gauge(monitor: &Client, series: &str) -> u64 {
    let text = monitor.get("//metrics").text();
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
    let (alice, monitor) = (server.user("alice"), server.user("monitor"));
    let mut stalled = watch(&server);
    assert_eq!(gauge(&monitor, WATCHES), 1);
    let value = "x".repeat(VALUE_BYTES);
    let begun = Instant::now();
    eventually("the watcher is cut off", || {
        alice.set(&format!("/kv/busy/{}", begun.elapsed().as_nanos()), &value);
        server.long_polls() == 0
    });
    assert!(begun.elapsed() > WRITE_WITHIN);
    assert_eq!(gauge(&monitor, WATCHES), 0);
    // What was on its way still arrives; then the connection is at its end, in good order or not.
    let mut taken = Vec::new();
    let _ = stalled.read_to_end(&mut taken);
    assert!(!taken.is_empty());
}

#[test]
fn a_reader_that_dribbles_is_cut_off_in_the_middle_of_an_answer() {
    /// Bytes that it reads at a time, and a pause: a quarter of the pace that it has to keep.
    const AT_A_TIME: usize = 4 << 10;
    const PAUSE: Duration = Duration::from_millis(250);
    /// Of these values each byte is six in JSON: far more than buffers take.
    const VALUES: usize = 300;
    let server = impatient(Duration::from_secs(1));
    let (alice, monitor) = (server.user("alice"), server.user("monitor"));
    let value = vec![1; VALUE_BYTES];
    for n in 0..VALUES {
        alice.set(&format!("/kv/v/{n}"), &value);
    }
    let mut stream = server.connect();
    let token = server.token("alice");
    let head = format!(
        "GET /prominence/v1/kv/v/?list&values&limit=10000 HTTP/1.1\r\nHost: x\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut taken = vec![0; AT_A_TIME];
    stream.read_exact(&mut taken).unwrap();
    assert!(taken.starts_with(b"HTTP/1.1 200"));
    eventually("only the connection of this question is left", || {
        std::thread::sleep(PAUSE);
        let _ = (&stream).read(&mut [0; AT_A_TIME]);
        gauge(&monitor, "prominence_connections ") == 1
    });
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
    /// Longer than elsewhere, so that a reader that the machine holds up is not taken for stalled.
    const WITHIN: Duration = Duration::from_secs(2);
    /// Bytes that it reads in a second: several times what it has to, and far less in that time than
    /// what an operating system keeps for a connection by default.
    const PACE: u128 = 256 << 10;
    const SETS: usize = 500;
    let server = impatient(WITHIN);
    let alice = server.user("alice");
    let value = "x".repeat(VALUE_BYTES);
    for n in 1..=SETS {
        alice.set(&format!("/kv/busy/{n}"), &value);
    }
    let mut slow = watch(&server);
    let mut taken = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < 3 * WITHIN {
        // Something else that takes a moment.
        assert_eq!(alice.get("/kv/busy/1").status, 200);
        let due = usize::try_from(begun.elapsed().as_millis() * PACE / 1_000).unwrap();
        let mut piece = vec![0; due - taken.len()];
        slow.read_exact(&mut piece).unwrap();
        taken.extend(piece);
    }
    assert!(
        taken.len() < SETS * VALUE_BYTES / 2,
        "there is more to read"
    );
    assert_eq!(server.long_polls(), 1, "it is watching still");
    let told = BufReader::new(taken.as_slice().chain(slow))
        .lines()
        .map(Result::unwrap);
    let revisions: Vec<_> = told
        .filter(|line| line.starts_with("id: ") && line != "id: 0")
        .take(SETS)
        .collect();
    let expected: Vec<_> = (1..=SETS).map(|n| format!("id: {n}")).collect();
    assert_eq!(revisions, expected);
}
