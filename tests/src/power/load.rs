//! The writers of a recorded run, whose commits follow from a seed.
//!
//! Each writer has keys of its own, so that the expected state of these keys does not depend on the other writers.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use prominence_core::{
    Commit, Key, Lifetime, Namespace, Operation, Prefix, Quota, Timestamp, Value,
};
use prominence_engines::Retention;
use prominence_engines::embedded::Options;

/// The number of writers. Their commits share groups at random.
pub const WRITERS: usize = 6;

/// The number of keys of each writer.
const KEYS: u64 = 40;

/// Bytes of one value that fills the log: the default value limit.
const FILLING_BYTES: usize = 16_000;

/// The number of values in one commit that fills the log.
const FILLING_AT_ONCE: usize = 50;

/// The time at which the clock of a recorded run starts.
pub const START: Timestamp = Timestamp::from_secs(1_000_000_000);

/// The lifetime of entries that expire.
const SHORT: Duration = Duration::from_secs(10);

/// The time by which the clock is moved before entries are swept.
pub const LATER: Duration = Duration::from_secs(20);

/// The options of the store of a recorded run. With them, a few writes are enough to write memtables out, to compact,
/// to trim logs, and to begin and collect segments.
pub fn options(folder: &Path) -> Options {
    Options {
        quotas: Quota::UNLIMITED.into(),
        retention: Retention {
            changes: 600,
            ..Retention::default()
        },
        memtable_bytes: 128 << 10,
        segment_bytes: 128 << 10,
        min_free_disk: 0,
        // The script says when expired entries are swept.
        upkeep_every: Duration::from_hours(1),
        ..Options::new(folder)
    }
}

/// The namespace of a writer.
pub fn namespace(writer: usize) -> Namespace {
    Namespace::parse(if writer.is_multiple_of(2) {
        "alice"
    } else {
        "alice2"
    })
    .unwrap()
}

/// The namespace that fills the log before a recording begins.
pub fn filled() -> Namespace {
    Namespace::parse("filling").unwrap()
}

/// The commits that fill the log with about this number of bytes.
pub fn filling(bytes: usize) -> impl Iterator<Item = Commit> {
    let mut random = fastrand::Rng::with_seed(0);
    let numbers: Vec<_> = (0..bytes.div_ceil(FILLING_BYTES)).collect();
    let commits: Vec<_> = numbers.chunks(FILLING_AT_ONCE).map(<[_]>::to_vec).collect();
    commits.into_iter().map(move |numbers| {
        let operations = numbers.into_iter().map(|number| Operation::Set {
            key: key(&format!("/{number}")),
            value: value(&mut random, FILLING_BYTES),
            lifetime: Lifetime::Permanent,
        });
        Commit::new(vec![], operations.collect()).unwrap()
    })
}

/// One step of a writer.
pub enum Step {
    /// It commits.
    Commit(Commit),
    /// It moves the clock, and sweeps expired entries.
    Sweep,
}

/// The steps of a writer, without end.
pub struct Script {
    writer: usize,
    random: fastrand::Rng,
}

/// The state of a writer's keys, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model(pub BTreeMap<String, Held>);

/// The state of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The value.
    pub value: Vec<u8>,
    /// True if it has expired much later.
    pub expires: bool,
}

impl Script {
    /// The script of a writer.
    pub fn new(seed: u64, writer: usize) -> Self {
        let seed = seed.wrapping_mul(31).wrapping_add(writer as u64);
        Self {
            writer,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    fn key(&mut self) -> Key {
        let number = self.random.u64(..KEYS);
        key(&format!("/w{}/{number}", self.writer))
    }

    fn set(&mut self, key: Key) -> Operation {
        let size = match self.random.u8(..20) {
            0 => 16_000,
            1..5 => self.random.usize(1_000..5_000),
            _ => self.random.usize(10..400),
        };
        let lifetime = if self.random.u8(..8) == 0 {
            Lifetime::For(SHORT)
        } else {
            Lifetime::Permanent
        };
        let value = value(&mut self.random, size);
        Operation::Set {
            key,
            value,
            lifetime,
        }
    }

    fn batch(&mut self) -> Commit {
        let mut operations = BTreeMap::new();
        for _ in 0..self.random.usize(2..12) {
            let key = self.key();
            let operation = if self.random.u8(..4) == 0 {
                Operation::Delete { key: key.clone() }
            } else {
                self.set(key.clone())
            };
            operations.insert(key, operation);
        }
        Commit::new(vec![], operations.into_values().collect()).unwrap()
    }
}

impl Iterator for Script {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let operation = match self.random.u8(..100) {
            0 => return Some(Step::Sweep),
            1..4 => {
                Operation::delete_prefix(Prefix::parse(&format!("/w{}/1", self.writer)).unwrap())
            }
            4..25 => return Some(Step::Commit(self.batch())),
            25..40 => Operation::Add {
                key: key(&format!("/w{}/sum", self.writer)),
                by: self.random.i64(-9..100),
            },
            40..50 => Operation::Delete { key: self.key() },
            _ => {
                let key = self.key();
                self.set(key)
            }
        };
        Some(Step::Commit(Commit::single(None, operation)))
    }
}

impl Model {
    /// Applies a step of the writer.
    pub fn happen(&mut self, step: &Step) {
        match step {
            Step::Sweep => self.0.retain(|_, held| !held.expires),
            Step::Commit(commit) => {
                for operation in commit.operations() {
                    self.operate(operation);
                }
            }
        }
    }

    /// Its state much later.
    pub fn visible(&self) -> impl Iterator<Item = (&String, &Vec<u8>)> {
        let lasting = self.0.iter().filter(|(_, held)| !held.expires);
        lasting.map(|(key, held)| (key, &held.value))
    }

    fn operate(&mut self, operation: &Operation) {
        match operation {
            Operation::Set {
                key,
                value,
                lifetime,
            } => {
                let held = Held {
                    value: value.as_bytes().to_vec(),
                    expires: *lifetime != Lifetime::Permanent,
                };
                self.0.insert(key.as_str().to_owned(), held);
            }
            Operation::Add { key, by } => {
                let held = self.0.entry(key.as_str().to_owned());
                let held = held.or_insert(Held {
                    value: b"0".to_vec(),
                    expires: false,
                });
                let sum: i64 = std::str::from_utf8(&held.value).unwrap().parse().unwrap();
                held.value = (sum + by).to_string().into_bytes();
            }
            Operation::Delete { key } => {
                self.0.remove(key.as_str());
            }
            Operation::DeletePrefix { prefix, .. } => {
                self.0.retain(|key, _| !key.starts_with(prefix.as_str()));
            }
            other => panic!("no writer does this: {other:?}"),
        }
    }
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

/// Text that compresses badly and is short in a trace.
fn value(random: &mut fastrand::Rng, size: usize) -> Value {
    let text: String = std::iter::repeat_with(|| random.alphanumeric())
        .take(size)
        .collect();
    Value::new(text.into_bytes(), size).unwrap()
}
