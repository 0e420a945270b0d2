//! Commits were allowed at their revisions: their conditions were met, and their sums are right.

use super::Sweep;
use crate::history::log::Held;
use crate::history::operation::{Answer, Call, Change, Expect, Record, Text};
use crate::history::project::LOCKS;

impl Sweep<'_> {
    /// True if the conditions of a commit were met right before its revision.
    pub(super) fn legal(&self, record: &Record, revision: u64) -> Result<(), String> {
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

    /// True if an addition gave the right sum.
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

/// True if a condition is met, as far as is known.
pub(super) fn holds(expect: &Expect, held: &Held, since: u64) -> Option<bool> {
    Some(match (expect, held) {
        (Expect::Anything, _) | (Expect::Absent, Held::Gone) => true,
        (Expect::Absent, Held::Here(_)) | (_, Held::Gone) => false,
        (Expect::Revision(revision), Held::Here(_)) => *revision == since,
        (Expect::Value(_), Held::Here(None)) => return None,
        (Expect::Value(value), Held::Here(Some(held))) => value == held,
    })
}
