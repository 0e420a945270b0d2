//! Collecting segments: what is left in one is moved to the end of the log, and it is removed.
//!
//! A thread in the background reads a segment from its beginning to its end, and asks the index for
//! each content in it whether the index still refers to it there. What it does is handed to the
//! committer in portions, which puts a portion along with each group, unless the entry was written
//! meanwhile. When all is moved, nothing in the segment can be referred to again: places are given
//! only when something is appended.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::batch::LogBatch;
use super::row;
use super::{IndexRow, Parts};
use crate::embedded::error::StorageError;
use crate::embedded::files::disk::free_space;
use crate::embedded::files::group_log::segment::Location;
use crate::embedded::files::group_log::{LogUsage, SegmentUse, format, replay};
use crate::embedded::storage::table::Table;

/// The log is collected when it has so many hundredths of the bytes that the index refers to.
const MAX_PERCENT: u64 = 190;

/// Bytes of a portion, which is what a group moves at least where it moves anything. Every row of it
/// is looked up and put into the index by the committer, while commits wait.
const PORTION: usize = 32 << 10;

/// Bytes that a group may move for each of its own.
const MOVED_PER_BYTE: usize = 2;

/// Bytes of a segment that are read for each byte that is appended: see [`Collection::pace`]. In a
/// segment that is worth collecting about half is left, so that half as many would just keep up.
const READ_PER_BYTE: usize = 3;

/// Bytes that may be read at most for those that were appended while no segment was collected.
const MAX_ALLOWANCE: usize = 8 << 20;

/// Bytes of a segment that are read together.
const SLICE: usize = 256 << 10;

/// The longest time for a slice: 16 MiB are read in a second, also where nothing is appended.
const SLICE_WITHIN: Duration = Duration::from_millis(16);

/// The interval in which the collector looks for an allowance for the next slice.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Portions that are ready. They bound the memory that collecting takes.
const MAX_READY: usize = 32;

/// The time that the collector waits at once for the committer.
const PAUSE: Duration = Duration::from_secs(1);

/// Room on the disk below which memtables are written out so that segments can go.
const LOW_ROOM: u64 = 512 << 20;

/// Room that has to be left on the disk beside what is moved.
const MIN_ROOM: u64 = 16 << 20;

/// The rows that are to be moved.
#[derive(Debug, Default)]
pub(super) struct Collection {
    state: Mutex<Moves>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Moves {
    ready: VecDeque<Vec<Move>>,
    /// Portions that were handed over and are not written yet.
    handed_over: usize,
    /// Bytes of segments that may be read at once.
    allowance: usize,
    /// Segments that can't be emptied, as something that is needed for it can't be read.
    skipped: Vec<u32>,
    stopped: bool,
}

/// Content that the index refers to.
#[derive(Debug)]
struct Move {
    key: Bytes,
    from: Location,
    /// The row in the log.
    row: Bytes,
}

impl Collection {
    pub(super) fn has_moves(&self) -> bool {
        !self.state().ready.is_empty()
    }

    /// Says that so many portions that were handed over are written.
    pub(super) fn moved(&self, portions: usize) {
        if portions == 0 {
            return;
        }
        let mut state = self.state();
        state.handed_over = state.handed_over.saturating_sub(portions);
        drop(state);
        self.changed.notify_all();
    }

    pub(super) fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }

    fn skip(&self, segment: u32) {
        self.state().skipped.push(segment);
    }

    fn is_skipped(&self, segment: u32) -> bool {
        self.state().skipped.contains(&segment)
    }

    fn state(&self) -> MutexGuard<'_, Moves> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The portions that are moved along with a group of so many bytes: one at least.
    fn take_for(&self, own_bytes: usize) -> Vec<Vec<Move>> {
        let mut state = self.state();
        let wanted = (MOVED_PER_BYTE * own_bytes / PORTION).max(1);
        let taken: Vec<_> = (0..wanted).map_while(|_| state.ready.pop_front()).collect();
        state.handed_over += taken.len();
        taken
    }

    /// Notes that so many bytes were appended to the log.
    pub(super) fn appended(&self, bytes: usize) {
        let mut state = self.state();
        let allowance = state.allowance.saturating_add(READ_PER_BYTE * bytes);
        state.allowance = allowance.min(MAX_ALLOWANCE);
    }

    /// Waits until the next slice of a segment may be read. Collecting is spread evenly over what is
    /// written: it takes a processor for most of a second if a segment is read as fast as possible, and
    /// all requests of that time would be slower. False where the store is closed.
    fn pace(&self) -> bool {
        let deadline = Instant::now() + SLICE_WITHIN;
        let mut state = self.state();
        while !state.stopped && state.allowance < SLICE && Instant::now() < deadline {
            let waited = self.changed.wait_timeout(state, LOOK_EVERY);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.allowance = state.allowance.saturating_sub(SLICE);
        !state.stopped
    }

    /// Makes a portion ready, once there is room. False where the store is closed.
    fn offer(&self, portion: Vec<Move>) -> bool {
        let is_open = self.wait_until(|moves| moves.ready.len() < MAX_READY);
        if is_open {
            self.state().ready.push_back(portion);
        }
        is_open
    }

    /// Waits until everything that was made ready is written. False where the store is closed.
    fn finish(&self) -> bool {
        self.wait_until(|moves| moves.ready.is_empty() && moves.handed_over == 0)
    }

    fn wait_until(&self, is_so: impl Fn(&Moves) -> bool) -> bool {
        let mut state = self.state();
        while !state.stopped && !is_so(&state) {
            let waited = self.changed.wait_timeout(state, PAUSE);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        !state.stopped
    }
}

impl Parts {
    /// Adds what is to be moved to a group, and says how many portions these are.
    pub(super) fn add_moves(&self, batch: &mut LogBatch) -> usize {
        let portions = self.collection.take_for(batch.group.len());
        if portions.is_empty() {
            return 0;
        }
        let written: HashSet<Bytes> = batch
            .rows
            .iter()
            .filter(|row| row.table == Table::Entries)
            .map(|row| row.key.clone())
            .collect();
        let count = portions.len();
        for portion in portions {
            self.add_portion(batch, &written, portion);
        }
        count
    }

    fn add_portion(&self, batch: &mut LogBatch, written: &HashSet<Bytes>, portion: Vec<Move>) {
        for Move { key, from, row } in portion {
            if written.contains(&key) {
                continue;
            }
            // It may have been written since the segment was read.
            let indexed = match self.index.latest(Table::Entries, &key) {
                Ok(indexed) => indexed,
                Err(error) => {
                    // It stays where it is, and so does its segment.
                    self.give_up(from.segment, &error);
                    continue;
                }
            };
            if let Some(indexed) = indexed
                && row::location(&indexed) == Some(from)
            {
                batch.move_entry(key.to_vec(), &indexed, &row);
                batch.ceased.push(from);
            }
        }
    }

    /// Collects segments as long as that is worth it.
    pub(super) fn collect(&self) -> Result<(), StorageError> {
        while !self.work.is_stopped()
            && let Some(segment) = self.choose()
        {
            let number = segment.segment.number();
            match self.empty(&segment) {
                Ok(true) if self.collection.is_skipped(number) => {}
                Ok(true) => self.log.remove(number)?,
                Ok(false) => return Ok(()),
                Err(error) => self.give_up(number, &error),
            }
        }
        Ok(())
    }

    /// Leaves a segment alone that can't be emptied. The rest of it stays where it is, and reading
    /// it tells of the damage; the rest of the store goes on.
    fn give_up(&self, segment: u32, error: &dyn std::fmt::Display) {
        tracing::error!(segment, %error, "a segment can't be collected");
        self.collection.skip(segment);
    }

    /// The segment in which the least is left, if collecting it is worth it.
    fn choose(&self) -> Option<SegmentUse> {
        let LogUsage {
            bytes,
            live,
            finished,
        } = self.log.usage();
        let is_wasteful = bytes > live / 100 * MAX_PERCENT;
        let room = free_space(&self.folder).unwrap_or_default();
        if is_wasteful && room < LOW_ROOM && self.has_unwritten() {
            // Only segments whose groups are in the files of the trees can go, and on a disk that is
            // nearly full nothing may be written that would bring that about.
            self.wants_flush.store(true, Ordering::Release);
        }
        let skipped = self.collection.state().skipped.clone();
        let emptiest = finished
            .into_iter()
            .filter(|segment| !skipped.contains(&segment.segment.number()))
            .min_by_key(|segment| segment.live * 1_000 / u64::from(segment.end.max(1)))?;
        let is_worth_it = emptiest.live == 0 || is_wasteful;
        let needed = match emptiest.live {
            0 => 0,
            live => live + MIN_ROOM,
        };
        (is_worth_it && emptiest.live < emptiest.end.into() && room >= needed).then_some(emptiest)
    }

    /// True if there are groups behind those that the trees have in files, or will have soon.
    fn has_unwritten(&self) -> bool {
        self.pace().log > 0
    }

    /// Has everything moved that is left in a segment. False where the store is closed meanwhile.
    fn empty(&self, segment: &SegmentUse) -> Result<bool, StorageError> {
        let mut portion = Vec::new();
        let mut bytes = 0;
        let mut read = 0;
        let mut is_open = true;
        replay::visit(&segment.segment, segment.end, &mut |group, appended| {
            read += group.bytes.len();
            if read >= SLICE {
                read = 0;
                is_open &= self.collection.pace();
            }
            for logged in format::rows(group.bytes) {
                let row = logged.as_ref().and_then(IndexRow::from_log);
                let (Some(logged), Some(row)) = (logged, row) else {
                    return Err(replay::damaged(segment.segment.number(), group.offset));
                };
                let key = row.key.clone();
                let (_, Some(location)) = row.at(appended) else {
                    continue;
                };
                let indexed = self.index.latest(Table::Entries, &key)?;
                if indexed.and_then(|indexed| row::location(&indexed)) != Some(location) {
                    continue;
                }
                let row = Bytes::copy_from_slice(logged.content.unwrap_or_default());
                bytes += row.len();
                let from = location;
                portion.push(Move { key, from, row });
                if bytes >= PORTION {
                    is_open &= self.collection.offer(std::mem::take(&mut portion));
                    bytes = 0;
                }
            }
            Ok(is_open)
        })?;
        if !portion.is_empty() {
            is_open &= self.collection.offer(portion);
        }
        Ok(is_open && self.collection.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A collection with so many portions ready.
    fn ready(portions: usize) -> Collection {
        let collection = Collection::default();
        for _ in 0..portions {
            assert!(collection.offer(Vec::new()));
        }
        collection
    }

    #[test]
    fn a_group_moves_a_portion_and_a_large_one_twice_its_own_bytes() {
        for (own_bytes, taken) in [(0, 1), (1_000, 1), (PORTION, 2), (4 * PORTION, 8)] {
            let collection = ready(MAX_READY);
            assert_eq!(collection.take_for(own_bytes).len(), taken, "{own_bytes}");
            assert_eq!(collection.state().handed_over, taken);
        }
        assert_eq!(ready(3).take_for(1 << 20).len(), 3);
    }

    #[test]
    fn slices_are_read_as_fast_as_is_appended_and_slowly_otherwise() {
        let collection = Collection::default();
        collection.appended(SLICE);
        for _ in 0..READ_PER_BYTE {
            assert!(collection.state().allowance >= SLICE);
            assert!(collection.pace());
        }
        let begun = Instant::now();
        assert!(collection.pace());
        assert!(begun.elapsed() >= SLICE_WITHIN);
        collection.appended(usize::MAX / READ_PER_BYTE);
        assert_eq!(collection.state().allowance, MAX_ALLOWANCE);
        collection.stop();
        assert!(!collection.pace());
    }
}
