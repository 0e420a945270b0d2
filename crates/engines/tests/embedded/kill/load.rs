//! Commits drawn from a seed, and what they lead to.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use prominence_core::{
    Commit, Depth, Item, Lifetime, Namespace, Operation, Order, PageLimit, Prefix, Projection,
    Scan, Store, Value,
};
use prominence_engines::EmbeddedStore;

use crate::support::{key, set};

const KEYS: u64 = 10;

/// Operations of one commit.
const OPERATIONS: std::ops::Range<usize> = 2..8;

/// Draws commits to keys that are its own.
pub(super) struct Writer {
    name: u64,
    random: fastrand::Rng,
}

/// What one writer's keys hold.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct State(BTreeMap<String, Vec<u8>>);

/// One commit.
pub(super) struct Draft(Vec<Step>);

enum Step {
    Set(String, Vec<u8>, Lifetime),
    Add(String, i64),
    Delete(String),
    DeletePrefix(String),
}

impl Writer {
    pub(super) fn new(seed: u64, round: u64, name: u64) -> Self {
        let seed = seed ^ (round << 8 | name).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self {
            name,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Each is shared by two writers, so that their commits meet in one log.
    pub(super) fn namespace(&self) -> Namespace {
        Namespace::parse(&format!("space{}", self.name / 2)).unwrap()
    }

    fn folder(&self) -> String {
        format!("/w{}/", self.name)
    }

    /// The next commit.
    pub(super) fn next(&mut self) -> Draft {
        let folder = self.folder();
        if self.random.u8(..12) == 0 {
            return Draft(vec![Step::DeletePrefix(folder)]);
        }
        // A key may be in a commit but once.
        let mut keys: Vec<_> = (0..KEYS).collect();
        self.random.shuffle(&mut keys);
        keys.truncate(self.random.usize(OPERATIONS));
        let steps = keys.into_iter().map(|key| {
            if key == 0 {
                return Step::Add(format!("{folder}sum"), 3);
            }
            let key = format!("{folder}{key}");
            match self.random.u8(..16) {
                0..4 => Step::Delete(key),
                kind => {
                    let size = if kind == 4 { 16_000 } else { 60 };
                    let value = vec![self.random.u8(..); self.random.usize(..size)];
                    let lifetime = if kind % 2 == 0 {
                        Lifetime::For(Duration::from_hours(10))
                    } else {
                        Lifetime::Permanent
                    };
                    Step::Set(key, value, lifetime)
                }
            }
        });
        Draft(steps.collect())
    }

    /// Writes something that will be removed in a moment, outside of what is compared.
    pub(super) async fn put_passing(&mut self, store: &EmbeddedStore) {
        let passing = Namespace::parse("passing").unwrap();
        // Drawn elsewhere, so that it leaves the drawn commits alone.
        let key = format!("/{}/{}", self.name, fastrand::u64(..KEYS));
        let lifetime = Lifetime::For(Duration::from_millis(fastrand::u64(1..100)));
        let commit = set(&key, "gone soon", lifetime);
        store.commit(&passing, None, commit).await.unwrap();
    }

    /// What the writer's keys hold.
    pub(super) fn read(&self, store: &EmbeddedStore) -> State {
        let scan = Scan {
            prefix: Prefix::parse(&self.folder()).unwrap(),
            after: None,
            limit: PageLimit::MAX,
            order: Order::Ascending,
            depth: Depth::All,
            projection: Projection::Entries,
        };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let page = runtime
            .block_on(store.scan(&self.namespace(), &scan))
            .unwrap();
        let items = page.items.into_iter().map(|item| match item {
            Item::Entry(key, entry) => (key.as_str().to_owned(), entry.value.as_bytes().to_vec()),
            other => panic!("{other:?}"),
        });
        State(items.collect())
    }
}

impl fmt::Debug for State {
    /// Values are one byte many times; the whole of them would hide what differs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = self
            .0
            .iter()
            .map(|(key, value)| (key, (value.len(), value.first())));
        f.debug_map().entries(short).finish()
    }
}

impl Draft {
    /// As the store takes it.
    pub(super) fn commit(&self) -> Commit {
        let operations = self.0.iter().map(|step| match step {
            Step::Set(name, value, lifetime) => Operation::Set {
                key: key(name),
                value: Value::stored(value.clone().into()),
                lifetime: *lifetime,
            },
            Step::Add(name, by) => Operation::Add {
                key: key(name),
                by: *by,
            },
            Step::Delete(name) => Operation::Delete { key: key(name) },
            Step::DeletePrefix(prefix) => Operation::delete_prefix(Prefix::parse(prefix).unwrap()),
        });
        Commit::new(Vec::new(), operations.collect()).unwrap()
    }
}

impl State {
    /// Does to it what the commit does to the store.
    pub(super) fn apply(&mut self, draft: &Draft) {
        for step in &draft.0 {
            match step {
                Step::Set(key, value, _) => {
                    self.0.insert(key.clone(), value.clone());
                }
                Step::Add(key, by) => {
                    let sum = self.0.get(key).map_or(0, |value| {
                        std::str::from_utf8(value).unwrap().parse().unwrap()
                    });
                    self.0
                        .insert(key.clone(), (sum + by).to_string().into_bytes());
                }
                Step::Delete(key) => {
                    self.0.remove(key);
                }
                Step::DeletePrefix(prefix) => {
                    self.0.retain(|key, _| !key.starts_with(prefix.as_str()));
                }
            }
        }
    }
}
