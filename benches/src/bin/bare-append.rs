//! Appends to a file and syncs, as fast as the disk does it: the limit for a durable write.
//!
//! With one writer it writes a record, syncs the data, and begins again. With several, each is a
//! thread that hands a fresh value to one appender and waits for it to be durable; the appender
//! takes whatever waits, writes it in one go and syncs once, as a store's committer does. It
//! prints the records a second and the 99th percentile of their times in milliseconds.
#![expect(clippy::print_stdout, reason = "prints its measurement")]

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use clap::Parser;
use prominence_bench::random::Random;

/// The file starts over after this much, so that a long run doesn't fill the disk.
const MAX_FILE_BYTES: u64 = 1 << 30;

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

/// A record, and whom to tell that it is durable.
struct Record {
    value: Vec<u8>,
    written: SyncSender<()>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let path = arguments.folder.join("append");
    let started = Instant::now();
    let until = started + Duration::from_secs(arguments.seconds);
    let times = if arguments.writers == 1 {
        alone(&path, arguments.bytes, until)
    } else {
        together(&path, &arguments, until)
    };
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

/// One record after the other, on this thread.
fn alone(path: &Path, bytes: usize, until: Instant) -> anyhow::Result<Vec<Duration>> {
    let mut file = Appender::create(path)?;
    let mut random = Random::new(0);
    let mut times = Vec::new();
    while Instant::now() < until {
        let value = random.value(bytes);
        let started = Instant::now();
        file.append(&value)?;
        times.push(started.elapsed());
    }
    Ok(times)
}

/// Many writers and one appender.
fn together(path: &Path, arguments: &Arguments, until: Instant) -> anyhow::Result<Vec<Duration>> {
    let mut file = Appender::create(path)?;
    let (records, received) = sync_channel(usize::from(arguments.writers));
    std::thread::scope(|threads| {
        let writers: Vec<_> = (0..arguments.writers)
            .map(|number| {
                let records = records.clone();
                let bytes = arguments.bytes;
                threads.spawn(move || write(u64::from(number), bytes, &records, until))
            })
            .collect();
        drop(records);
        take_whatever_waits(&received, &mut file)?;
        let mut times = Vec::new();
        for writer in writers {
            let own = writer.join().map_err(|_| anyhow!("a writer panicked"))?;
            times.extend(own?);
        }
        Ok(times)
    })
}

fn write(
    seed: u64,
    bytes: usize,
    records: &SyncSender<Record>,
    until: Instant,
) -> anyhow::Result<Vec<Duration>> {
    let (written, is_written) = sync_channel(1);
    let mut random = Random::new(seed);
    let mut times = Vec::new();
    while Instant::now() < until {
        let value = random.value(bytes);
        let started = Instant::now();
        let written = written.clone();
        records.send(Record { value, written })?;
        is_written.recv()?;
        times.push(started.elapsed());
    }
    Ok(times)
}

/// Ends when every writer has.
fn take_whatever_waits(received: &Receiver<Record>, file: &mut Appender) -> anyhow::Result<()> {
    let mut buffer = Vec::new();
    while let Ok(first) = received.recv() {
        let group: Vec<_> = std::iter::once(first).chain(received.try_iter()).collect();
        buffer.clear();
        for record in &group {
            buffer.extend_from_slice(&record.value);
        }
        file.append(&buffer)?;
        for record in group {
            record.written.send(())?;
        }
    }
    Ok(())
}

/// A file that is appended to and synced.
struct Appender {
    file: File,
    length: u64,
}

impl Appender {
    fn create(path: &Path) -> anyhow::Result<Self> {
        let file = File::create(path)?;
        Ok(Self { file, length: 0 })
    }

    fn append(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        if self.length > MAX_FILE_BYTES {
            self.file.set_len(0)?;
            self.file.rewind()?;
            self.length = 0;
        }
        self.file.write_all(bytes)?;
        self.file.sync_data()?;
        self.length += u64::try_from(bytes.len())?;
        Ok(())
    }
}
