//! Strict serializability of a whole namespace, exactly: its revisions are an order of all its commits,
//! and that order has to explain every answer and agree with real time.
//!
//! A commit stands at its revision. Everything else is placed after the earliest revision that is no
//! earlier than anything answered before it began and at which its answer is true; the earliest place
//! restricts later requests least, so a request that finds none shows that there is no such order.

mod asked;
mod count;
mod late;
mod legal;
mod passed;

use std::collections::{BTreeMap, HashSet};

use super::log::{Held, Log};
use super::operation::{Answer, Call, EventKind, Record, Round, Text};
use super::project::LOCKS;
use super::{held, listing};
pub use late::TELLS_WITHIN;
use legal::holds;
use passed::Passed;

/// The result of a check of the order.
#[derive(Debug, Default)]
pub struct Verdict {
    /// The number of commits.
    pub commits: usize,
    /// Requests that fit into no order, each described in words.
    pub findings: Vec<String>,
    /// Held requests that were answered late, each described in words.
    pub late: Vec<String>,
}

/// Checks a round.
#[must_use]
pub fn check(round: &Round) -> Verdict {
    let (log, findings) = Log::new(round);
    let mut sweep = Sweep {
        log: &log,
        findings,
        taken: HashSet::new(),
        passed: Passed::default(),
    };
    sweep.run(round);
    let mut late = Vec::new();
    if log.is_complete() {
        let unasked = asked::find_unasked(&log, &sweep.taken, &round.records);
        sweep.findings.extend(unasked);
        late = late::find_late(&log, &sweep.passed, round);
    }
    Verdict {
        commits: log.commits().len(),
        findings: sweep.findings,
        late,
    }
}

struct Sweep<'a> {
    log: &'a Log,
    findings: Vec<String>,
    /// Revisions of deletions that answered requests account for.
    taken: HashSet<u64>,
    /// The time at which each revision was seen.
    passed: Passed,
}

impl Sweep<'_> {
    /// Places every request, in the order of real time.
    fn run(&mut self, round: &Round) {
        let records = &round.records;
        let mut halves = Vec::with_capacity(2 * records.len());
        for (index, record) in records.iter().enumerate() {
            if record.answer != Answer::Lost {
                // Requests with the same time overlap.
                halves.push((held::looked_from(record), false, index));
                halves.push((record.end, true, index));
            }
        }
        halves.sort_unstable();
        // The state at the beginning was seen by every client.
        let before = round.before.values().map(|entry| entry.revision);
        let mut reached = before.max().unwrap_or(0);
        self.passed.note(0, reached);
        let mut floors = vec![0; records.len()];
        for (moment, ends, index) in halves {
            if !ends {
                floors[index] = reached;
                continue;
            }
            match self.place(&records[index], floors[index]) {
                Ok(place) => {
                    reached = reached.max(place);
                    self.passed.note(moment, reached);
                }
                Err(why) => self.findings.push(format!("{why}: {:?}", records[index])),
            }
        }
    }

    /// The earliest revision, from `floor` on, after which the answer is true.
    fn place(&mut self, record: &Record, floor: u64) -> Result<u64, String> {
        if let Some(revision) = record.answer.revision() {
            if revision <= floor {
                return Err(format!(
                    "revision {revision} was made after {floor} had been seen"
                ));
            }
            self.legal(record, revision)?;
            return Ok(revision);
        }
        let whole = self.log.is_complete();
        match (&record.call, &record.answer) {
            (Call::Get(key) | Call::Wait { key, .. }, Answer::Found(entry)) => {
                self.shown(key, entry.revision, floor)
            }
            (
                Call::Wait {
                    key,
                    unlike: Some(revision),
                    ..
                },
                Answer::Unchanged,
            ) => self.shown(key, *revision, floor),
            (
                Call::Get(key) | Call::Wait { key, .. } | Call::Delete(key, _),
                Answer::Absent | Answer::Deleted(0),
            ) if whole && !key.starts_with(LOCKS) => {
                self.first(key, floor, |held, _| *held == Held::Gone)
            }
            (
                Call::List(prefix) | Call::Page { prefix, .. },
                Answer::Listed(listed) | Answer::Page(listed, _),
            ) => {
                let shown = listed.iter().map(|(key, entry)| (key, entry.revision));
                let covered = |key: &&Text| listing::covers(record, key);
                let keys = self.log.under(prefix).filter(covered).collect();
                self.listed(keys, &shown.collect(), floor)
            }
            (Call::Count { prefix, .. }, Answer::Counted(count)) if whole => {
                count::counted(self.log, prefix, *count, floor)
            }
            (Call::DeletePrefix(prefix), Answer::Deleted(0)) => {
                let keys = self.log.under(prefix).collect();
                self.listed(keys, &BTreeMap::new(), floor)
            }
            (Call::Set { key, expect, .. } | Call::Delete(key, expect), Answer::Failed)
                if whole && !key.starts_with(LOCKS) =>
            {
                self.first(key, floor, |held, since| {
                    holds(expect, held, since) != Some(true)
                })
            }
            (Call::Delete(key, expect), Answer::Deleted(_)) if whole => {
                self.deletion(floor, |log, revision, commit| {
                    let (since, held) = log.at(key, revision - 1);
                    let one = commit.len() == 1 && commit.contains_key(key);
                    one && holds(expect, held, since) != Some(false)
                })
            }
            (Call::DeletePrefix(prefix), Answer::Deleted(count)) if whole => {
                let count = usize::try_from(*count).unwrap_or(usize::MAX);
                self.deletion(floor, |log, revision, commit| {
                    let gone = |key| *log.at(key, revision).1 == Held::Gone;
                    commit.len() == count
                        && commit.keys().all(|key| key.starts_with(&**prefix))
                        && log.under(prefix).all(gone)
                })
            }
            _ => Ok(floor),
        }
    }

    /// The revisions after which a key had this revision.
    fn shown(&self, key: &Text, revision: u64, floor: u64) -> Result<u64, String> {
        let place = floor.max(revision);
        match self.log.next(key, revision) {
            Some(next) if next <= place => Err(format!(
                "{key} was shown at {revision}, though {next} replaced it and {floor} had been seen"
            )),
            _ => Ok(place),
        }
    }

    /// The revisions after which a key met a condition.
    fn first(
        &self,
        key: &Text,
        floor: u64,
        wanted: impl Fn(&Held, u64) -> bool,
    ) -> Result<u64, String> {
        let mut place = floor;
        loop {
            let (since, held) = self.log.at(key, place);
            if wanted(held, since) {
                return Ok(place);
            }
            place = self.log.next(key, place).ok_or_else(|| {
                format!("{key} was never so from {floor} on; it is {held:?} since {since}")
            })?;
        }
    }

    /// The revisions after which exactly the keys that are shown existed.
    fn listed(
        &self,
        keys: Vec<&Text>,
        shown: &BTreeMap<&Text, u64>,
        floor: u64,
    ) -> Result<u64, String> {
        let mut place = floor;
        for revision in shown.values() {
            place = place.max(*revision);
        }
        loop {
            let before = place;
            for key in &keys {
                if let Some(revision) = shown.get(*key) {
                    place = place.max(self.shown(key, *revision, place)?);
                } else if self.log.is_complete() && !key.starts_with(LOCKS) {
                    place = self.first(key, place, |held, _| *held == Held::Gone)?;
                }
            }
            if place == before {
                return Ok(place);
            }
        }
    }

    /// The first matching deletion that belongs to no other request.
    fn deletion(
        &mut self,
        floor: u64,
        wanted: impl Fn(&Log, u64, &BTreeMap<Text, EventKind>) -> bool,
    ) -> Result<u64, String> {
        let later = self.log.commits().range(floor + 1..);
        let found = later
            .filter(|(_, commit)| commit.values().all(|kind| *kind == EventKind::Delete))
            .find(|(revision, commit)| {
                !self.taken.contains(*revision) && wanted(self.log, **revision, commit)
            });
        let Some((revision, _)) = found else {
            return Err(format!("no revision after {floor} is this deletion"));
        };
        self.taken.insert(*revision);
        Ok(*revision)
    }
}
