//! Reading a namespace's log.

use std::ops::ControlFlow;

use prominence_core::listing::{LogRead, LogReader};
use prominence_core::{Cursor, Prefix, Revision, StoreError};

use super::reader::Reader;
use crate::etcd::query::RangeQuery;
use crate::etcd::records::{self, Content, Head, LoggedChange, LoggedCommit, Record};

/// Records that are read at once: some MiB at the most, as those of many changes have them in
/// parts.
const MAX_RECORDS: usize = 64;

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
        let head_key = self.keys.head();
        let records = self.keys.log_from(first_after(after));
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
        let mut reader = LogReader::new(prefix, after);
        for row in &records.rows {
            let record = Record::decode(row.key(), row.value())?;
            let Some(commits) = self.commits(record, after).await? else {
                // It was trimmed meanwhile; the next read reports that.
                return Ok(reader.finish(false));
            };
            let mut changes = commits.iter().flat_map(LoggedCommit::changes);
            let read = changes.try_for_each(|change| reader.add(change));
            if read == ControlFlow::Break(()) {
                return Ok(reader.finish(false));
            }
        }
        Ok(reader.finish(!records.is_cut))
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
            let key = self.keys.part(record.ticket, number);
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

/// The first revision that may have changes after a cursor.
fn first_after(after: Cursor) -> Revision {
    if after.is_past(after.revision) {
        after.revision.next()
    } else {
        after.revision
    }
}
