//! The server is killed in mid-write, again and again, and has lost nothing that it acknowledged.
//!
//! Each writer owns a part of the keys and knows, for each key, which states the store may be in:
//! the last acknowledged one and, where an answer was lost, what that request would have made.
//! After each kill the store is checked where it lies, or opened by the server as it is; the last
//! word is a check. The seed is printed; `PROMINENCE_TEST_SEED` runs the same choices again and
//! `PROMINENCE_TEST_KILLS` sets the number of kills.

mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use prominence_engines::embedded::check::check_folder;
use prominence_tests::{Client, Server};

use writer::{Clients, Writer};

const WRITERS: u64 = 8;

#[test]
fn a_server_that_is_killed_under_load_has_every_acknowledged_write() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let kills = number("PROMINENCE_TEST_KILLS").unwrap_or(20);
    let seed = number("PROMINENCE_TEST_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("{kills} kills with PROMINENCE_TEST_SEED={seed}");

    let mut random = fastrand::Rng::with_seed(seed);
    let mut server = Server::start(&[]);
    let mut clients = Clients {
        lasting: server.client("alice"),
        passing: server.client("bob"),
    };
    let acknowledged = Arc::new(AtomicU64::new(0));
    let mut writers: Vec<_> = (0..WRITERS)
        .map(|name| Writer::new(name, random.fork(), Arc::clone(&acknowledged)))
        .collect();

    for kill in 0..kills {
        let stop = AtomicBool::new(false);
        let before = acknowledged.load(Ordering::Relaxed);
        thread::scope(|scope| {
            for writer in &mut writers {
                let (clients, stop) = (&clients, &stop);
                scope.spawn(move || writer.run(clients, stop));
            }
            // Not before the load is on; then at a random moment.
            while acknowledged.load(Ordering::Relaxed) < before + 20 {
                thread::sleep(Duration::from_millis(1));
            }
            thread::sleep(Duration::from_millis(random.u64(..150)));
            server.kill();
            stop.store(true, Ordering::Relaxed);
        });
        if random.bool() {
            find_nothing(server.data());
        }
        server.restart();
        clients = clients.moved(&server.url);
        for writer in &mut writers {
            writer.check(&clients);
        }
        compare_usage(&clients.lasting, &writers, kill);
        if kill % 50 == 49 {
            let acknowledged = acknowledged.load(Ordering::Relaxed);
            println!("{} kills, {acknowledged} acknowledged writes", kill + 1);
        }
    }
    server.kill();
    find_nothing(server.data());
    println!(
        "{} acknowledged writes, none lost",
        acknowledged.load(Ordering::Relaxed)
    );
}

/// Checks the store of a server that is not running.
fn find_nothing(folder: &Path) {
    let report = check_folder(folder, &mut |_| {}).unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
}

/// Demands that the usage that is told equals a recount.
fn compare_usage(client: &Client, writers: &[Writer], kill: u64) {
    let (_, usage) = client.ask("GET", "/kv?usage", "");
    let usage: serde_json::Value = serde_json::from_str(&usage).unwrap();
    let keys: usize = writers.iter().map(|writer| writer.known().len()).sum();
    let bytes: usize = writers
        .iter()
        .flat_map(Writer::known)
        .map(|(name, value)| name.len() + value.len())
        .sum();
    let told = (usage["keys"].as_u64(), usage["bytes"].as_u64());
    let counted = (Some(keys as u64), Some(bytes as u64));
    assert_eq!(told, counted, "usage equals a recount after kill {kill}");
}

#[test]
fn a_server_that_is_told_to_stop_ends_well_and_keeps_everything() {
    let mut server = Server::start(&[]);
    let client = server.client("alice");
    assert_eq!(client.ask("POST", "/kv/a", "1").0, 201);
    assert!(server.data().join("listening").exists());
    assert!(server.terminate().success());
    assert!(
        !server.data().join("listening").exists(),
        "nobody listens there any more"
    );
    server.restart();
    assert_eq!(
        client.moved(&server.url).ask("GET", "/kv/a", ""),
        (200, "1".into())
    );
}
