//! Opening the store: the trees, and the groups that they lack.

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::background::{Background, Work};
use super::batch::IndexRow;
use super::collection::Collection;
use super::index::Index;
use super::{Limits, LogStore, Pace, Parts, row};
use crate::embedded::error::{OpenError, StorageError};
use crate::embedded::files::creation;
use crate::embedded::files::damage::Unsound;
use crate::embedded::files::folder::Folder;
use crate::embedded::files::group_log::replay::{self, Group};
use crate::embedded::files::group_log::{self, Appended, GroupLog, Opened, format};
use crate::embedded::files::verification;
use crate::embedded::options::Tuning;
use crate::embedded::panics::no_panic;
use crate::embedded::storage::table::Table;

/// Bytes of the log after which memtables are written out. It bounds what is read again after a crash:
/// four times as much, where commits come faster than memtables are written.
const MAX_LOG_BYTES: u64 = 256 << 20;

/// Blocks that the trees keep in memory while a store is made.
const CACHE_BYTES: u64 = 1 << 20;

/// Makes an empty store.
fn create(store: &Path) -> Result<(), StorageError> {
    std::fs::create_dir(store)?;
    Index::open(store, CACHE_BYTES)?;
    Ok(group_log::create(store)?)
}

impl LogStore {
    /// Opens the store in a folder. It blocks.
    pub(in crate::embedded) fn open(folder: &Folder, tuning: Tuning) -> Result<Self, OpenError> {
        let failed = |error| OpenError::from_storage(folder.path().to_owned(), error);
        let store = folder.store();
        creation::ensure(folder, create).map_err(failed)?;
        verification::examine_index(folder)?;
        let opened = no_panic(|| Index::open(&store, tuning.cache_bytes));
        let index = match opened {
            Ok(Ok(index)) => index,
            // Neither the trees' errors nor their panics say which file it is.
            Ok(Err(error)) => {
                let error = failed(error.into());
                return Err(verification::blame(folder).unwrap_or(error));
            }
            Err(panic) => {
                let cause = panic.into();
                let error = OpenError::Damaged {
                    folder: folder.path().to_owned(),
                    cause,
                };
                return Err(verification::blame(folder).unwrap_or(error));
            }
        };
        let in_files = index.highest_in_files().unwrap_or_default();
        let mut reader = Reader {
            index: &index,
            begun: Vec::new(),
            ceased: Vec::new(),
            pace: Pace::default(),
            groups: 0,
        };
        let started = Instant::now();
        let opened = GroupLog::open(&store, tuning.segment_bytes, in_files, &mut |group| {
            reader.put(group)
        });
        let Opened { log, sequence } =
            opened.map_err(|unsound| unsound.into_open_error(folder.path()))?;
        let Reader {
            begun,
            ceased,
            pace,
            groups,
            ..
        } = reader;
        let (bytes, took) = (pace.log, started.elapsed());
        tracing::debug!(groups, bytes, ?took, "the end of the log was read again");
        log.account(&begun, &ceased);
        index.pass_sequence(sequence);
        let parts = Arc::new(Parts {
            folder: store,
            index,
            pace: Mutex::new(pace),
            limits: Limits {
                memtables: tuning.memtable_bytes,
                log: MAX_LOG_BYTES,
            },
            work: Work::default(),
            collection: Collection::default(),
            wants_flush: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            log,
        });
        let background = Background::start(&parts)
            .map_err(|error| OpenError::from_io(folder.path().to_owned(), error))?;
        Ok(Self { parts, background })
    }
}

/// Puts groups that are read again into the memtables. A tree may have their rows in files already;
/// then it gets the same rows with the same numbers once more.
struct Reader<'a> {
    index: &'a Index,
    begun: Vec<group_log::segment::Location>,
    ceased: Vec<group_log::segment::Location>,
    pace: Pace,
    groups: u64,
}

impl Reader<'_> {
    fn put(&mut self, group: &Group<'_>) -> Result<(), Unsound> {
        let appended = Appended {
            segment: group.header.segment,
            offset: group.offset,
        };
        let index = self.index.state();
        for row in format::rows(group.bytes) {
            let Some(row) = row.as_ref().and_then(IndexRow::from_log) else {
                let how = format!(
                    "a group has rows that make no sense (at byte {})",
                    group.offset
                );
                return Err(Unsound::damaged(replay::file(appended.segment), how));
            };
            let (table, key) = (row.table, row.key.clone());
            if table == Table::Entries {
                // Only the accounts need it. Where a file of the tree is damaged, the rest of the store
                // is opened all the same, and reading the damaged rows tells of it.
                let before = no_panic(|| self.index.latest(table, &key));
                let before = before.ok().and_then(Result::ok).flatten();
                self.ceased
                    .extend(before.and_then(|before| row::location(&before)));
            }
            let (row, location) = row.at(appended);
            self.begun.extend(location);
            let sequence = group.header.sequence;
            self.pace.memtables[usize::from(table.number())] =
                index.put(table, key.into(), row, sequence);
        }
        self.pace.log += group.bytes.len() as u64;
        self.groups += 1;
        Ok(())
    }
}
