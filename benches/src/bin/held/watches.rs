//! Watches of prefixes in which much happens, several to each prefix.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use http_body_util::BodyExt as _;
use prominence_bench::client::Client;
use prominence_bench::measure;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::{Setting, keep_up, milliseconds, note, note_delays, soon, tell_if_it_fails};

/// Bytes of each value that is set; watches don't tell them.
const VALUE_BYTES: usize = 100;

/// Connections that set keys, where as much is set as can be.
const WRITERS: usize = 32;

/// How many there are, and what happens.
#[derive(clap::Args)]
pub(super) struct Options {
    /// Watches.
    #[arg(long, default_value_t = 1_000)]
    watches: usize,
    /// Prefixes that they share evenly.
    #[arg(long, default_value_t = 100)]
    prefixes: usize,
    /// Keys that are set in a second where delays are measured.
    #[arg(long, default_value_t = 200)]
    pace: u32,
}

/// An event that was told to a watch.
struct Told {
    /// Which of all sets it tells of.
    set: usize,
    at: Instant,
}

/// The sets, and when each of them was sent.
#[derive(Default)]
struct Sets {
    next: AtomicUsize,
    over: AtomicBool,
}

/// What is set, by whom.
#[derive(Clone)]
struct Writer {
    client: Client,
    sets: Arc<Sets>,
    prefixes: usize,
}

pub(super) async fn run(setting: &Setting, options: Options) -> anyhow::Result<()> {
    let Options {
        watches, prefixes, ..
    } = options;
    ensure!(
        watches % prefixes == 0,
        "prefixes don't share the watches evenly"
    );
    let each = watches / prefixes;
    let writer = Writer {
        client: setting.client.clone(),
        sets: Arc::default(),
        prefixes,
    };
    writer.client.connect().await?.set("/warm", "x").await?;
    let before = measure::resident(setting.pid)?;
    let (tell, mut told) = unbounded_channel();
    for number in 0..watches {
        let watching = watch(setting.client.clone(), number % prefixes, tell.clone());
        tell_if_it_fails(tell.clone(), watching);
    }
    setting.holds("watch", watches).await?;
    note("memory of a watch", setting.added(before, watches)?);

    let measured = setting.measured;
    let sent = writer.clone().paced(options.pace, measured).await?;
    let mut delays = Vec::new();
    for _ in 0..sent.len() * each {
        let told: Told = soon("an event", told.recv()).await?.context("no watch")??;
        let sent = sent
            .get(told.set)
            .context("an event of nothing that was set")?;
        delays.push(milliseconds(told.at - *sent));
    }
    note_delays("from a set to its event", delays)?;

    let begun = Instant::now();
    let sets = writer.clone().unpaced(measured).await?;
    let mut events = 0;
    while events < sets * each {
        soon("an event", told.recv()).await?.context("no watch")??;
        events += 1;
    }
    let seconds = begun.elapsed().as_secs_f64();
    note("sets", f64::from(u32::try_from(sets)?) / seconds);
    note("events", f64::from(u32::try_from(events)?) / seconds);
    ensure!(told.is_empty(), "an event was told twice");

    let going_on = tokio::spawn(writer.clone().paced(options.pace, Duration::MAX));
    // Nobody reads them any more, and they must not pile up.
    drop(told);
    keep_up().await?;
    writer.sets.over.store(true, Ordering::Relaxed);
    going_on.await??;
    Ok(())
}

impl Writer {
    /// Sets keys at an even pace; answers when each of all sets so far was sent.
    async fn paced(self, pace: u32, time: Duration) -> anyhow::Result<Vec<Instant>> {
        let mut ticks = interval(Duration::from_secs(1) / pace);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let begun = Instant::now();
        let mut sent = Vec::new();
        let mut under_way = JoinSet::new();
        let mut idle = Vec::new();
        while begun.elapsed() < time && !self.sets.over.load(Ordering::Relaxed) {
            ticks.tick().await;
            while let Some(done) = under_way.try_join_next() {
                idle.push(done??);
            }
            let mut connection = match idle.pop() {
                Some(connection) => connection,
                None => self.client.connect().await?,
            };
            let key = self.next_key();
            sent.push(Instant::now());
            under_way.spawn(async move {
                connection.set(&key, vec![b'x'; VALUE_BYTES]).await?;
                anyhow::Ok(connection)
            });
        }
        while let Some(done) = under_way.join_next().await {
            done??;
        }
        Ok(sent)
    }

    /// Sets keys as fast as they are answered; answers how many.
    async fn unpaced(self, time: Duration) -> anyhow::Result<usize> {
        let begun = Instant::now();
        let mut writers = JoinSet::new();
        for _ in 0..WRITERS {
            let writer = self.clone();
            writers.spawn(async move {
                let mut connection = writer.client.connect().await?;
                let mut sets = 0;
                while begun.elapsed() < time {
                    let key = writer.next_key();
                    connection.set(&key, vec![b'x'; VALUE_BYTES]).await?;
                    sets += 1;
                }
                anyhow::Ok(sets)
            });
        }
        let mut sets = 0;
        while let Some(done) = writers.join_next().await {
            sets += done??;
        }
        Ok(sets)
    }

    /// The keys go round the prefixes, and no two are the same.
    fn next_key(&self) -> String {
        let set = self.sets.next.fetch_add(1, Ordering::Relaxed);
        format!("{}{set:09}", prefix(set % self.prefixes))
    }
}

/// Reads a watch, and tells of every event.
async fn watch(
    client: Client,
    place: usize,
    tell: UnboundedSender<anyhow::Result<Told>>,
) -> anyhow::Result<()> {
    let mut connection = client.connect().await?;
    let path = format!("/kv{}?watch", prefix(place));
    let mut body = connection.stream(&path).await?.into_body();
    let begin = format!("data: {{\"key\":\"{}", prefix(place));
    let mut lines = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        let at = Instant::now();
        lines.extend_from_slice(&data);
        let whole = lines.iter().rposition(|byte| *byte == b'\n');
        let rest = lines.split_off(whole.map_or(0, |end| end + 1));
        for line in std::str::from_utf8(&lines)?.lines() {
            let Some(line) = line.strip_prefix(&begin) else {
                continue;
            };
            let digits = line.split('"').next().unwrap_or_default();
            let set = digits.parse().context("an odd key")?;
            // Where nobody wants to know, it is read all the same.
            let _ = tell.send(Ok(Told { set, at }));
        }
        lines = rest;
    }
    anyhow::bail!("the stream of {} has ended", prefix(place))
}

fn prefix(place: usize) -> String {
    format!("/busy/{place:04}/")
}
