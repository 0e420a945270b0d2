//! How an embedded store is opened, and the limits that are no option.

use std::path::PathBuf;
use std::time::Duration;

use prominence_core::Quotas;

use crate::Retention;

/// The options with which an [`crate::embedded::EmbeddedStore`] is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder that holds everything; made where it is missing.
    pub folder: PathBuf,
    /// The quota of each namespace.
    pub quotas: Quotas,
    /// The time for which changes are kept.
    pub retention: Retention,
    /// Commits that may wait for the committer before more are refused.
    pub queue: usize,
    /// Bytes of stored blocks, and of entries read lately, kept in memory.
    pub cache_bytes: u64,
    /// Bytes of entries kept in memory before they are written out: large enough for few, long
    /// files, small enough that several of them fit beside the cache. A store keeps what it was
    /// made with.
    pub memtable_bytes: u64,
    /// Bytes of a file of the log, before the next one is begun. It is what is collected at once.
    pub segment_bytes: u32,
    /// Writes are refused while the disk has less room than this. It is what flushes and
    /// compactions need to go on, so that the store stops before they fail. 0 turns the check off.
    pub min_free_disk: u64,
    /// The time after which the committer again removes what has expired and trims logs, by itself.
    pub upkeep_every: Duration,
    /// Entries of a large deletion that are removed and synced together; others' commits wait as
    /// long as that takes. It is at least 1.
    pub deletion_piece: usize,
}

impl Options {
    /// The usual options for a store in `folder`.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            quotas: Quotas::default(),
            retention: Retention::default(),
            queue: 4_096,
            cache_bytes: 64 << 20,
            memtable_bytes: MEMTABLE_BYTES,
            segment_bytes: SEGMENT_BYTES,
            min_free_disk: 64 << 20,
            upkeep_every: Duration::from_secs(1),
            deletion_piece: DELETION_PIECE,
        }
    }
}

impl Options {
    /// The part of the cache for entries, which serve single reads best. Blocks serve all else.
    pub(super) fn entry_cache_bytes(&self) -> u64 {
        self.cache_bytes / 4
    }

    /// The most that the places of entries in the log take beside the cache. They make up for the blocks that the cache
    /// would have to hold.
    pub(super) fn places_bytes(&self) -> u64 {
        self.cache_bytes - self.cache_bytes / 4
    }

    /// The part of the cache for the blocks of the storage engine.
    pub(super) fn tuning(&self) -> Tuning {
        Tuning {
            cache_bytes: self.cache_bytes - self.entry_cache_bytes(),
            memtable_bytes: self.memtable_bytes,
            segment_bytes: self.segment_bytes,
        }
    }
}

/// The memory that the storage engine uses.
#[derive(Clone, Copy)]
pub(super) struct Tuning {
    /// Bytes of stored blocks kept in memory.
    pub(super) cache_bytes: u64,
    /// See [`Options::memtable_bytes`].
    pub(super) memtable_bytes: u64,
    /// See [`Options::segment_bytes`].
    pub(super) segment_bytes: u32,
}

impl Tuning {
    /// For a store that is read or written once, from beginning to end.
    pub(super) fn once(cache_bytes: u64) -> Self {
        Self {
            cache_bytes,
            memtable_bytes: MEMTABLE_BYTES,
            segment_bytes: SEGMENT_BYTES,
        }
    }
}

/// Large enough for few, long files, small enough that several fit beside the cache.
const MEMTABLE_BYTES: u64 = 32 << 20;

/// Large enough that making one is rare, small enough that collecting one takes less than a second
/// and little room.
const SEGMENT_BYTES: u32 = 64 << 20;

/// Entries that are deleted together: a few milliseconds of work.
pub(super) const DELETION_PIECE: usize = 10_000;

/// Commits written and synced together. More would make the first of them wait without making
/// a sync any cheaper for each.
pub(super) const MAX_GROUP_COMMITS: usize = 1_024;

/// Bytes of rows after which a group takes no more commits. It bounds the pause that one sync
/// makes; a single commit may be larger.
pub(super) const MAX_GROUP_BYTES: usize = 2 << 20;

/// The same where commits to several namespaces wait: each waits for the groups before its own.
pub(super) const MAX_SHARED_GROUP_BYTES: usize = 1 << 20;

/// Expired entries removed in one go, so that waiting commits are not stalled by many.
pub(super) const MAX_EXPIRED_AT_ONCE: usize = 1_000;

/// Changes removed from logs in one go, for the same reason.
pub(super) const MAX_TRIMMED_AT_ONCE: u64 = 1_000;

/// Namespaces looked at for old changes in one go: a few milliseconds where all are cold.
pub(super) const MAX_NAMESPACES_AT_ONCE: usize = 16;

/// Scans, counts and usages that run at once. They are bound by the processor and the disk, so
/// more would only take memory.
pub(super) const MAX_SCANS: usize = 8;

/// Scans, counts and usages that wait. Each holds little until it runs; a count that others interrupt keeps the
/// state that it counts.
pub(super) const MAX_WAITING_SCANS: usize = 1_024;

/// Backups and other reads of the whole store that run at once, apart from scans so that users
/// keep theirs. None waits: who asks for a third can see what the first two do.
pub(super) const MAX_AUDITS: usize = 2;

/// Looks into the log that run at once, apart from scans so that long ones don't delay watchers.
/// How many wait is bounded by the hub.
pub(super) const MAX_LOOKS: usize = 4;

/// Values that are read from the disk at once, for gets. More would only wait for each other there.
pub(super) const MAX_DISK_READS: usize = 16;

/// The time for which a read waits while the database is closed and opened again.
pub(super) const REOPEN_WAIT: Duration = Duration::from_secs(5);

/// The time for which readers get to finish before a reopening is put off.
pub(super) const READERS_WAIT: Duration = Duration::from_secs(5);

/// Room needed before a database that failed is opened again: enough to write the last group once
/// more and to write memtables out.
pub(super) const REOPEN_ROOM: u64 = 16 << 20;

/// The longest pause between attempts to open a failed database again.
pub(super) const MAX_REOPEN_PAUSE: Duration = Duration::from_secs(30);

/// The time that callers are told to wait when a queue is full: a few groups later there is room.
pub(super) const RETRY_SOON: Duration = Duration::from_secs(1);

/// The time that callers are told to wait when the disk is full or broken; somebody has to act.
pub(super) const RETRY_LATER: Duration = Duration::from_secs(10);
