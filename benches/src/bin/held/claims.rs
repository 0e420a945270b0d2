//! Workers that take pieces of work from one queue: as many as they can, one after many that are
//! taken already, and one as soon as it is there.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use hyper::header::{ETAG, HeaderName, HeaderValue, IF_MATCH};
use hyper::{Method, StatusCode};
use prominence_bench::client::{Client, Connection};
use prominence_bench::measure;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::interval;

use super::{Setting, keep_up, milliseconds, note, note_delays, soon, tell_if_it_fails};

/// Pieces that are taken one by one where many are taken already.
const TAKEN_SINGLY: usize = 300;

const CLAIMED_KEY: HeaderName = HeaderName::from_static("prominence-key");

/// How many there are.
#[derive(clap::Args)]
pub(super) struct Options {
    /// Workers, each with a connection of its own.
    #[arg(long, default_value_t = 500)]
    workers: usize,
    /// Pieces that they share.
    #[arg(long, default_value_t = 20_000)]
    pieces: usize,
    /// Pieces that are taken already where one is taken alone.
    #[arg(long, default_value_t = 1_000)]
    live: usize,
    /// Pieces that wait behind those.
    #[arg(long, default_value_t = 100_000)]
    waiting: usize,
    /// Pieces that come in a second where workers wait for them.
    #[arg(long, default_value_t = 200)]
    pace: u32,
}

/// A piece that a worker has.
struct Piece {
    key: String,
    tag: HeaderValue,
}

/// A piece that was taken by somebody who waited.
struct Taken {
    key: String,
    at: Instant,
}

pub(super) async fn run(setting: &Setting, options: Options) -> anyhow::Result<()> {
    let client = &setting.client;
    shared(client, &options).await?;
    behind_others(client, &options).await?;
    as_they_come(setting, &options).await
}

/// All workers take pieces from a full queue, and delete what they took, until it is empty.
async fn shared(client: &Client, options: &Options) -> anyhow::Result<()> {
    let keys: Vec<_> = (0..options.pieces)
        .map(|n| format!("/shared/{n:06}"))
        .collect();
    client.connect().await?.set_all(&keys, "piece").await?;
    let mut ready = Vec::with_capacity(options.workers);
    for _ in 0..options.workers {
        ready.push(client.connect().await?);
    }
    let begun = Instant::now();
    let mut workers = JoinSet::new();
    for mut connection in ready {
        workers.spawn(async move {
            let mut taken = Vec::new();
            while let Some(piece) = take(&mut connection, "/kv/shared/?claim=10m").await? {
                finish(&mut connection, &piece).await?;
                taken.push(piece.key);
            }
            anyhow::Ok(taken)
        });
    }
    let mut taken = Vec::with_capacity(options.pieces);
    while let Some(done) = workers.join_next().await {
        taken.extend(done??);
    }
    let seconds = begun.elapsed().as_secs_f64();
    taken.sort_unstable();
    ensure!(taken == keys, "not every piece was taken once");
    note("pieces", f64::from(u32::try_from(taken.len())?) / seconds);
    Ok(())
}

/// One worker takes pieces while many others are taken and many more wait, each beside a plain set.
async fn behind_others(client: &Client, options: &Options) -> anyhow::Result<()> {
    let mut connection = client.connect().await?;
    let keys = 0..options.live + options.waiting;
    let keys: Vec<_> = keys.map(|n| format!("/long/{n:06}")).collect();
    connection.set_all(&keys, "piece").await?;
    let path = "/kv/long/?claim=10m";
    for _ in 0..options.live {
        take(&mut connection, path).await?.context("no piece")?;
    }
    let (mut takes, mut sets) = (Vec::new(), Vec::new());
    for _ in 0..TAKEN_SINGLY {
        let begun = Instant::now();
        take(&mut connection, path).await?.context("no piece")?;
        takes.push(milliseconds(begun.elapsed()));
        let begun = Instant::now();
        connection.set("/alone", "piece").await?;
        sets.push(milliseconds(begun.elapsed()));
    }
    note_delays("taking one", takes)?;
    note_delays("setting one", sets)
}

/// All workers wait; pieces come at an even pace, and are timed from being set to being taken.
async fn as_they_come(setting: &Setting, options: &Options) -> anyhow::Result<()> {
    let before = measure::resident(setting.pid)?;
    let (tell, mut told) = unbounded_channel();
    for _ in 0..options.workers {
        let working = work(setting.client.clone(), tell.clone());
        tell_if_it_fails(tell.clone(), working);
    }
    setting.holds("claim", options.workers).await?;
    note(
        "memory of a worker",
        setting.added(before, options.workers)?,
    );

    let mut connection = setting.client.connect().await?;
    let mut ticks = interval(Duration::from_secs(1) / options.pace);
    let begun = Instant::now();
    let mut sent = HashMap::new();
    for number in 0.. {
        if begun.elapsed() >= setting.measured {
            break;
        }
        ticks.tick().await;
        let key = format!("/fresh/{number:09}");
        sent.insert(key.clone(), Instant::now());
        connection.set(&key, "piece").await?;
    }
    let mut delays = Vec::with_capacity(sent.len());
    while !sent.is_empty() {
        let taken: Taken = soon("a claim", told.recv()).await?.context("no worker")??;
        let set = sent.remove(&taken.key).context("a piece was taken twice")?;
        delays.push(milliseconds(taken.at - set));
    }
    note_delays("from a set to its worker", delays)?;
    feed_on(connection, ticks, told).await
}

/// Goes on setting pieces at the same pace for as long as that is wanted.
async fn feed_on(
    mut connection: Connection,
    mut ticks: tokio::time::Interval,
    told: tokio::sync::mpsc::UnboundedReceiver<anyhow::Result<Taken>>,
) -> anyhow::Result<()> {
    // Nobody reads any more what the workers tell, and it must not pile up.
    drop(told);
    let over = Arc::new(AtomicBool::new(false));
    let is_over = Arc::clone(&over);
    let feeding = tokio::spawn(async move {
        for number in 0.. {
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            ticks.tick().await;
            let key = format!("/fresh/later/{number:09}");
            connection.set(&key, "piece").await?;
        }
        anyhow::Ok(())
    });
    keep_up().await?;
    over.store(true, Ordering::Relaxed);
    feeding.await?
}

/// Waits for pieces, and finishes each at once.
async fn work(client: Client, tell: UnboundedSender<anyhow::Result<Taken>>) -> anyhow::Result<()> {
    let mut connection = client.connect().await?;
    loop {
        let path = "/kv/fresh/?claim=10m&wait=10m";
        let Some(piece) = take(&mut connection, path).await? else {
            continue;
        };
        let at = Instant::now();
        finish(&mut connection, &piece).await?;
        // Where nobody wants to know, the work goes on all the same.
        let _ = tell.send(Ok(Taken { key: piece.key, at }));
    }
}

/// Takes a piece; `None` where there is none.
async fn take(connection: &mut Connection, path: &str) -> anyhow::Result<Option<Piece>> {
    let answer = connection.ask(Method::POST, path, &[], "").await?;
    match answer.status {
        StatusCode::NO_CONTENT => Ok(None),
        StatusCode::OK => {
            let key = answer.headers.get(CLAIMED_KEY).context("no key")?;
            let key = key.to_str()?.to_owned();
            let tag = answer.headers.get(ETAG).context("no tag")?.clone();
            Ok(Some(Piece { key, tag }))
        }
        _ => anyhow::bail!("a claim: {answer:?}"),
    }
}

/// Deletes a piece, for whoever has it.
async fn finish(connection: &mut Connection, piece: &Piece) -> anyhow::Result<()> {
    let path = format!("/kv{}", piece.key);
    let headers = [(IF_MATCH, piece.tag.clone())];
    let answer = connection.ask(Method::DELETE, &path, &headers, "").await?;
    ensure!(answer.status == StatusCode::OK, "a deletion: {answer:?}");
    Ok(())
}
