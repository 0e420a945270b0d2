//! Going through the rows of a prefix as of one revision.

use std::collections::HashSet;

use etcd_client::{KeyValue, TxnOp};
use prominence_core::entry::Metadata;
use prominence_core::{Key, Prefix};

use super::{Failure, Listed, MAX_ROWS, Step, Walk};
use crate::etcd::keys::{self, Range};
use crate::etcd::known::decode_entry;
use crate::etcd::members::{Found, Read, RowContent, Wanted, range, row};
use crate::etcd::records;
use crate::row::{Kind, damaged};

/// Bytes of rows that one question should bring, so that a page is read in a few.
const QUESTION_BYTES: usize = 2 << 20;

/// Rows of the first question, when it is not known how large they are.
const FIRST_ROWS: usize = 64;

/// Hints that are read at once.
const MAX_HINTS: usize = 64;

/// Keys that are looked up in one transaction. etcd takes 128 operations.
const MAX_LOOKED_UP: usize = 120;

impl Walk<'_> {
    /// Shows the keys that sort after `after` to `visit`, and goes on where it says.
    pub(super) async fn visit(
        &mut self,
        after: Option<&Prefix>,
        expected: usize,
        visit: &mut (dyn FnMut(Listed) -> Step + Send),
    ) -> Result<(), Failure> {
        let all = self.shared.keys.entries(self.namespace, self.prefix);
        let mut start = match after {
            Some(after) if after >= self.prefix => {
                let after = after.as_str().as_bytes();
                keys::next(self.shared.keys.entries_from(self.namespace, after))
            }
            _ => all.start,
        };
        let mut rows = expected.clamp(1, FIRST_ROWS);
        loop {
            let found = self.rows(start, &all.end, rows).await?;
            let Some(last) = found.rows.last() else {
                return Ok(());
            };
            start = keys::next(last.key().to_vec());
            let bytes: usize = found
                .rows
                .iter()
                .map(|row| row.key().len() + row.value().len())
                .sum();
            let each = bytes / found.rows.len() + 1;
            let mut is_sought = false;
            for row in found.rows {
                let row_key = row.key().to_vec();
                let Some(listed) = self.listed(row)? else {
                    continue;
                };
                match visit(listed) {
                    Step::Next => {}
                    Step::Stop => return Ok(()),
                    Step::Seek(to) => {
                        let to = self.shared.keys.entries_from(self.namespace, &to);
                        // Rows that are there already need no question.
                        if to > row_key {
                            start = to;
                            is_sought = true;
                            break;
                        }
                    }
                }
            }
            if !is_sought && !found.is_cut {
                return Ok(());
            }
            if !is_sought {
                let most = (QUESTION_BYTES / each).clamp(1, MAX_ROWS);
                rows = (rows * 4).clamp(1, most);
            }
        }
    }

    async fn rows(&mut self, start: Vec<u8>, end: &[u8], limit: usize) -> Result<Found, Failure> {
        let rows = Range {
            start,
            end: end.to_vec(),
        };
        let wanted = Wanted {
            limit,
            content: self.content,
            revision: self.revision,
        };
        let question = range(&rows, wanted);
        // The head comes with the first question, so that it costs no round trip.
        if self.head.is_none() {
            return Ok(self.with_head(Some(question)).await?.1);
        }
        let read = self.ask(vec![question]).await?;
        Ok(read.found.into_iter().next().unwrap_or_default())
    }

    /// What a row shows; `None` where it has expired.
    fn listed(&self, row: KeyValue) -> Result<Option<Listed>, Failure> {
        let row_key = row.key().to_vec();
        let key = self.shared.keys.read_entry(self.namespace, &row_key);
        let key = key.ok_or_else(|| damaged(Kind::Entry, &row_key, "has no legal key"))?;
        if self.content == RowContent::Keys {
            let is_live = !self.expired.contains(&key);
            return Ok(is_live.then_some(Listed::Key(key)));
        }
        let entry = decode_entry(&row_key, row)?;
        Ok(Some(Listed::Entry(key, entry)))
    }

    /// Learns which keys under the prefix have expired and are not yet removed.
    pub(super) async fn learn_expired(&mut self) -> Result<(), Failure> {
        let overdue = self.overdue().await?;
        self.expired = overdue.into_iter().map(|(key, _)| key).collect();
        Ok(())
    }

    /// What under the prefix has expired and is not yet removed, as far as hints tell: they name
    /// all that may have.
    pub(super) async fn overdue(&mut self) -> Result<Vec<(Key, Metadata)>, Failure> {
        let mut hints = self.shared.keys.due_by(self.namespace, self.now);
        let mut suspects = HashSet::new();
        loop {
            let wanted = Wanted {
                limit: MAX_HINTS,
                revision: self.revision,
                ..Wanted::default()
            };
            let read = self.ask(vec![range(&hints, wanted)]).await?;
            let found = read.found.into_iter().next().unwrap_or_default();
            for row in &found.rows {
                let due = records::decode_due(row.key(), row.value())?;
                let due = due.into_iter().filter(|(_, at)| *at <= self.now);
                let due = due.filter(|(key, _)| self.prefix.matches(key));
                suspects.extend(due.map(|(key, _)| key));
            }
            match found.rows.last() {
                Some(last) if found.is_cut => hints.start = keys::next(last.key().to_vec()),
                _ => break,
            }
        }
        let suspects: Vec<_> = suspects.into_iter().collect();
        let mut overdue = Vec::new();
        for some in suspects.chunks(MAX_LOOKED_UP) {
            let row_keys = some
                .iter()
                .map(|key| self.shared.keys.entry(self.namespace, key));
            let row_keys: Vec<_> = row_keys.collect();
            let questions = row_keys.iter().map(|key| row(key.clone(), self.revision));
            let read = self.ask(questions.collect()).await?;
            for ((key, row_key), found) in some.iter().zip(&row_keys).zip(read.found) {
                if let Some(row) = found.rows.into_iter().next() {
                    let metadata = decode_entry(row_key, row)?.metadata;
                    if !metadata.is_live(self.now) {
                        self.met_expired = true;
                        overdue.push((key.clone(), metadata));
                    }
                }
            }
        }
        Ok(overdue)
    }

    pub(super) async fn ask(&mut self, questions: Vec<TxnOp>) -> Result<Read, Failure> {
        match self.shared.members.read(questions, self.deadline).await {
            Ok(read) => {
                if self.revision == 0 {
                    self.revision = read.revision;
                }
                Ok(read)
            }
            Err(trouble) if trouble.is_compacted() => Err(Failure::Compacted),
            Err(trouble) => Err(Failure::Store(trouble.read())),
        }
    }
}
