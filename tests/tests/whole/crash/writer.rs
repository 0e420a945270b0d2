//! One of those who write while the server is killed, and what it knows about its keys.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use prominence_tests::{Client, Lost};

const KEYS: u64 = 12;

/// How long some keys live: across a kill, and not across many.
const LIFETIME: Duration = Duration::from_secs(2);

/// The states that one writer's keys may be in: all of one map, or all of the other.
pub(crate) struct Writer {
    name: u64,
    random: fastrand::Rng,
    /// As acknowledged.
    known: BTreeMap<String, String>,
    /// As it would be had the request without an answer happened.
    possible: Option<BTreeMap<String, String>>,
    /// Those that live for [`LIFETIME`].
    passing: BTreeMap<String, Passing>,
    acknowledged: Arc<AtomicU64>,
}

/// What is known about a key that lives for [`LIFETIME`].
struct Passing {
    /// What it may hold; the last of these was acknowledged.
    values: Vec<String>,
    /// It began to live after this, if its last value was acknowledged.
    sent: Option<Instant>,
    /// Every life it may have had began before this.
    answered: Instant,
}

/// Who writes: what stays, and what passes. Apart, so that the sums over what stays hold still.
pub(crate) struct Clients {
    pub(crate) lasting: Client,
    pub(crate) passing: Client,
}

impl Clients {
    pub(crate) fn moved(&self, url: &str) -> Self {
        Self {
            lasting: self.lasting.moved(url),
            passing: self.passing.moved(url),
        }
    }
}

impl Writer {
    pub(crate) fn new(name: u64, random: fastrand::Rng, acknowledged: Arc<AtomicU64>) -> Self {
        Self {
            name,
            random,
            known: BTreeMap::new(),
            possible: None,
            passing: BTreeMap::new(),
            acknowledged,
        }
    }

    /// What it has stored to stay.
    pub(crate) fn known(&self) -> &BTreeMap<String, String> {
        &self.known
    }

    /// Writes until an answer is lost or the round is over.
    pub(crate) fn run(&mut self, clients: &Clients, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            if self.random.u8(..8) == 0 {
                if self.write_passing(&clients.passing).is_err() {
                    return;
                }
                continue;
            }
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
                    // One that outlives the test, so that the index of what expires has rows.
                    let lifetime = if self.random.bool() { "?ttl=1h" } else { "" };
                    ("POST", format!("{key}{lifetime}"), value)
                }
            };
            match clients
                .lasting
                .send(method, &format!("/kv{path}"), body.as_bytes())
            {
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
    pub(crate) fn check(&mut self, clients: &Clients) {
        self.check_passing(&clients.passing);
        let client = &clients.lasting;
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

    /// Writes a key that will be gone in a moment.
    fn write_passing(&mut self, client: &Client) -> Result<(), Lost> {
        let key = format!("/w{}/{}", self.name, self.random.u64(..KEYS));
        let value = self.random.u64(..).to_string();
        let path = format!("/kv{key}?ttl={}s", LIFETIME.as_secs());
        let sent = Instant::now();
        let answer = client.send("POST", &path, value.as_bytes());
        let passing = self.passing.entry(key).or_insert(Passing {
            values: Vec::new(),
            sent: None,
            answered: sent,
        });
        passing.answered = Instant::now();
        match answer {
            Ok((status, body)) => {
                let body = String::from_utf8_lossy(&body);
                assert!(matches!(status, 200 | 201), "{path}: {status} {body}");
                passing.values = vec![value];
                passing.sent = Some(sent);
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(lost) => {
                // It may be this one, or the last one, or none if that one is gone.
                passing.values.push(value);
                passing.sent = None;
                Err(lost)
            }
        }
    }

    /// Demands that what passes is there for its time and not longer.
    fn check_passing(&mut self, client: &Client) {
        self.passing.retain(|key, passing| {
            let asked = Instant::now();
            let (status, value) = client.ask("GET", &format!("/kv{key}"), "");
            if status == 200 {
                assert!(passing.values.contains(&value), "{key}: {value}");
                let is_over = asked > passing.answered + LIFETIME;
                assert!(!is_over, "{key} is there after its time");
                return true;
            }
            assert_eq!(status, 404, "{value}");
            let was_alive = passing
                .sent
                .is_some_and(|sent| Instant::now() < sent + LIFETIME);
            assert!(!was_alive, "{key} is gone before its time");
            false
        });
    }
}
