//! Checks that a folder has every acknowledged commit, and no part of a commit.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prominence_core::clock::ManualClock;
use prominence_core::{
    ChangeKind, Commit, Cursor, Depth, Entry, Item, Key, Lifetime, Namespace, Operation, Order,
    PageLimit, Prefix, Projection, Revision, Scan, Store as _, StoreError, Value,
};
use prominence_engines::embedded::EmbeddedStore;

use super::load::{self, Model, START, Script, Step, WRITERS};

/// The state that the notes of a recorded run tell for a moment.
pub struct Known {
    writers: Vec<Writer>,
    /// The greatest acknowledged revision of each namespace.
    revisions: BTreeMap<String, u64>,
    /// The number of entries that fill the log.
    filling: BTreeMap<String, Vec<u8>>,
}

struct Writer {
    script: Script,
    acknowledged: Model,
    /// The step that has begun and is not acknowledged.
    begun: Option<Step>,
}

impl Known {
    /// The state at the start of a run whose log is filled with this number of bytes.
    pub fn new(seed: u64, filling: usize) -> Self {
        let mut filled = Model::default();
        for commit in load::filling(filling) {
            filled.happen(&Step::Commit(commit));
        }
        let visible = filled.visible();
        Self {
            writers: (0..WRITERS)
                .map(|writer| Writer {
                    script: Script::new(seed, writer),
                    acknowledged: Model::default(),
                    begun: None,
                })
                .collect(),
            revisions: BTreeMap::new(),
            filling: visible
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        }
    }

    /// Applies a note of the run.
    pub fn note(&mut self, note: &str) {
        let words: Vec<_> = note.split(' ').collect();
        let number: usize = words[1].parse().unwrap();
        let writer = &mut self.writers[number];
        match words[0] {
            "start" => writer.begun = writer.script.next(),
            "ack" => {
                let step = writer.begun.take().expect("it was begun");
                writer.acknowledged.happen(&step);
                let revision: u64 = words[2].parse().unwrap();
                let namespace = load::namespace(number).as_str().to_owned();
                let latest = self.revisions.entry(namespace).or_default();
                *latest = revision.max(*latest);
            }
            _ => panic!("{note} is no note"),
        }
    }

    /// True if a step was acknowledged in the run.
    pub fn has_acknowledged(&self) -> bool {
        !self.revisions.is_empty()
    }

    /// Opens the store in a folder, and returns what contradicts the notes.
    pub fn check(&self, folder: &Path) -> Result<(), String> {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().build().unwrap();
        // Every entry with a lifetime has expired.
        let clock = Arc::new(ManualClock::new(START.after(Duration::from_hours(24))));
        for round in ["at first", "after writing, sweeping and opening it again"] {
            let store = EmbeddedStore::open(load::options(folder), clock.clone());
            let store =
                store.map_err(|error| format!("{round}: it can't be opened: {}", chain(&error)))?;
            let checked = runtime.block_on(self.check_all(&store));
            checked.map_err(|fault| format!("{round}: {fault}"))?;
            let used = runtime.block_on(use_it(&store));
            used.map_err(|error| format!("{round}: it can't be used: {}", chain(&error)))?;
            store.close();
        }
        Ok(())
    }

    async fn check_all(&self, store: &EmbeddedStore) -> Result<(), String> {
        for namespace in ["alice", "alice2", "filling"] {
            let namespace = Namespace::parse(namespace).unwrap();
            let found = check_namespace(store, &namespace)
                .await
                .map_err(|error| format!("{}: {error}", namespace.as_str()))?;
            let acknowledged = self.revisions.get(namespace.as_str()).copied().unwrap_or(0);
            if found.revision.get() < acknowledged {
                return Err(format!(
                    "{}: revision {acknowledged} was acknowledged, {} is the latest",
                    namespace.as_str(),
                    found.revision
                ));
            }
            if namespace == load::filled() {
                compare(&found.entries, &self.filling)?;
                continue;
            }
            for (number, writer) in self.writers.iter().enumerate() {
                if load::namespace(number) == namespace {
                    let own = format!("/w{number}/");
                    let found = found
                        .entries
                        .iter()
                        .filter(|(key, _)| key.starts_with(&own));
                    let found = found.map(|(key, value)| (key.clone(), value.clone()));
                    writer
                        .check(&found.collect())
                        .map_err(|fault| format!("writer {number}: {fault}"))?;
                }
            }
        }
        Ok(())
    }
}

impl Writer {
    fn check(&self, found: &BTreeMap<String, Vec<u8>>) -> Result<(), String> {
        let collect = |model: &Model| -> BTreeMap<String, Vec<u8>> {
            let visible = model.visible();
            visible
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect()
        };
        let known = compare(found, &collect(&self.acknowledged));
        let (Err(fault), Some(step)) = (&known, &self.begun) else {
            return known;
        };
        let mut next = self.acknowledged.clone();
        next.happen(step);
        compare(found, &collect(&next))
            .map_err(|other| format!("{fault}; had the last one happened: {other}"))
    }
}

/// The contents of a namespace.
struct Found {
    entries: BTreeMap<String, Vec<u8>>,
    revision: Revision,
}

/// Reads all of a namespace, and checks that its usage, its log and its entries agree.
async fn check_namespace(store: &EmbeddedStore, namespace: &Namespace) -> Result<Found, String> {
    let failed = |error: StoreError| chain(&error);
    let entries = entries(store, namespace).await.map_err(failed)?;
    let usage = store.usage(namespace).await.map_err(failed)?;
    let bytes: usize = entries
        .iter()
        .map(|(key, entry)| key.len() + entry.value.len())
        .sum();
    if (usage.keys, usage.bytes) != (entries.len() as u64, bytes as u64) {
        let keys = entries.len();
        return Err(format!(
            "{keys} keys and {bytes} bytes are there, counted are {usage:?}"
        ));
    }
    let changes = changes(store, namespace, usage.revision).await?;
    let mut expected = changes.floor;
    for revision in &changes.revisions {
        if *revision != expected + 1 && *revision != expected {
            return Err(format!("the log goes from {expected} to {revision}"));
        }
        expected = *revision;
    }
    if expected != usage.revision.get() {
        return Err(format!("the log ends at {expected}, and {usage:?}"));
    }
    for (key, entry) in &entries {
        let revision = entry.metadata.revision.get();
        match changes.latest.get(key) {
            Some((at, ChangeKind::Put(put)))
                if (*at, put.size) == (revision, entry.value.len()) => {}
            None if revision <= changes.floor => {}
            logged => {
                return Err(format!(
                    "{key} has revision {revision}, logged is {logged:?}"
                ));
            }
        }
        let read = store
            .get(namespace, &Key::parse(key).unwrap())
            .await
            .map_err(failed)?;
        if read.as_ref() != Some(entry) {
            return Err(format!("{key} is listed and read differently"));
        }
    }
    Ok(Found {
        entries: entries
            .into_iter()
            .map(|(key, entry)| (key, entry.value.as_bytes().to_vec()))
            .collect(),
        revision: usage.revision,
    })
}

async fn entries(
    store: &EmbeddedStore,
    namespace: &Namespace,
) -> Result<BTreeMap<String, Entry>, StoreError> {
    let mut entries = BTreeMap::new();
    let mut scan = Scan {
        prefix: Prefix::everything(),
        after: None,
        limit: PageLimit::MAX,
        order: Order::Ascending,
        depth: Depth::All,
        projection: Projection::Entries,
    };
    loop {
        let page = store.scan(namespace, &scan).await?;
        for item in page.items {
            if let Item::Entry(key, entry) = item {
                entries.insert(key.as_str().to_owned(), entry);
            }
        }
        scan.after = page.next;
        if scan.after.is_none() {
            return Ok(entries);
        }
    }
}

struct Log {
    /// Changes up to this revision may no longer be kept.
    floor: u64,
    revisions: Vec<u64>,
    latest: BTreeMap<String, (u64, ChangeKind)>,
}

async fn changes(
    store: &EmbeddedStore,
    namespace: &Namespace,
    end: Revision,
) -> Result<Log, String> {
    let mut log = Log {
        floor: 0,
        revisions: Vec::new(),
        latest: BTreeMap::new(),
    };
    let everything = Prefix::everything();
    let mut after = Cursor::START;
    while after < Cursor::after(end) {
        let looked = store.changes(namespace, &everything, after);
        // It waits where a change is missing.
        let looked = tokio::time::timeout(Duration::from_secs(10), looked).await;
        match looked.map_err(|_| format!("the log ends at {after:?}"))? {
            Ok(found) => {
                for change in found.changes {
                    let revision = change.at.revision.get();
                    log.revisions.push(revision);
                    log.latest
                        .insert(change.key.as_str().to_owned(), (revision, change.kind));
                }
                if found.next.revision == end {
                    return Ok(log);
                }
                after = found.next;
            }
            Err(StoreError::Compacted { oldest }) if log.floor == 0 => {
                log.floor = oldest.get();
                after = Cursor::after(oldest);
            }
            Err(error) => return Err(chain(&error)),
        }
    }
    Ok(log)
}

/// Writes and removes a key, and sweeps expired entries.
async fn use_it(store: &EmbeddedStore) -> Result<(), StoreError> {
    let namespace = Namespace::parse("later").unwrap();
    let key = Key::parse("/x").unwrap();
    let set = Operation::Set {
        key: key.clone(),
        value: Value::new("x", 1).unwrap(),
        lifetime: Lifetime::Permanent,
    };
    for operation in [set, Operation::Delete { key }] {
        let commit = Commit::single(None, operation);
        store.commit(&namespace, None, commit).await?;
    }
    store.sweep().await
}

fn compare(
    found: &BTreeMap<String, Vec<u8>>,
    expected: &BTreeMap<String, Vec<u8>>,
) -> Result<(), String> {
    let keys = found.keys().chain(expected.keys());
    let wrong = keys.filter(|key| found.get(*key) != expected.get(*key));
    let show = |value: Option<&Vec<u8>>| match value {
        Some(value) => format!("{} bytes", value.len()),
        None => "nothing".to_owned(),
    };
    let mut wrong: Vec<_> = wrong
        .map(|key| {
            let (found, expected) = (show(found.get(key)), show(expected.get(key)));
            format!("{key} holds {found} instead of {expected}")
        })
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let count = wrong.len();
    wrong.truncate(3);
    Err(format!("{count} keys are wrong: {}", wrong.join(", ")))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
