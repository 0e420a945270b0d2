//! Reading a namespace's log.

use prominence_core::limits::MAX_CHANGES;
use prominence_core::{Change, Changes, Cursor, Prefix, Revision, StoreError};

use super::reader::Reader;
use crate::etcd::query::RangeQuery;
use crate::etcd::records::{self, Content, Head, LoggedChange, LoggedCommit, Record};

/// Records that are read at once: some MiB at the most, as those of many changes have them in
/// parts.
const MAX_RECORDS: usize = 64;

/// Changes that one read examines before other readers get a turn.
const MAX_CHANGES_PER_READ: usize = 10_000;

/// The result of one bounded read of the log.
pub(crate) enum LogRead {
    /// Changes that the prefix shows.
    Changes(Changes),
    /// None up to this cursor, and there may be more after it.
    Continue(Cursor),
    /// None up to this cursor, which is the end of the log.
    CaughtUp(Cursor),
}

impl Reader<'_> {
    /// Reads the changes after a cursor that the prefix shows.
    pub(crate) async fn read_log(
        self,
        prefix: &Prefix,
        after: Cursor,
    ) -> Result<LogRead, StoreError> {
        self.cluster.counters.log_reads.add(1);
        // No change has revision 0, so every cursor within it is the beginning.
        let after = after.max(Cursor::START);
        let keys = &self.cluster.keys;
        let head_key = keys.head(self.namespace);
        let records = keys.log_from(self.namespace, first_after(after));
        let head = RangeQuery::row(head_key.clone());
        let records = RangeQuery::range(&records).limit(MAX_RECORDS);
        let mut answers = self.read(vec![head, records]).await?;
        let head = Head::of_row(&head_key, answers.next_row())?;
        if after < head.oldest() {
            return Err(StoreError::Compacted {
                oldest: head.trimmed_to,
            });
        }
        let records = answers.next();
        let (mut changes, mut next, mut examined) = (Vec::new(), after, 0);
        for row in &records.rows {
            let record = Record::decode(row.key(), row.value())?;
            let Some(commits) = self.commits(record, after).await? else {
                // It was trimmed meanwhile; the next read reports that.
                return Ok(LogRead::Continue(next));
            };
            for change in commits.iter().flat_map(LoggedCommit::changes) {
                if change.at <= after {
                    continue;
                }
                next = change.at;
                examined += 1;
                if prefix.shows(&change.key) {
                    changes.push(change);
                }
                if changes.len() >= MAX_CHANGES.get() || examined >= MAX_CHANGES_PER_READ {
                    return Ok(LogRead::new(changes, next, false));
                }
            }
        }
        Ok(LogRead::new(changes, next, !records.is_cut))
    }

    /// The commits of a record, with all their changes after a cursor; `None` where they are gone.
    async fn commits(
        &self,
        record: Record,
        after: Cursor,
    ) -> Result<Option<Vec<LoggedCommit>>, StoreError> {
        let (mut commit, deleted, parts) = match record.content {
            Content::Inline(commits) => return Ok(Some(commits)),
            Content::InParts { commit, .. } if after.is_past(commit.revision) => {
                return Ok(Some(Vec::new()));
            }
            Content::InParts {
                commit,
                deleted,
                parts,
            } => (commit, deleted, parts),
        };
        for number in 0..parts {
            let key = self
                .cluster
                .keys
                .part(self.namespace, record.ticket, number);
            let mut answers = self.read(vec![RangeQuery::row(key.clone())]).await?;
            let Some(row) = answers.next_row() else {
                return Ok(None);
            };
            let part = records::decode_part(&key, row.value())?;
            let part = part.into_iter().map(LoggedChange::deletion);
            commit.changes.extend(part);
        }
        if commit.changes.len() as u64 != deleted {
            return Err(StoreError::Corrupt {
                what: format!("the log counts {deleted} deletions and has others"),
            });
        }
        Ok(Some(vec![commit]))
    }
}

impl LogRead {
    fn new(changes: Vec<Change>, next: Cursor, is_end: bool) -> Self {
        // Commits are read whole, so at the end of the log nothing of the last one is left.
        let next = if is_end {
            Cursor::after(next.revision)
        } else {
            next
        };
        match is_end {
            _ if !changes.is_empty() => Self::Changes(Changes { changes, next }),
            true => Self::CaughtUp(next),
            false => Self::Continue(next),
        }
    }
}

/// The first revision that may have changes after a cursor.
fn first_after(after: Cursor) -> Revision {
    if after.is_past(after.revision) {
        after.revision.next()
    } else {
        after.revision
    }
}
