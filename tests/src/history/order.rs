//! Strict serializability of a whole namespace, exactly: its revisions are an order of all its commits,
//! and that order has to explain every answer and agree with real time.
//!
//! A commit stands at its revision. Everything else is placed after the earliest revision that is no
//! earlier than anything answered before it began and at which its answer is true; the earliest place
//! restricts later requests least, so a request that finds none shows that there is no such order.

mod asked;

use std::collections::{BTreeMap, HashSet};

use super::log::{Held, Log};
use super::operation::{Answer, Call, Change, EventKind, Expect, Record, Round, Text};
use super::project::LOCKS;

/// Checks a round; answers how many commits there were and what is wrong, in words.
#[must_use]
pub fn check(round: &Round) -> (usize, Vec<String>) {
    let (log, findings) = Log::new(round);
    let mut sweep = Sweep {
        log: &log,
        findings,
        taken: HashSet::new(),
    };
    sweep.run(&round.records);
    if log.is_complete() {
        let unasked = asked::find_unasked(&log, &sweep.taken, &round.records);
        sweep.findings.extend(unasked);
    }
    (log.commits().len(), sweep.findings)
}

struct Sweep<'a> {
    log: &'a Log,
    findings: Vec<String>,
    /// Revisions of deletions that answered requests account for.
    taken: HashSet<u64>,
}

impl Sweep<'_> {
    /// Places every request, in the order of real time.
    fn run(&mut self, records: &[Record]) {
        let mut halves = Vec::with_capacity(2 * records.len());
        for (index, record) in records.iter().enumerate() {
            if record.answer != Answer::Lost {
                // Where the clock can't tell, they overlap.
                halves.push((record.start, false, index));
                halves.push((record.end, true, index));
            }
        }
        halves.sort_unstable();
        let mut reached = 0;
        let mut floors = vec![0; records.len()];
        for (_, ends, index) in halves {
            if !ends {
                floors[index] = reached;
                continue;
            }
            match self.place(&records[index], floors[index]) {
                Ok(place) => reached = reached.max(place),
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
            (Call::Get(key), Answer::Found(entry)) => self.shown(key, entry.revision, floor),
            (Call::Get(key) | Call::Delete(key, _), Answer::Absent | Answer::Deleted(0))
                if whole && !key.starts_with(LOCKS) =>
            {
                self.first(key, floor, |held, _| *held == Held::Gone)
            }
            (Call::List(prefix), Answer::Listed(listed)) => {
                let shown: BTreeMap<_, _> = listed
                    .iter()
                    .map(|(key, entry)| (key, entry.revision))
                    .collect();
                self.listed(prefix, &shown, floor)
            }
            (Call::DeletePrefix(prefix), Answer::Deleted(0)) => {
                self.listed(prefix, &BTreeMap::new(), floor)
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

    /// After which revision a key had this one.
    fn shown(&self, key: &Text, revision: u64, floor: u64) -> Result<u64, String> {
        let place = floor.max(revision);
        match self.log.next(key, revision) {
            Some(next) if next <= place => Err(format!(
                "{key} was shown at {revision}, though {next} replaced it and {floor} had been seen"
            )),
            _ => Ok(place),
        }
    }

    /// After which revision a key was as wanted.
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

    /// After which revision a prefix held exactly these keys.
    fn listed(
        &self,
        prefix: &Text,
        shown: &BTreeMap<&Text, u64>,
        floor: u64,
    ) -> Result<u64, String> {
        let mut place = floor;
        for revision in shown.values() {
            place = place.max(*revision);
        }
        loop {
            let before = place;
            for key in self.log.under(prefix) {
                if let Some(revision) = shown.get(key) {
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

    /// The first deletion as wanted that no other request accounts for.
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

    /// Whether a commit could be done right before its revision.
    fn legal(&self, record: &Record, revision: u64) -> Result<(), String> {
        let none = &[][..];
        let (conditions, changes) = match &record.call {
            Call::Set { key, expect, .. } => (vec![(key, expect)], none),
            Call::Batch {
                conditions,
                changes,
            } => (
                conditions
                    .iter()
                    .map(|(key, expect)| (key, expect))
                    .collect(),
                &changes[..],
            ),
            _ => (Vec::new(), none),
        };
        for (key, expect) in conditions {
            let (since, held) = self.log.at(key, revision - 1);
            let unsure =
                *expect == Expect::Absent && (key.starts_with(LOCKS) || !self.log.is_complete());
            if holds(expect, held, since) == Some(false) && !unsure {
                return Err(format!(
                    "{key} was {held:?} since {since}, and {expect:?} was taken to hold"
                ));
            }
        }
        if let (Call::Add(key, by), Answer::Sum(sum, _)) = (&record.call, &record.answer) {
            self.added(key, *by, *sum, revision)?;
        }
        if let Answer::Done(_, sums) = &record.answer {
            for ((key, change), sum) in changes.iter().zip(sums) {
                if let (Change::Add(by), Some(sum)) = (change, sum) {
                    self.added(key, *by, *sum, revision)?;
                }
            }
        }
        Ok(())
    }

    /// Whether adding gave the right sum.
    fn added(&self, key: &Text, by: i64, sum: i64, revision: u64) -> Result<(), String> {
        let before = match self.log.at(key, revision - 1).1 {
            Held::Gone => Some(0),
            Held::Here(Some(value)) => value.parse::<i64>().ok(),
            Held::Here(None) => return Ok(()),
        };
        if self.log.is_complete() && before.and_then(|before| before.checked_add(by)) != Some(sum) {
            return Err(format!("{key} was {before:?} before {by} was added"));
        }
        Ok(())
    }
}

/// Whether a condition holds, as far as is known.
fn holds(expect: &Expect, held: &Held, since: u64) -> Option<bool> {
    Some(match (expect, held) {
        (Expect::Anything, _) | (Expect::Absent, Held::Gone) => true,
        (Expect::Absent, Held::Here(_)) | (_, Held::Gone) => false,
        (Expect::Revision(revision), Held::Here(_)) => *revision == since,
        (Expect::Value(_), Held::Here(None)) => return None,
        (Expect::Value(value), Held::Here(Some(held))) => value == held,
    })
}
