//! The records of a backup become what is stored in a cluster.

use std::io::Read;

use prominence_core::change::ChangeKind;
use prominence_core::{Change, Entry, Key, Namespace, StoreError, Timestamp};

use super::batch::{Batches, Filling};
use crate::backup::{Record, Records, RestoreError, Space};
use crate::claim_index::ClaimState;
use crate::etcd::keys::Keys;
use crate::etcd::records::{self, Content, Head, LoggedChange, LoggedCommit, Ticket, is_internal};
use crate::row;

/// Keys that one hint names. Hints are told apart by a number that no later commit may have, and
/// that is at most the namespace's revision: a commit writes no more keys than this.
const HINTED: usize = prominence_core::limits::MAX_COMMIT_OPERATIONS;

/// Changes of a commit that stand in the log's record itself. Only the deletion of a prefix has
/// more that matter: what expires together has up to 1,000, and fits.
const MAX_DELETED_HERE: usize = 500;

/// Bytes of keys after which a record of the log takes no more commits: watchers read some
/// records at once.
const RECORD_BYTES: usize = 32 << 10;

/// Why a stream does not become what is stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The stream can't be read to its end.
    #[error(transparent)]
    Stream(#[from] RestoreError),
    /// The cluster can't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An earlier run wrote something else than this one would have.
    #[error("the source is not what it was when the migration was begun")]
    Changed,
    /// Somebody else writes there.
    #[error("somebody else writes to the destination")]
    Disturbed,
}

impl Filling<'_> {
    /// Writes everything that a stream tells of, and calls `step` for each entry.
    pub(crate) fn load<R: Read>(
        &mut self,
        records: &mut Records<R>,
        step: &mut dyn FnMut(),
    ) -> Result<(), LoadError> {
        let mut load = Load {
            batches: Batches::new(self),
            space: None,
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

/// Records on their way into the cluster.
struct Load<'f, 'a> {
    batches: Batches<'f, 'a>,
    space: Option<Filled>,
}

/// The namespace whose records are read.
struct Filled {
    namespace: Namespace,
    head: Head,
    /// What expires and is in no hint yet, and how many hints there are.
    expiring: Vec<(Key, Timestamp)>,
    hints: u64,
    /// Commits that are in no record of the log yet; of the last one more changes may come.
    commits: Vec<LoggedCommit>,
    bytes: usize,
}

impl Load<'_, '_> {
    fn put(&mut self, record: Record) -> Result<(), LoadError> {
        match record {
            Record::Namespace(space) => {
                self.finish_namespace()?;
                self.space = Some(Filled::new(space));
                Ok(())
            }
            Record::Entry(key, entry) => match &mut self.space {
                Some(filled) => filled.entry(&mut self.batches, key, &entry),
                None => Ok(()),
            },
            Record::Change(change) => match &mut self.space {
                Some(filled) => filled.change(&mut self.batches, change),
                None => Ok(()),
            },
            Record::End(_) => Ok(()),
        }
    }

    fn finish_namespace(&mut self) -> Result<(), LoadError> {
        match self.space.take() {
            Some(filled) => filled.finish(&mut self.batches),
            None => Ok(()),
        }
    }
}

impl Filled {
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
        let row_key = keys(batches).entry(&self.namespace, &key);
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

    /// Writes a hint of what expires, where there is something that none names.
    fn hint(&mut self, batches: &mut Batches<'_, '_>) -> Result<(), LoadError> {
        let due = std::mem::take(&mut self.expiring);
        if due.is_empty() {
            return Ok(());
        }
        self.hints += 1;
        let number = prominence_core::Revision::new(self.hints);
        let rows = records::hint(keys(batches), &self.namespace, &due, number);
        // The second row is the same for all hints with the same earliest instant.
        rows.into_iter()
            .try_for_each(|(key, row)| batches.put_once(key, row))
    }

    fn change(&mut self, batches: &mut Batches<'_, '_>, change: Change) -> Result<(), LoadError> {
        // A log begins with a whole commit here; of one whose first changes are forgotten the
        // others are as well.
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
                    "the log of {} tells of revision {} what no commit does",
                    self.namespace, change.at.revision
                ),
            }));
        }
        commit.changes.push(LoggedChange {
            claim_state: match &change.kind {
                // A writer reads it only of commits after the first that it knows.
                ChangeKind::Put(put) => Some(ClaimState {
                    claimed_until: put.state.as_ref().and_then(|state| state.claimed_until),
                    expires: put.state.as_ref().and_then(|state| state.expires),
                }),
                ChangeKind::Delete | ChangeKind::Expire => None,
            },
            key: change.key,
            kind: change.kind,
        });
        Ok(())
    }

    /// Says that the last commit has all its changes.
    fn close_commit(&mut self, batches: &mut Batches<'_, '_>) -> Result<(), LoadError> {
        let is_removal = |commit: &LoggedCommit| {
            let changes = &commit.changes;
            changes.len() > MAX_DELETED_HERE
                && changes.iter().all(|each| each.kind == ChangeKind::Delete)
        };
        if let Some(commit) = self.commits.pop_if(|last| is_removal(last)) {
            self.record(batches)?;
            return self.removal(batches, commit);
        }
        if self.bytes >= RECORD_BYTES {
            self.record(batches)?;
        }
        Ok(())
    }

    /// Writes the commits that are in no record yet.
    fn record(&mut self, batches: &mut Batches<'_, '_>) -> Result<(), LoadError> {
        self.bytes = 0;
        let commits = std::mem::take(&mut self.commits);
        let Some(last) = commits.last() else {
            return Ok(());
        };
        let key = keys(batches).log(&self.namespace, last.revision);
        let record = records::Record {
            ticket: ticket(last),
            content: Content::Inline(commits),
        };
        let row = record.encode(&key);
        batches.put(key, row)
    }

    /// Writes the deletion of many keys, which stand beside the record.
    fn removal(
        &self,
        batches: &mut Batches<'_, '_>,
        mut commit: LoggedCommit,
    ) -> Result<(), LoadError> {
        let changes = std::mem::take(&mut commit.changes);
        let deleted: Vec<_> = changes.into_iter().map(|change| change.key).collect();
        let ticket = ticket(&commit);
        let mut parts = 0;
        for part in records::split_into_parts(&deleted) {
            let key = keys(batches).part(&self.namespace, ticket, parts);
            let row = records::encode_part(&key, part);
            batches.put(key, row)?;
            parts += 1;
        }
        let key = keys(batches).log(&self.namespace, commit.revision);
        let record = records::Record {
            ticket,
            content: Content::InParts {
                commit,
                deleted: deleted.len() as u64,
                parts,
            },
        };
        let row = record.encode(&key);
        batches.put(key, row)
    }

    fn finish(mut self, batches: &mut Batches<'_, '_>) -> Result<(), LoadError> {
        self.hint(batches)?;
        self.close_commit(batches)?;
        self.record(batches)?;
        let key = keys(batches).head(&self.namespace);
        let row = self.head.encode(&key);
        // Last of its namespace: any server that writes there replaces it.
        batches.put_new(key, row)
    }
}

fn keys<'a>(batches: &Batches<'_, 'a>) -> &'a Keys {
    &batches.cluster().keys
}

/// No process draws 0, but for once in 2⁶⁴ times.
fn ticket(commit: &LoggedCommit) -> Ticket {
    Ticket {
        process: 0,
        number: commit.revision.get(),
    }
}
