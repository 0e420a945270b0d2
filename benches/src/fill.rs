//! Fills a store without a server: many large commits in flight, keys out of order, values that can't be compressed.
//! Then it waits until the store has settled, that is until background work no longer changes its size on disk, and
//! closes it.
//!
//! It prints the size on disk after the last write and at the end, for each byte of all keys and values, and the time
//! until the store had settled.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use prominence_core::limits::MAX_COMMIT_OPERATIONS;
use prominence_core::{Commit, Key, Lifetime, Namespace, Operation, Quota, Store as _, Value};
use prominence_engines::embedded::{EmbeddedStore, Options};
use prominence_server::SteadyClock;
use tokio::task::JoinSet;

use crate::Load;
use crate::client::all;
use crate::measure::{disk, milliseconds, note};
use crate::names::{self, shuffled};

/// Commits that wait for the disk at the same time: enough to share every sync, and far fewer than the store's queue
/// takes.
const IN_FLIGHT: usize = 64;

/// The interval between checks of the size.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A store has settled when its size stays the same for this time.
const SETTLED_AFTER: Duration = Duration::from_secs(10);

/// The store that is filled, and its users and their folders.
struct Filled {
    store: EmbeddedStore,
    load: Load,
    users: u64,
    /// Folders over which the keys of a user are spread; 0 for none.
    folders: u64,
}

/// Writes each key this number of times, and waits at most this number of seconds for the store to settle.
pub(crate) async fn run(
    load: &Load,
    users: u64,
    folders: u64,
    times: u64,
    settle_seconds: u64,
) -> anyhow::Result<()> {
    let mut options = Options::new(&load.data);
    options.quotas = Quota::UNLIMITED.into();
    let filled = Arc::new(Filled {
        store: EmbeddedStore::open(options, Arc::new(SteadyClock::start()))?,
        load: load.clone(),
        users,
        folders,
    });
    for time in 0..times {
        fill(&filled, time).await?;
    }
    let written = disk(&load.data)?;
    let limit = Duration::from_secs(settle_seconds);
    let (settled, settling) = settle(&load.data, limit).await?;
    filled.store.close();
    // As the store's usage counts them.
    let each = names::key(0, load.keys, folders).len() + load.bytes;
    let payload = (users * load.keys) as f64 * each as f64;
    note("when written", written / payload);
    note("settled", settled / payload);
    note("milliseconds to settle", milliseconds(settling));
    Ok(())
}

/// Writes every key once.
async fn fill(filled: &Arc<Filled>, time: u64) -> anyhow::Result<()> {
    let next = Arc::new(AtomicU64::new(0));
    let mut writers = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (filled, next) = (Arc::clone(filled), Arc::clone(&next));
        writers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some((namespace, commit)) = filled.commit(number, time)? else {
                    return anyhow::Ok(());
                };
                filled.store.commit(&namespace, None, commit).await?;
            }
        });
    }
    all(writers).await.map(drop)
}

impl Filled {
    /// The commit with this number, or `None` after the last. A commit is within one namespace.
    fn commit(&self, number: u64, time: u64) -> anyhow::Result<Option<(Namespace, Commit)>> {
        let (keys, bytes) = (self.load.keys, self.load.bytes);
        let each = u64::try_from(MAX_COMMIT_OPERATIONS)?;
        let commits = keys.div_ceil(each);
        let user = number / commits;
        if user >= self.users {
            return Ok(None);
        }
        let user = names::user(shuffled(user, self.users), self.users);
        let first = number % commits * each;
        let mut random = fastrand::Rng::with_seed(number.wrapping_add(time << 40));
        let operations = (first..keys.min(first + each)).map(|place| {
            let key = names::key(shuffled(place, keys), keys, self.folders);
            Ok(Operation::Set {
                key: Key::parse(&key)?,
                value: Value::new(names::value(&mut random, bytes), bytes)?,
                lifetime: Lifetime::Permanent,
            })
        });
        let operations = operations.collect::<anyhow::Result<Vec<_>>>()?;
        let commit = Commit::new(Vec::new(), operations)?;
        Ok(Some((Namespace::parse(&user)?, commit)))
    }
}

/// Waits until the size stays the same; returns it, and the time at which it was first reached.
async fn settle(folder: &Path, limit: Duration) -> anyhow::Result<(f64, Duration)> {
    let started = Instant::now();
    let mut size = disk(folder)?;
    let mut since = started;
    while started.elapsed() < limit && since.elapsed() < SETTLED_AFTER {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = disk(folder)?;
        if now != size {
            (size, since) = (now, Instant::now());
        }
    }
    ensure!(size > 0.0, "nothing was stored");
    Ok((size, since.duration_since(started)))
}
