//! Every sync takes seconds: the queue stays bounded, and reads are not delayed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use prominence_tests::fault::{Fault, StopAtEnd};
use prominence_tests::{Server, segments};

/// The time of each sync.
const DELAY: Duration = Duration::from_secs(3);

/// Writers that each wait for an answer: with these values, far more than the queue takes.
const WRITERS: usize = 160;

/// Bytes of a value.
const VALUE: usize = 1 << 20;

/// The number of refusals to wait for. Each came with a value, and together these would fill the allowed memory several
/// times.
const REFUSALS: usize = 1_000;

/// The largest growth of the server: the queue (64 MiB), the group that is being written, which exists as commits, rows
/// and memtables, and the buffers of connections.
const MAX_GROWTH_KIB: u64 = 400 << 10;

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn on_a_slow_disk_writes_beyond_the_queue_are_refused_and_reads_stay_quick() {
    let server = Server::start(&["--value-limit", "1MiB"]);
    let client = server.client("alice");
    assert_eq!(client.ask("POST", "/kv/before", "kept").0, 201);
    let before = resident_kib(server.pid());
    let segments = segments(server.data(), 9);
    let segments: Vec<_> = segments.iter().map(std::path::PathBuf::as_path).collect();
    let delay = format!("delay_enter={}us", DELAY.as_micros());
    let fault = Fault::inject(server.pid(), "fdatasync", &segments, &delay);

    let stop = AtomicBool::new(false);
    let (taken, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (mut slowest, mut most) = (Duration::ZERO, 0);
    std::thread::scope(|scope| {
        let _stop = StopAtEnd(&stop);
        for writer in 0..WRITERS {
            let (client, stop, taken, refused) = (client.clone(), &stop, &taken, &refused);
            scope.spawn(move || {
                let value = vec![b'v'; VALUE];
                while !stop.load(Ordering::Relaxed) {
                    let answer = client.ask_when("POST", &format!("/kv/w{writer}"), &value);
                    match answer {
                        (200 | 201, ..) => taken.fetch_add(1, Ordering::Relaxed),
                        (503, Some(_), _) => refused.fetch_add(1, Ordering::Relaxed),
                        other => panic!("{other:?}"),
                    };
                }
            });
        }
        let deadline = Instant::now() + Duration::from_secs(120);
        while refused.load(Ordering::Relaxed) < REFUSALS || taken.load(Ordering::Relaxed) < 10 {
            assert!(
                Instant::now() < deadline,
                "{taken:?} taken, {refused:?} refused"
            );
            let started = Instant::now();
            assert_eq!(client.ask("GET", "/kv/before", ""), (200, "kept".into()));
            assert_eq!(client.ask("GET", "/kv/none", "").0, 404);
            slowest = slowest.max(started.elapsed());
            most = most.max(resident_kib(server.pid()));
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(fault);
    });
    println!(
        "{taken:?} taken, {refused:?} refused; slowest reads {slowest:?}; {before} to {most} KiB"
    );
    assert!(slowest < DELAY / 2, "two reads took {slowest:?}");
    assert!(
        most < before + MAX_GROWTH_KIB,
        "from {before} to {most} KiB"
    );

    let started = Instant::now();
    assert_eq!(client.ask("POST", "/kv/after", "x").0, 201);
    assert!(started.elapsed() < DELAY, "the disk is fast again");
}

#[test]
fn what_is_not_synced_yet_is_seen_by_nobody() {
    let server = Server::start(&[]);
    let client = server.client("alice");
    assert_eq!(client.ask("POST", "/kv/k", "before").0, 201);
    let commits = segments(server.data(), 1).remove(0);
    let delay = format!("delay_enter={}us", DELAY.as_micros());
    let fault = Fault::inject(server.pid(), "fdatasync", &[&commits], &delay);
    let started = Instant::now();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            assert_eq!(client.ask("POST", "/kv/k", "after").0, 201);
            started.elapsed()
        });
        while started.elapsed() < DELAY / 2 {
            let found = client.ask("GET", "/kv/k", "");
            assert_eq!(found, (200, "before".into()));
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(writer.join().unwrap() >= DELAY, "the sync was delayed");
    });
    drop(fault);
    assert_eq!(client.ask("GET", "/kv/k", ""), (200, "after".into()));
}
