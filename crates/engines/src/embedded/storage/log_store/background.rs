//! The threads that write memtables out, compact the trees and collect segments.
//!
//! One thread writes out and makes segments, so that memtables never wait for a compaction to end;
//! another compacts; and a third collects, since it waits for the committer, which in turn may wait
//! for a compaction.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Parts;
use crate::embedded::error::StorageError;
use crate::embedded::files::group_log::Checkpoint;
use crate::embedded::panics::no_panic;
use crate::embedded::storage::table::Table;

/// The interval in which compactor and collector look for work by themselves.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The niceness of the threads (sched(7)): with 5, one of them gets a third of the time of one that answers requests.
#[cfg(target_os = "linux")]
const BACKGROUND_NICE: i32 = 5;

/// The time limit of [`Background::wait_until_written_out`]: a restored store may have gigabytes to write out.
const IDLE_WAIT: Duration = Duration::from_mins(10);

/// The tasks of the threads.
#[derive(Debug, Default)]
pub(super) struct Work {
    tasks: Mutex<Tasks>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Tasks {
    /// Memtables up to this end of the log take no more rows.
    checkpoint: Option<Checkpoint>,
    /// They are being written out.
    is_writing_out: bool,
    segment: bool,
    compact: bool,
    collect: bool,
    stopped: bool,
}

/// The threads. They end before this is gone: what becomes of the folder next, such as being renamed,
/// must not meet them at work.
pub(super) struct Background {
    parts: Arc<Parts>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Work {
    /// Asks for the next segment.
    pub(super) fn prepare_segment(&self) {
        self.tasks().segment = true;
        self.changed.notify_all();
    }

    /// Asks to write out the memtables that take no more rows, up to an end of the log.
    pub(super) fn write_out(&self, checkpoint: Checkpoint) {
        // There is no earlier one: its memtables would keep these from being given up.
        self.tasks().checkpoint = Some(checkpoint);
        self.changed.notify_all();
    }

    pub(super) fn stop(&self) {
        self.tasks().stopped = true;
        self.changed.notify_all();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.tasks().stopped
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `wanted` finds something to do; `None` where the store is closed.
    fn next<T>(&self, mut wanted: impl FnMut(&mut Tasks) -> Option<T>) -> Option<T> {
        let mut tasks = self.tasks();
        loop {
            if tasks.stopped {
                return None;
            }
            if let Some(found) = wanted(&mut tasks) {
                return Some(found);
            }
            let (woken, timeout) = self
                .changed
                .wait_timeout(tasks, LOOK_EVERY)
                .unwrap_or_else(PoisonError::into_inner);
            tasks = woken;
            tasks.compact |= timeout.timed_out();
            tasks.collect |= timeout.timed_out();
        }
    }
}

impl Background {
    /// Starts the threads.
    pub(super) fn start(parts: &Arc<Parts>) -> std::io::Result<Self> {
        let background = Self {
            parts: Arc::clone(parts),
            threads: Mutex::default(),
        };
        let start = |name: &str, run: fn(&Parts)| {
            let shared = Arc::clone(parts);
            let thread = std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || {
                    give_way();
                    run(&shared);
                });
            thread.map(|thread| background.threads().push(thread))
        };
        start("flusher", flush)?;
        start("compactor", compact)?;
        start("collector", collect)?;
        Ok(background)
    }

    /// Waits until nothing is left to be written out. False where that fails or takes too long.
    pub(super) fn wait_until_written_out(&self) -> bool {
        let deadline = Instant::now() + IDLE_WAIT;
        let parts = &*self.parts;
        let mut tasks = parts.work.tasks();
        while tasks.checkpoint.is_some() || tasks.is_writing_out {
            if tasks.stopped || Instant::now() >= deadline {
                return false;
            }
            let waited = parts.work.changed.wait_timeout(tasks, LOOK_EVERY);
            tasks = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        !tasks.stopped
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Background {
    /// Ends the threads, once what they are at is done.
    fn drop(&mut self) {
        self.parts.work.stop();
        self.parts.collection.stop();
        for thread in self.threads().drain(..) {
            // A panic has been noted by the thread itself.
            let _ = thread.join();
        }
    }
}

/// Lets the threads that answer requests go first where there are not enough processors: what is done here takes
/// one for a fifth of a second at once, and nobody waits for it. It still gets a share of a busy processor.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, BACKGROUND_NICE) {
        tracing::debug!(%error, "background threads have the priority of others");
    }
}

/// Writes memtables out, and makes segments in advance.
fn flush(parts: &Parts) {
    loop {
        let next = parts.work.next(|tasks| {
            let found = (tasks.checkpoint.take(), std::mem::take(&mut tasks.segment));
            tasks.is_writing_out = found.0.is_some();
            (found.0.is_some() || found.1).then_some(found)
        });
        let Some((checkpoint, segment)) = next else {
            return;
        };
        let written = no_panic(|| {
            if segment {
                parts.log.prepare_segment()?;
            }
            if let Some(checkpoint) = checkpoint {
                // The memtables of the last time, while the compactor may be at work for long.
                parts.index.release();
                parts.index.flush()?;
                // Every tree has the groups in files now, and these are synced.
                parts.log.indexed(checkpoint)?;
            }
            Ok::<_, StorageError>(())
        });
        note(parts, "write memtables out", written);
        let mut tasks = parts.work.tasks();
        tasks.is_writing_out = false;
        tasks.compact = true;
        tasks.collect = true;
        drop(tasks);
        parts.work.changed.notify_all();
    }
}

/// Compacts the trees.
fn compact(parts: &Parts) {
    let wanted = |tasks: &mut Tasks| std::mem::take(&mut tasks.compact).then_some(());
    while parts.work.next(wanted).is_some() {
        let compacted = no_panic(|| {
            for table in Table::ALL {
                parts.index.release();
                while !parts.work.is_stopped() && parts.index.compact(table)? {}
            }
            parts.index.release();
            Ok(())
        });
        note(parts, "compact", compacted);
    }
}

/// Collects segments.
fn collect(parts: &Parts) {
    let wanted = |tasks: &mut Tasks| std::mem::take(&mut tasks.collect).then_some(());
    while parts.work.next(wanted).is_some() {
        note(parts, "collect a segment", no_panic(|| parts.collect()));
    }
}

fn note(parts: &Parts, what: &str, result: Result<Result<(), StorageError>, String>) {
    match result {
        Ok(Ok(())) => {}
        Ok(Err(error)) => parts.fail(what, &error),
        Err(panic) => parts.fail(what, &panic),
    }
}
