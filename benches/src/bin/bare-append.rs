//! Appends to a growing file and syncs, as fast as the disk does it: the limit for a durable write.
//!
//! Each of some threads hands a fresh value to one appender and waits for it to be durable; the appender
//! takes whatever waits, writes it in one go and syncs once, as a store's committer does. It prints the
//! records a second and the 99th percentile of their times in milliseconds.
#![expect(clippy::print_stdout, reason = "prints its measurement")]

use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use clap::Parser;
use prominence_bench::append::{Appender, Record};
use prominence_bench::random;

/// Appends and syncs for some seconds.
#[derive(Parser)]
struct Arguments {
    /// Where to make the file; it is removed afterwards.
    folder: PathBuf,
    /// Bytes of each record.
    #[arg(long, default_value_t = 1_000)]
    bytes: usize,
    /// Writers that wait for their records to be durable.
    #[arg(long, default_value_t = 1)]
    writers: u16,
    /// How long to go on.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let path = arguments.folder.join("append");
    let started = Instant::now();
    let until = started + Duration::from_secs(arguments.seconds);
    let times = append(&path, &arguments, until);
    let seconds = started.elapsed().as_secs_f64();
    std::fs::remove_file(&path)?;
    let mut times = times?;
    times.sort_unstable();
    let slowest = times.get(times.len() * 99 / 100).context("no record")?;
    let records = f64::from(u32::try_from(times.len())?);
    println!(
        "{:.0} {:.3}",
        records / seconds,
        slowest.as_secs_f64() * 1_000.0
    );
    Ok(())
}

/// Many writers and one appender.
fn append(path: &Path, arguments: &Arguments, until: Instant) -> anyhow::Result<Vec<Duration>> {
    let mut file = Appender::create(path)?;
    let (records, received) = sync_channel(usize::from(arguments.writers));
    std::thread::scope(|threads| {
        let writers: Vec<_> = (0..arguments.writers)
            .map(|number| {
                let records = records.clone();
                let bytes = arguments.bytes;
                threads.spawn(move || write(u64::from(number), bytes, until, &records))
            })
            .collect();
        drop(records);
        file.append_groups(&received, |waiters: Vec<SyncSender<()>>| {
            for waiter in waiters {
                // The writer waits for it, and is there until then.
                let _ = waiter.send(());
            }
        })?;
        let mut times = Vec::new();
        for writer in writers {
            let own = writer.join().map_err(|_| anyhow!("a writer panicked"))?;
            times.extend(own?);
        }
        Ok(times)
    })
}

/// Hands over fresh values one after the other, and says how long each took.
fn write(
    seed: u64,
    bytes: usize,
    until: Instant,
    records: &SyncSender<Record<Vec<u8>, SyncSender<()>>>,
) -> anyhow::Result<Vec<Duration>> {
    let (written, is_written) = sync_channel(1);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut times = Vec::new();
    while Instant::now() < until {
        let value = random::value(&mut random, bytes);
        let waiter = written.clone();
        let started = Instant::now();
        records.send(Record { value, waiter })?;
        is_written.recv()?;
        times.push(started.elapsed());
    }
    Ok(times)
}
