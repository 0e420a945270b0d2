//! Reading a namespace's log.

use prominence_core::limits::MAX_CHANGES;
use prominence_core::{
    Change, ChangeKind, Changes, Cursor, Extent, Namespace, Prefix, Revision, StoreError,
};
use tokio::time::Instant;

use super::Shared;
use super::error::Trouble;
use super::members::{Wanted, range, row};
use super::records::{self, Content, Head, Logged, LoggedCommit, Record};

/// Records that are read at once: some MiB at the most, as those of many changes have them
/// elsewhere.
const MAX_RECORDS: usize = 64;

/// Changes that are looked at before others get a turn.
const MAX_CHANGES_PER_LOOK: usize = 10_000;

/// What one look into the log found.
pub(super) enum Look {
    /// Changes.
    Found(Changes),
    /// None up to this place, and there may be more behind it.
    GoOn(Cursor),
    /// None up to this place, which is the end.
    End(Cursor),
}

/// What a look has seen so far.
struct Seen<'a> {
    prefix: &'a Prefix,
    after: Cursor,
    found: Vec<Change>,
    next: Cursor,
    looked_at: usize,
}

impl Shared {
    /// How far the log of a namespace reaches.
    pub(super) async fn extent(
        &self,
        namespace: &Namespace,
        deadline: Instant,
    ) -> Result<Extent, StoreError> {
        let head = self.read_head(namespace, deadline).await?;
        Ok(Extent {
            oldest: head.oldest(),
            latest: head.usage.revision,
        })
    }

    /// The head of a namespace, which is empty where it was never written to.
    pub(super) async fn read_head(
        &self,
        namespace: &Namespace,
        deadline: Instant,
    ) -> Result<Head, StoreError> {
        let key = self.keys.head(namespace);
        let read = self.members.read(vec![row(key.clone(), 0)], deadline).await;
        let found = read.map_err(|trouble| trouble.read())?.found;
        match found.first().and_then(|found| found.rows.first()) {
            Some(row) => Head::decode(&key, row.value()),
            None => Ok(Head::default()),
        }
    }

    /// Looks for changes after a place.
    pub(super) async fn look(
        &self,
        namespace: &Namespace,
        prefix: &Prefix,
        after: Cursor,
        deadline: Instant,
    ) -> Result<Look, StoreError> {
        self.counters.look();
        // No change has revision 0, so every place within it is the beginning.
        let after = after.max(Cursor::START);
        let head_key = self.keys.head(namespace);
        let wanted = Wanted {
            limit: MAX_RECORDS,
            ..Wanted::default()
        };
        let records = self.keys.log_from(namespace, first_after(after));
        let questions = vec![row(head_key.clone(), 0), range(&records, wanted)];
        let read = self.members.read(questions, deadline).await;
        let mut found = read.map_err(|trouble| trouble.read())?.found.into_iter();
        let head = found.next().unwrap_or_default();
        let head = match head.rows.first() {
            Some(row) => Head::decode(&head_key, row.value())?,
            None => Head::default(),
        };
        if after < head.oldest() {
            return Err(StoreError::Compacted {
                oldest: head.forgotten,
            });
        }
        let rows = found.next().unwrap_or_default();
        let mut seen = Seen {
            prefix,
            after,
            found: Vec::new(),
            next: after,
            looked_at: 0,
        };
        for row in &rows.rows {
            let record = Record::decode(row.key(), row.value())?;
            let Some(commits) = self.commits(namespace, record, after, deadline).await? else {
                // It was trimmed away meanwhile; the next look says so.
                return Ok(Look::GoOn(seen.next));
            };
            for commit in &commits {
                if seen.take(commit).is_full() {
                    return Ok(seen.cut());
                }
            }
        }
        Ok(if rows.is_cut { seen.cut() } else { seen.end() })
    }

    /// The commits of a record, with all their changes after a place; `None` where they are gone.
    async fn commits(
        &self,
        namespace: &Namespace,
        record: Record,
        after: Cursor,
        deadline: Instant,
    ) -> Result<Option<Vec<LoggedCommit>>, StoreError> {
        let ticket = record.ticket;
        let (mut commit, deleted, parts) = match record.content {
            Content::Here(commits) => return Ok(Some(commits)),
            Content::InParts {
                commit,
                deleted,
                parts,
            } => (commit, deleted, parts),
        };
        if after.is_past(commit.revision) {
            return Ok(Some(Vec::new()));
        }
        for number in 0..parts {
            let key = self.keys.part(namespace, ticket, number);
            let read = self.members.read(vec![row(key.clone(), 0)], deadline).await;
            let found = read.map_err(|trouble| trouble.read())?.found;
            let Some(row) = found.first().and_then(|found| found.rows.first()) else {
                return Ok(None);
            };
            let part = records::decode_part(&key, row.value())?;
            commit.changes.extend(part.into_iter().map(|key| Logged {
                key,
                kind: ChangeKind::Delete,
                claim_state: None,
            }));
        }
        if commit.changes.len() as u64 != deleted {
            return Err(StoreError::Corrupt {
                what: format!("the log tells of {deleted} deletions and does not have them"),
            });
        }
        Ok(Some(vec![commit]))
    }

    /// The record whose last commit has this revision.
    pub(super) async fn record_at(
        &self,
        namespace: &Namespace,
        revision: Revision,
        deadline: Instant,
    ) -> Result<Option<Record>, Trouble> {
        let key = self.keys.log(namespace, revision);
        let read = self
            .members
            .read(vec![row(key.clone(), 0)], deadline)
            .await?;
        let found = read.found.into_iter().next().unwrap_or_default();
        // One that can't be read is not the one that is looked for.
        Ok(found
            .rows
            .first()
            .and_then(|row| Record::decode(&key, row.value()).ok()))
    }
}

impl Seen<'_> {
    fn take(&mut self, commit: &LoggedCommit) -> &Self {
        for (index, logged) in (0..).zip(&commit.changes) {
            if self.is_full() {
                break;
            }
            let at = Cursor {
                revision: commit.revision,
                index,
            };
            if at <= self.after {
                continue;
            }
            self.next = at;
            self.looked_at += 1;
            if self.prefix.shows(&logged.key) {
                self.found.push(commit.change(index, logged));
            }
        }
        self
    }

    fn is_full(&self) -> bool {
        self.found.len() >= MAX_CHANGES.get() || self.looked_at >= MAX_CHANGES_PER_LOOK
    }

    /// What was found, where there may be more.
    fn cut(self) -> Look {
        let next = self.next;
        if self.found.is_empty() {
            return Look::GoOn(next);
        }
        Look::Found(Changes {
            changes: self.found,
            next,
        })
    }

    /// What was found, where the log was read to its end: nothing of the last commit is left.
    fn end(self) -> Look {
        let next = Cursor::after(self.next.revision);
        if self.found.is_empty() {
            return Look::End(next);
        }
        Look::Found(Changes {
            changes: self.found,
            next,
        })
    }
}

/// The first revision that may have changes after a place.
fn first_after(after: Cursor) -> Revision {
    if after.is_past(after.revision) {
        after.revision.next()
    } else {
        after.revision
    }
}
