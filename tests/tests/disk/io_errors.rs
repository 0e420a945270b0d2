//! The disk returns errors to the running server, once or for some time.
//!
//! Nothing is acknowledged without a successful sync: writes are answered 503 with the disk's error, reads are
//! answered, and after the fault the server accepts writes again by itself. Everything that was acknowledged exists,
//! even after the process was killed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use prominence_tests::fault::{Fault, StopAtEnd};
use prominence_tests::{Client, Server, segments};

const WRITERS: usize = 4;

/// The time limit until the server accepts writes again. The time between its tries grows.
const RECOVERY: Duration = Duration::from_secs(90);

/// The answers to writers, by key.
#[derive(Default)]
struct Answers {
    acknowledged: BTreeMap<String, String>,
    refused: BTreeMap<String, String>,
    reasons: Vec<String>,
}

/// Writes one key after another until it is stopped.
fn write(client: &Client, writer: &str, answers: &Mutex<Answers>, stop: &AtomicBool) {
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let key = format!("/kv/{writer}/{number}");
        // A value of this length is only in the log, not in the index.
        let value = format!("{key} {}", "v".repeat(9_000));
        let (status, reason) = client.ask("POST", &key, &value);
        let mut answers = answers.lock().unwrap();
        match status {
            201 => {
                answers.acknowledged.insert(key, value);
            }
            503 => {
                answers.refused.insert(key, value);
                answers.reasons.push(reason);
                drop(answers);
                std::thread::sleep(Duration::from_millis(10));
            }
            other => panic!("{key}: {other} {reason}"),
        }
    }
}

impl Answers {
    /// Fails unless every acknowledged write exists, and every refused one exists as a whole or not at all.
    fn check(&self, client: &Client) {
        for (key, value) in &self.acknowledged {
            let found = client.ask("GET", key, "");
            assert!(found == (200, value.clone()), "{key}: {}", found.0);
        }
        for (key, value) in &self.refused {
            let found = client.ask("GET", key, "");
            assert!(
                found == (200, value.clone()) || found.0 == 404,
                "{key}: {}",
                found.0
            );
        }
    }
}

fn wait_for(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + RECOVERY;
    while !happened() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The folder of the log, and its files.
fn log_files(server: &Server) -> Vec<PathBuf> {
    let log = server.data().join("store/log");
    let mut paths = segments(server.data(), 4);
    paths.push(log);
    paths
}

/// Runs writers before, during and after a fault.
fn endure(call: &str, how: &str, words: &str) {
    let mut server = Server::start(&[]);
    let client = server.client("alice");
    assert_eq!(client.ask("POST", "/kv/before", "kept").0, 201);
    let paths = log_files(&server);
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let (answers, stop) = (Mutex::<Answers>::default(), AtomicBool::new(false));
    let count = || answers.lock().unwrap().acknowledged.len();
    let refused = || answers.lock().unwrap().refused.len();
    std::thread::scope(|scope| {
        let _stop = StopAtEnd(&stop);
        for writer in 0..WRITERS {
            let (client, answers, stop) = (client.clone(), &answers, &stop);
            scope.spawn(move || write(&client, &format!("w{writer}"), answers, stop));
        }
        wait_for("writes are accepted", || count() > 50);
        let fault = Fault::inject(server.pid(), call, &paths, how);
        wait_for("writes are refused", || refused() > 0);
        if !how.contains("when=") {
            // By then, every write that was acknowledged before the fault has been counted.
            wait_for("all writers are refused", || refused() > 4 * WRITERS);
            let (before, so_far) = (count(), refused());
            wait_for("further writes are refused", || refused() > so_far + 20);
            assert_eq!(count(), before, "nothing is acknowledged without a sync");
            assert_eq!(client.ask("GET", "/kv/before", ""), (200, "kept".into()));
            let origin = server.origin();
            assert_eq!(client.moved(origin).ask("GET", "/readyz", "").0, 503);
        }
        drop(fault);
        let before = count();
        wait_for("writes are accepted again", || count() > before + 50);
    });
    let answers = answers.into_inner().unwrap();
    let said = answers
        .reasons
        .iter()
        .filter(|reason| reason.contains(words))
        .count();
    assert!(said > 0, "{:?}", answers.reasons.first());
    answers.check(&client);
    server.kill();
    server.restart();
    answers.check(&client.moved(&server.url));
}

#[test]
fn while_syncs_fail_writes_are_refused_and_afterwards_they_are_taken_again() {
    endure("fdatasync", "error=EIO", "Input/output error");
}

#[test]
fn one_failed_sync_is_survived() {
    endure("fdatasync", "error=EIO:when=1..2", "Input/output error");
}

#[test]
fn while_the_log_cant_be_written_writes_are_refused_and_afterwards_they_are_taken_again() {
    endure("pwrite64", "error=EIO", "Input/output error");
}

#[test]
fn a_write_that_finds_no_room_is_survived() {
    endure("pwrite64", "error=ENOSPC:when=1..3", "the disk is full");
}

#[test]
fn while_the_disk_is_read_only_writes_are_refused_and_afterwards_they_are_taken_again() {
    endure("pwrite64", "error=EROFS", "Read-only file system");
}

#[test]
fn a_server_killed_after_a_failed_sync_writes_the_end_of_its_log_again_before_it_trusts_it() {
    let mut server = Server::start(&[]);
    let client = server.client("alice");
    let segment = segments(server.data(), 1).remove(0);
    let written = || segment.metadata().unwrap().modified().unwrap();
    assert_eq!(client.ask("POST", "/kv/before", "kept").0, 201);
    let made = written();

    assert!(server.terminate().success());
    server.restart();
    assert_eq!(
        written(),
        made,
        "nothing is written again after a clean end"
    );

    let paths = log_files(&server);
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let client = client.moved(&server.url);
    let fault = Fault::inject(server.pid(), "fsync,fdatasync", &paths, "error=EIO");
    assert_eq!(client.ask("POST", "/kv/unknown", "x").0, 503);
    server.kill();
    drop(fault);
    let left = written();

    server.restart();
    assert_ne!(written(), left, "the end of the log is written again");
    let client = client.moved(&server.url);
    assert_eq!(client.ask("GET", "/kv/before", ""), (200, "kept".into()));
    assert_eq!(client.ask("POST", "/kv/after", "x").0, 201);
}
