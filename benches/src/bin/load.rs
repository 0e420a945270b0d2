//! Fills a store without a server: many large commits in flight, keys in no order, values that
//! can't be compressed. Then it waits until the store has settled, that is until background work
//! no longer changes how much disk it takes, and closes it.
//!
//! It prints the disk taken when the last of them was written and in the end, for each byte of all keys and
//! values, and how long the store took to settle.
#![expect(clippy::print_stdout, reason = "prints its measurement")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Parser;
use prominence_bench::measure::disk;
use prominence_bench::names;
use prominence_bench::random::{shuffled, value};
use prominence_core::limits::MAX_COMMIT_OPERATIONS;
use prominence_core::{Commit, Key, Lifetime, Namespace, Operation, Quota, Store as _, Value};
use prominence_engines::embedded::{EmbeddedStore, Options};
use prominence_server::SteadyClock;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Commits that wait for the disk at the same time: enough to share every sync, and far below
/// what the store's queue takes.
const IN_FLIGHT: usize = 64;

/// How often the disk is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A store whose size stays the same for so long has settled.
const SETTLED_AFTER: Duration = Duration::from_secs(10);

/// Fills a store.
#[derive(Clone, Parser)]
struct Arguments {
    /// The data folder.
    folder: PathBuf,
    /// How many users there are.
    #[arg(long, default_value_t = 1)]
    users: u64,
    /// Keys of each user.
    #[arg(long)]
    keys: u64,
    /// Bytes of each value.
    #[arg(long)]
    bytes: usize,
    /// Folders that the keys of a user are spread over; 0 for none.
    #[arg(long, default_value_t = 0)]
    folders: u64,
    /// How often each key is written.
    #[arg(long, default_value_t = 1)]
    times: u64,
    /// How long to wait, at most, for the store to settle.
    #[arg(long, default_value_t = 60)]
    settle_seconds: u64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut options = Options::new(&arguments.folder);
    options.quota = Quota::UNLIMITED;
    let store = Arc::new(EmbeddedStore::open(
        options,
        Arc::new(SteadyClock::start()),
    )?);
    let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    for time in 0..arguments.times {
        runtime.block_on(fill(&store, &arguments, time))?;
    }
    let written = disk(&arguments.folder)?;
    let (settled, settling) = settle(&arguments)?;
    store.close();
    let payload = payload(&arguments)?;
    println!("when written {}", written / payload);
    println!("settled {}", settled / payload);
    println!("milliseconds to settle {}", settling.as_millis());
    Ok(())
}

/// Bytes of all keys and values, as the store's usage counts them.
fn payload(arguments: &Arguments) -> anyhow::Result<f64> {
    let key = names::key(0, arguments.keys, arguments.folders);
    let each = u32::try_from(key.len() + arguments.bytes)?;
    let keys = u32::try_from(arguments.users * arguments.keys)?;
    Ok(f64::from(keys) * f64::from(each))
}

/// Writes every key once.
async fn fill(store: &Arc<EmbeddedStore>, arguments: &Arguments, time: u64) -> anyhow::Result<()> {
    let next = Arc::new(AtomicU64::new(0));
    let mut writers = Vec::new();
    for _ in 0..IN_FLIGHT {
        let (store, next) = (Arc::clone(store), Arc::clone(&next));
        let arguments = arguments.clone();
        writers.push(tokio::spawn(async move {
            while let Some((namespace, commit)) =
                commit(&arguments, next.fetch_add(1, Ordering::Relaxed), time)?
            {
                store.commit(&namespace, None, commit).await?;
            }
            anyhow::Ok(())
        }));
    }
    for writer in writers {
        writer.await??;
    }
    Ok(())
}

/// The commit with this number, or `None` after the last. A commit is within one namespace.
fn commit(
    arguments: &Arguments,
    number: u64,
    time: u64,
) -> anyhow::Result<Option<(Namespace, Commit)>> {
    let each = u64::try_from(MAX_COMMIT_OPERATIONS)?;
    let commits = arguments.keys.div_ceil(each);
    let user = number / commits;
    if user >= arguments.users {
        return Ok(None);
    }
    let user = shuffled(user, arguments.users);
    let first = number % commits * each;
    let mut random = fastrand::Rng::with_seed(number.wrapping_add(time << 40));
    let operations = (first..arguments.keys.min(first + each)).map(|place| {
        let number = shuffled(place, arguments.keys);
        let key = names::key(number, arguments.keys, arguments.folders);
        Ok(Operation::Set {
            key: Key::parse(&key)?,
            value: Value::new(value(&mut random, arguments.bytes), arguments.bytes)?,
            lifetime: Lifetime::Permanent,
        })
    });
    let operations = operations.collect::<anyhow::Result<Vec<_>>>()?;
    let namespace = Namespace::parse(&names::user(user, arguments.users))?;
    Ok(Some((namespace, Commit::new(Vec::new(), operations)?)))
}

/// Waits until the size stays the same; answers it, and when it was first reached.
fn settle(arguments: &Arguments) -> anyhow::Result<(f64, Duration)> {
    let started = Instant::now();
    let deadline = started + Duration::from_secs(arguments.settle_seconds);
    let mut size = disk(&arguments.folder)?;
    let mut since = started;
    while Instant::now() < deadline && since.elapsed() < SETTLED_AFTER {
        std::thread::sleep(LOOK_EVERY);
        let now = disk(&arguments.folder)?;
        if now != size {
            (size, since) = (now, Instant::now());
        }
    }
    ensure!(size > 0.0, "nothing was stored");
    Ok((size, since.duration_since(started)))
}
