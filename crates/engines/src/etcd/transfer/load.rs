//! From the records of a backup to the stored rows.

use std::io::Read;

use prominence_core::change::ChangeKind;
use prominence_core::{Change, Entry, Key, Namespace, Revision, StoreError, Timestamp};

use super::batch::{Batches, Import, LoadError};
use crate::backup::{Record, Records, Space};
use crate::etcd::keys::Keys;
use crate::etcd::records::{self, Content, Head, LoggedChange, LoggedCommit, is_internal};
use crate::etcd::ticket::Ticket;
use crate::row;

/// Keys in one hint. Hints have numbers in the place of revisions, which no later commit may have: a
/// number is at most the namespace's revision, as a commit writes no more keys than this.
const HINTED: usize = prominence_core::limits::MAX_COMMIT_OPERATIONS;

/// Deletions of a commit that are inline in its record. Only the deletion of a prefix has more
/// changes than fit: up to 1,000 keys expire together.
const MAX_DELETED_INLINE: usize = 500;

/// Bytes of keys after which a record of the log takes no more commits: readers of the log read
/// some records at once.
const RECORD_BYTES: usize = 32 << 10;

impl Import<'_> {
    /// Writes all records of a stream, and calls `step` for each entry.
    pub(crate) fn load<R: Read>(
        &mut self,
        records: &mut Records<R>,
        step: &mut dyn FnMut(),
    ) -> Result<(), LoadError> {
        let mut load = Load {
            batches: Batches::new(self),
            current: None,
        };
        while let Some(record) = records.next()? {
            let is_entry = matches!(record, Record::Entry(..));
            load.put(record)?;
            if is_entry {
                step();
            }
        }
        load.finish_namespace()?;
        load.batches.finish()
    }
}

/// A load of records.
struct Load<'f, 'a> {
    batches: Batches<'f, 'a>,
    current: Option<OpenNamespace>,
}

/// The namespace whose records are read.
struct OpenNamespace {
    namespace: Namespace,
    head: Head,
    /// Keys that expire and are in no hint yet, and the number of hints.
    expiring: Vec<(Key, Timestamp)>,
    hints: u64,
    /// Commits that are in no record of the log yet. The last one may get more changes.
    commits: Vec<LoggedCommit>,
    bytes: usize,
}

impl Load<'_, '_> {
    fn put(&mut self, record: Record) -> Result<(), LoadError> {
        match (record, &mut self.current) {
            (Record::Namespace(space), _) => {
                self.finish_namespace()?;
                self.current = Some(OpenNamespace::new(space));
                Ok(())
            }
            (Record::Entry(key, entry), Some(open)) => open.entry(&mut self.batches, key, &entry),
            (Record::Change(change), Some(open)) => open.change(&mut self.batches, change),
            // A stream has no other records outside of a namespace.
            (Record::Entry(..) | Record::Change(_) | Record::End(_), _) => Ok(()),
        }
    }

    fn finish_namespace(&mut self) -> Result<(), LoadError> {
        let open = self.current.take();
        open.map_or(Ok(()), |open| open.finish(&mut self.batches))
    }
}

impl OpenNamespace {
    fn new(space: Space) -> Self {
        let mut head = Head {
            trimmed_to: space.log_floor.revision,
            ..Head::default()
        };
        head.usage.revision = space.revision;
        Self {
            namespace: space.namespace,
            head,
            expiring: Vec::new(),
            hints: 0,
            commits: Vec::new(),
            bytes: 0,
        }
    }

    fn entry(
        &mut self,
        batches: &mut Batches<'_, '_>,
        key: Key,
        entry: &Entry,
    ) -> Result<(), LoadError> {
        let usage = &mut self.head.usage;
        usage.keys += 1;
        usage.bytes += (key.as_str().len() + entry.value.len()) as u64;
        self.head.internal_keys += u64::from(is_internal(&key));
        self.head.time = self.head.time.max(entry.metadata.modified);
        let row_key = keys(batches).of(&self.namespace).entry(&key);
        let row = row::encode_entry(&row_key, entry);
        batches.put(row_key, row)?;
        if let Some(instant) = entry.metadata.expires {
            self.expiring.push((key, instant));
            if self.expiring.len() == HINTED {
                self.hint(batches)?;
            }
        }
        Ok(())
    }

    /// Writes a hint of the keys that are in none yet.
    fn hint(&mut self, batches: &mut Batches<'_, '_>) -> Result<(), LoadError> {
        let due = std::mem::take(&mut self.expiring);
        if due.is_empty() {
            return Ok(());
        }
        self.hints += 1;
        let number = Revision::new(self.hints);
        let rows = records::hint(keys(batches).of(&self.namespace), &due, number);
        // The second row is the same for all hints with the same earliest instant.
        rows.into_iter()
            .try_for_each(|(key, row)| batches.put_once(key, row))
    }

    fn change(&mut self, batches: &mut Batches<'_, '_>, change: Change) -> Result<(), LoadError> {
        // The log of this engine begins with a whole commit. Of one whose first changes are trimmed,
        // the others are trimmed as well.
        if change.at.revision <= self.head.trimmed_to {
            return Ok(());
        }
        let last = self.commits.last().map(|commit| commit.revision);
        if last != Some(change.at.revision) {
            self.close_commit(batches)?;
            self.commits.push(LoggedCommit {
                revision: change.at.revision,
                time: change.time,
                author: change.job.clone(),
                changes: Vec::new(),
            });
        }
        self.head.logged += 1;
        self.head.time = self.head.time.max(change.time);
        self.bytes += change.key.as_str().len();
        let Some(commit) = self.commits.last_mut() else {
            return Ok(());
        };
        let is_next = u32::try_from(commit.changes.len()) == Ok(change.at.index);
        if !is_next || commit.time != change.time || commit.author != change.job {
            return Err(LoadError::Store(StoreError::Corrupt {
                what: format!(
                    "the log of {} has changes of revision {} that no commit makes",
                    self.namespace, change.at.revision
                ),
            }));
        }
        commit.changes.push(LoggedChange {
            key: change.key,
            kind: change.kind,
        });
        Ok(())
    }

    /// Ends the last commit, which has all its changes.
    fn close_commit(&mut self, batches: &mut Batches<'_, '_>) -> Result<(), LoadError> {
        let is_large = |commit: &LoggedCommit| {
            let changes = &commit.changes;
            changes.len() > MAX_DELETED_INLINE
                && changes.iter().all(|each| each.kind == ChangeKind::Delete)
        };
        if let Some(commit) = self.commits.pop_if(|last| is_large(last)) {
            self.write_commits(batches)?;
            return self.large_deletion(batches, commit);
        }
        if self.bytes >= RECORD_BYTES {
            self.write_commits(batches)?;
        }
        Ok(())
    }

    /// Writes the commits that are in no record yet.
    fn write_commits(&mut self, batches: &mut Batches<'_, '_>) -> Result<(), LoadError> {
        self.bytes = 0;
        let commits = std::mem::take(&mut self.commits);
        let Some(last) = commits.last() else {
            return Ok(());
        };
        let (revision, ticket) = (last.revision, ticket(last));
        self.write_record(batches, revision, ticket, Content::Inline(commits))
    }

    /// Writes the deletion of many keys, which the record has in parts.
    fn large_deletion(
        &self,
        batches: &mut Batches<'_, '_>,
        mut commit: LoggedCommit,
    ) -> Result<(), LoadError> {
        let changes = std::mem::take(&mut commit.changes);
        let deleted: Vec<_> = changes.into_iter().map(|change| change.key).collect();
        let ticket = ticket(&commit);
        let mut parts = 0;
        for part in records::split_into_parts(&deleted) {
            let key = keys(batches).of(&self.namespace).part(ticket, parts);
            let row = records::encode_part(&key, part);
            batches.put(key, row)?;
            parts += 1;
        }
        let (revision, deleted) = (commit.revision, deleted.len() as u64);
        let content = Content::InParts {
            commit,
            deleted,
            parts,
        };
        self.write_record(batches, revision, ticket, content)
    }

    fn write_record(
        &self,
        batches: &mut Batches<'_, '_>,
        revision: Revision,
        ticket: Ticket,
        content: Content,
    ) -> Result<(), LoadError> {
        let key = keys(batches).of(&self.namespace).log(revision);
        let row = records::Record { ticket, content }.encode(&key);
        batches.put(key, row)
    }

    fn finish(mut self, batches: &mut Batches<'_, '_>) -> Result<(), LoadError> {
        self.hint(batches)?;
        self.close_commit(batches)?;
        self.write_commits(batches)?;
        let key = keys(batches).of(&self.namespace).head();
        let row = self.head.encode(&key);
        // The head comes last in its namespace. A server that writes there creates it before.
        batches.put_new(key, row)
    }
}

fn keys<'a>(batches: &Batches<'_, 'a>) -> &'a Keys {
    &batches.cluster().keys
}

/// A ticket of no process: the probability of a process with number 0 is 2⁻⁶⁴.
fn ticket(commit: &LoggedCommit) -> Ticket {
    Ticket {
        process: 0,
        number: commit.revision.get(),
    }
}
