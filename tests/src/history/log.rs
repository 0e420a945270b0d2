//! The changes of a namespace, revision by revision, collected from all watches and answers.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::listing::{self, INSIDE, shows};
use super::operation::{Answer, Call, Change, EventKind, Record, Round, Text, Watch};
use super::project::ITEMS;

/// A key from one revision to its next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// It does not exist.
    Gone,
    /// It exists, with this value where a client has seen it.
    Here(Option<Text>),
}

/// The changes of all keys.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// The revisions at which a key changed.
    keys: BTreeMap<Text, BTreeMap<u64, Held>>,
    /// The keys that a revision changed, with the change of each.
    commits: BTreeMap<u64, BTreeMap<Text, EventKind>>,
    /// True if a watch has shown every change, deletions too.
    complete: bool,
}

impl Log {
    /// Collects the changes; returns each contradiction in words.
    #[must_use]
    pub fn new(round: &Round) -> (Self, Vec<String>) {
        let is_everything = |watch: &&Watch| &*watch.prefix == "/" || &*watch.prefix == INSIDE;
        let watched = round.watches.iter().filter(is_everything);
        let mut log = Self {
            complete: watched.clone().any(|watch| &*watch.prefix == "/"),
            ..Self::default()
        };
        let mut findings = Vec::new();
        for (key, entry) in &round.before {
            let held = Held::Here(Some(entry.value.clone()));
            let history = log.keys.entry(key.clone()).or_default();
            history.insert(entry.revision, held);
        }
        for event in watched.flat_map(|watch| &watch.events) {
            let value = event.value.clone();
            log.add(&event.key, event.revision, event.kind, value, &mut findings);
        }
        log.add_values(round, &mut findings);
        let mut makers: HashMap<u64, &Record> = HashMap::new();
        for record in &round.records {
            let Some(revision) = record.answer.revision() else {
                continue;
            };
            if let Some(other) = makers.insert(revision, record) {
                findings.push(format!(
                    "two requests made revision {revision}: {other:?} and {record:?}"
                ));
            }
            for (key, kind, value) in written(record) {
                if log.complete && !log.changed(revision, &key) {
                    findings.push(format!(
                        "a watch of everything was not told of {key} at {revision}: {record:?}"
                    ));
                }
                log.add(&key, revision, kind, value, &mut findings);
            }
        }
        log.add_seen(round, &mut findings);
        (log, findings)
    }

    /// Adds values that only the watch of a part of the keys has: a watch leaves out a value that has been replaced.
    fn add_values(&mut self, round: &Round, findings: &mut Vec<String>) {
        for event in round.watches.iter().flat_map(|watch| &watch.events) {
            if event.value.is_some() && self.changed(event.revision, &event.key) {
                let value = event.value.clone();
                self.add(&event.key, event.revision, event.kind, value, findings);
            }
        }
    }

    /// Adds values that were read, and whose write had no answer.
    fn add_seen(&mut self, round: &Round, findings: &mut Vec<String>) {
        // A claim whose answer was lost gives an item a new revision and keeps its value.
        let mut possible: HashSet<(&str, &str)> = HashSet::new();
        for record in &round.records {
            let lost = record.answer == Answer::Lost;
            let set = values(&record.call).into_iter();
            possible.extend(set.filter(|(key, _)| lost || key.starts_with(ITEMS)));
        }
        let items = round
            .before
            .iter()
            .filter(|(key, _)| key.starts_with(ITEMS));
        possible.extend(items.map(|(key, entry)| (&**key, &*entry.value)));
        for record in &round.records {
            for (key, entry) in seen(record) {
                let known = self.keys.get(key).and_then(|key| key.get(&entry.revision));
                let number = entry.value.parse::<i64>().is_ok();
                let can_be = known.is_some()
                    || !self.complete && (number || possible.contains(&(&**key, &*entry.value)));
                if !can_be {
                    findings.push(format!(
                        "{key} was read as {entry:?}, which nobody has written: {record:?}"
                    ));
                }
                let value = Some(entry.value.clone());
                if round.before.get(key) != Some(entry) {
                    self.add(key, entry.revision, EventKind::Put, value, findings);
                }
            }
        }
    }

    fn add(
        &mut self,
        key: &Text,
        revision: u64,
        kind: EventKind,
        value: Option<Text>,
        findings: &mut Vec<String>,
    ) {
        let held = match kind {
            EventKind::Put => Held::Here(value),
            EventKind::Delete | EventKind::Expire => Held::Gone,
        };
        let history = self.keys.entry(key.clone()).or_default();
        let known = history.entry(revision).or_insert_with(|| held.clone());
        match (&*known, held) {
            (Held::Here(None), held @ Held::Here(_)) => *known = held,
            (Held::Here(Some(_)), Held::Here(None)) => {}
            (known, held) if *known != held => findings.push(format!(
                "{key} at {revision} was told as {known:?} and as {held:?}"
            )),
            _ => {}
        }
        let commit = self.commits.entry(revision).or_default();
        commit.entry(key.clone()).or_insert(kind);
    }

    /// True if it has every change, deletions too.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The changes of every revision.
    #[must_use]
    pub fn commits(&self) -> &BTreeMap<u64, BTreeMap<Text, EventKind>> {
        &self.commits
    }

    /// True if a revision changed a key.
    #[must_use]
    pub fn changed(&self, revision: u64, key: &Text) -> bool {
        let commit = self.commits.get(&revision);
        commit.is_some_and(|commit| commit.contains_key(key))
    }

    /// The state of a key right after a revision, and the revision that made it.
    #[must_use]
    pub fn at(&self, key: &Text, revision: u64) -> (u64, &Held) {
        let history = self.keys.get(key);
        let last = history.and_then(|history| history.range(..=revision).next_back());
        last.map_or((0, &Held::Gone), |(since, held)| (*since, held))
    }

    /// The next revision that changes a key.
    #[must_use]
    pub fn next(&self, key: &Text, revision: u64) -> Option<u64> {
        let history = self.keys.get(key)?;
        history.range(revision + 1..).next().map(|(next, _)| *next)
    }

    /// Every key that exists or existed and that a listing of a prefix shows.
    pub fn shown<'a>(&'a self, prefix: &'a Text) -> impl Iterator<Item = &'a Text> {
        self.under(prefix).filter(|key| shows(prefix, key))
    }

    /// Every key below a prefix that exists or existed.
    pub fn under<'a>(&'a self, prefix: &'a Text) -> impl Iterator<Item = &'a Text> {
        self.keys
            .range(prefix.clone()..)
            .map(|(key, _)| key)
            .take_while(|key| key.starts_with(&**prefix))
    }
}

/// The changes of an answered request.
#[must_use]
pub fn written(record: &Record) -> Vec<(Text, EventKind, Option<Text>)> {
    let put = |key: &Text, value: Option<Text>| (key.clone(), EventKind::Put, value);
    match (&record.call, &record.answer) {
        (Call::Set { key, value, .. }, Answer::Written(_)) => vec![put(key, Some(value.clone()))],
        (Call::Add(key, _), Answer::Sum(sum, _)) => {
            vec![put(key, Some(sum.to_string().into()))]
        }
        (Call::Batch { changes, .. }, Answer::Done(_, sums)) => changes
            .iter()
            .zip(sums)
            .map(|((key, change), sum)| match change {
                Change::Set(value) => put(key, Some(value.clone())),
                Change::Add(_) => put(key, sum.map(|sum| sum.to_string().into())),
                Change::Delete => (key.clone(), EventKind::Delete, None),
            })
            // Deleting a key that does not exist changes nothing.
            .filter(|(_, kind, _)| *kind == EventKind::Put)
            .collect(),
        (Call::Claim(_), Answer::Claimed { key, entry, .. }) => {
            vec![put(key, Some(entry.value.clone()))]
        }
        (Call::Renew(key, _), Answer::Renewed(..))
        | (Call::Release(key, _), Answer::Written(_)) => {
            vec![put(key, None)]
        }
        _ => Vec::new(),
    }
}

/// The keys that a request sets, with their values.
#[must_use]
pub fn values(call: &Call) -> Vec<(&str, &str)> {
    match call {
        Call::Set { key, value, .. } => vec![(key, value)],
        Call::Batch { changes, .. } => changes
            .iter()
            .filter_map(|(key, change)| match change {
                Change::Set(value) => Some((&**key, &**value)),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The entries in the answer of a request.
pub fn seen(record: &Record) -> Vec<(&Text, &super::operation::Entry)> {
    match (&record.call, &record.answer) {
        (Call::Get(key) | Call::Wait { key, .. }, Answer::Found(entry)) => vec![(key, entry)],
        _ => listing::listed(record).into_iter().flatten().collect(),
    }
}
