//! The server is killed in mid-write, again and again, and has lost nothing that it acknowledged.
//!
//! Each writer owns a part of the keys and knows, for each key, which states the store may be in:
//! the last acknowledged one and, where an answer was lost, what that request would have made.
//! The seed is printed; `PROMINENCE_TEST_SEED` runs the same choices again and
//! `PROMINENCE_TEST_KILLS` sets the number of kills.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use prominence_tests::{Client, Server};

const WRITERS: u64 = 8;
const KEYS: u64 = 12;

/// The states that one writer's keys may be in: all of one map, or all of the other.
struct Writer {
    name: u64,
    random: fastrand::Rng,
    /// As acknowledged.
    known: BTreeMap<String, String>,
    /// As it would be had the request without an answer happened.
    possible: Option<BTreeMap<String, String>>,
    acknowledged: Arc<AtomicU64>,
}

impl Writer {
    /// Writes until an answer is lost or the round is over.
    fn run(&mut self, client: &Client, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let mut next = self.known.clone();
            let folder = format!("/w{}", self.name);
            let key = format!("{folder}/{}", self.random.u64(..KEYS));
            let (method, path, body) = match self.random.u8(..20) {
                0 => {
                    next.retain(|name, _| !name.starts_with(&format!("{folder}/")));
                    ("DELETE", format!("{folder}/?prefix"), String::new())
                }
                1..4 => {
                    next.remove(&key);
                    ("DELETE", key, String::new())
                }
                4..9 => {
                    let counter = format!("{folder}-counter");
                    let sum = next.get(&counter).map_or(0, |n| n.parse::<i64>().unwrap()) + 3;
                    next.insert(counter.clone(), sum.to_string());
                    ("POST", format!("{counter}?add=3"), String::new())
                }
                _ => {
                    let size = if self.random.u8(..4) == 0 {
                        16_000
                    } else {
                        100
                    };
                    let letter = char::from(self.random.u8(b'a'..=b'z'));
                    let value =
                        format!("{}{}", self.random.u64(..), letter.to_string().repeat(size));
                    next.insert(key.clone(), value.clone());
                    ("POST", key, value)
                }
            };
            match client.send(method, &format!("/kv{path}"), body.as_bytes()) {
                Ok((200 | 201, _)) => {
                    self.known = next;
                    self.acknowledged.fetch_add(1, Ordering::Relaxed);
                }
                Ok((status, body)) => {
                    panic!(
                        "{method} {path}: {status} {}",
                        String::from_utf8_lossy(&body)
                    )
                }
                Err(_) => {
                    self.possible = Some(next);
                    return;
                }
            }
        }
    }

    /// Demands that the store be in one of the two states, and takes it as the known one.
    fn check(&mut self, client: &Client) {
        let (status, listed) = client.ask("GET", &format!("/kv/w{}?list&values", self.name), "");
        assert_eq!(status, 200, "{listed}");
        let listed: Vec<BTreeMap<String, String>> = serde_json::from_str(&listed).unwrap();
        let own = |name: &String| {
            let rest = name
                .strip_prefix(&format!("/w{}", self.name))
                .unwrap_or_default();
            rest.starts_with('/') || rest.starts_with('-')
        };
        let found: BTreeMap<_, _> = listed
            .into_iter()
            .flatten()
            .filter(|(name, _)| own(name))
            .collect();
        let possible = self.possible.take();
        if found != self.known {
            let shorten = |state: &BTreeMap<String, String>| -> Vec<String> {
                state
                    .iter()
                    .map(|(k, v)| format!("{k}={:.12}…{}", v, v.len()))
                    .collect()
            };
            assert_eq!(
                Some(shorten(&found)),
                possible.as_ref().map(&shorten),
                "writer {}: neither what was acknowledged, {:?}, nor what may have happened",
                self.name,
                shorten(&self.known)
            );
            assert_eq!(Some(&found), possible.as_ref());
        }
        for (name, value) in &found {
            assert_eq!(
                client.ask("GET", &format!("/kv{name}"), ""),
                (200, value.clone())
            );
        }
        self.known = found;
    }
}

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
    let mut client = server.client("alice");
    let acknowledged = Arc::new(AtomicU64::new(0));
    let mut writers: Vec<_> = (0..WRITERS)
        .map(|name| Writer {
            name,
            random: random.fork(),
            known: BTreeMap::new(),
            possible: None,
            acknowledged: Arc::clone(&acknowledged),
        })
        .collect();

    for kill in 0..kills {
        let stop = AtomicBool::new(false);
        let before = acknowledged.load(Ordering::Relaxed);
        thread::scope(|scope| {
            for writer in &mut writers {
                let (client, stop) = (&client, &stop);
                scope.spawn(move || writer.run(client, stop));
            }
            // Not before the load is on; then at a random moment.
            while acknowledged.load(Ordering::Relaxed) < before + 20 {
                thread::sleep(Duration::from_millis(1));
            }
            thread::sleep(Duration::from_millis(random.u64(..150)));
            server.kill();
            stop.store(true, Ordering::Relaxed);
        });
        server.restart();
        client = client.moved(&server.url);
        for writer in &mut writers {
            writer.check(&client);
        }
        let keys: u64 = writers.iter().map(|writer| writer.known.len() as u64).sum();
        let (_, usage) = client.ask("GET", "/kv?usage", "");
        let usage: serde_json::Value = serde_json::from_str(&usage).unwrap();
        let bytes: usize = writers
            .iter()
            .flat_map(|writer| &writer.known)
            .map(|(name, value)| name.len() + value.len())
            .sum();
        assert_eq!(
            usage["keys"], keys,
            "usage equals a recount after kill {kill}"
        );
        assert_eq!(
            usage["bytes"], bytes,
            "usage equals a recount after kill {kill}"
        );
    }
    println!(
        "{} acknowledged writes, none lost",
        acknowledged.load(Ordering::Relaxed)
    );
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
