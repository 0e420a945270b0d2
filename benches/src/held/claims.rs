//! Workers that claim work items of one queue: at the highest rate, after many items that are claimed already, and as
//! soon as an item is set.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use hyper::header::{ETAG, HeaderName, IF_MATCH};
use hyper::{Method, StatusCode};

use super::{Event, Events, Keys, Listeners, VALUE, keep_up, set_evenly};
use crate::Load;
use crate::client::{Connection, all};
use crate::measure::{milliseconds, note, note_times};

/// Work items that are claimed one by one while many are claimed already.
const TAKEN_SINGLY: usize = 300;

const CLAIMED_KEY: HeaderName = HeaderName::from_static("prominence-key");

/// A claimed work item.
struct Piece {
    key: String,
    tag: String,
}

/// The keys of this number of work items in a folder.
fn pieces(folder: &str, count: usize) -> impl Iterator<Item = (String, String)> {
    (0..count).map(move |number| (format!("/{folder}/{number:06}"), "piece".to_owned()))
}

/// All workers claim items of a full queue and delete them, until it is empty.
pub(crate) async fn shared(load: &Load, workers: usize, count: usize) -> anyhow::Result<()> {
    let client = load.client()?;
    let mut connection = client.connect().await?;
    connection.set_all(pieces("shared", count)).await?;
    let workers = client.start(workers, |mut connection| async move {
        let mut taken = Vec::new();
        while let Some(piece) = take(&mut connection, "/shared/?claim=10m").await? {
            finish(&mut connection, &piece).await?;
            taken.push(piece.key);
        }
        anyhow::Ok(taken)
    });
    let workers = workers.await?;
    let begun = Instant::now();
    let mut taken = all(workers).await?.concat();
    let seconds = begun.elapsed().as_secs_f64();
    taken.sort_unstable();
    let wanted = pieces("shared", count).map(|(key, _)| key);
    let is_all = taken.iter().cloned().eq(wanted);
    ensure!(is_all, "not every work item was claimed once");
    note("pieces", taken.len() as f64 / seconds);
    Ok(())
}

/// One worker claims items after many claimed ones, while many more wait; a plain set is measured after each.
pub(crate) async fn behind_others(load: &Load, live: usize, waiting: usize) -> anyhow::Result<()> {
    let mut connection = load.client()?.connect().await?;
    let entries = pieces("long", live + waiting);
    connection.set_all(entries).await?;
    let path = "/long/?claim=10m";
    for _ in 0..live {
        take(&mut connection, path).await?.context("no work item")?;
    }
    let (mut takes, mut sets) = (Vec::new(), Vec::new());
    for _ in 0..TAKEN_SINGLY {
        let begun = Instant::now();
        take(&mut connection, path).await?.context("no work item")?;
        takes.push(milliseconds(begun.elapsed()));
        let begun = Instant::now();
        connection.set("/alone", VALUE).await?;
        sets.push(milliseconds(begun.elapsed()));
    }
    note_times("taking one", takes)?;
    note_times("setting one", sets)
}

/// All workers wait; items are set at an even pace, and the time from each set to its claim is measured.
pub(crate) async fn as_they_come(load: &Load, workers: usize) -> anyhow::Result<()> {
    let kind = ("claim", "memory of a worker");
    let mut listeners = Listeners::start(load, kind, workers, work).await?;
    let keys = Keys::new(vec!["/fresh/".to_owned()]);
    let figure = "from a set to its worker";
    listeners.measure_delivery(figure, 1, load, &keys).await?;
    // Unread events must not take more and more memory.
    drop(listeners);
    keep_up(set_evenly(&load.client()?, Duration::MAX, &keys)).await
}

/// Waits for work items, and finishes each at once.
async fn work(mut connection: Connection, _number: usize, tell: Events) -> anyhow::Result<()> {
    loop {
        let path = "/fresh/?claim=10m&wait=10m";
        let Some(piece) = take(&mut connection, path).await? else {
            continue;
        };
        let at = Instant::now();
        finish(&mut connection, &piece).await?;
        let number = piece.key.trim_start_matches("/fresh/");
        let number = number.parse().context("an unexpected key")?;
        // After the measurement nobody receives this, and the load goes on.
        let _ = tell.send(Ok(Event { number, at }));
    }
}

/// Claims a work item; `None` if there is none.
async fn take(connection: &mut Connection, path: &str) -> anyhow::Result<Option<Piece>> {
    let answer = connection.ask(Method::POST, path, None, "").await?;
    let header = |name: HeaderName| {
        let value = answer
            .headers()
            .get(name)
            .context("the answer to a claim has no key or ETag")?;
        anyhow::Ok(value.to_str()?.to_owned())
    };
    match answer.status() {
        StatusCode::NO_CONTENT => Ok(None),
        StatusCode::OK => Ok(Some(Piece {
            key: header(CLAIMED_KEY)?,
            tag: header(ETAG)?,
        })),
        _ => anyhow::bail!("a claim: {answer:?}"),
    }
}

/// Deletes a work item if it is still claimed by this worker.
async fn finish(connection: &mut Connection, piece: &Piece) -> anyhow::Result<()> {
    let tag = Some((IF_MATCH, &*piece.tag));
    let answer = connection.ask(Method::DELETE, &piece.key, tag, "").await?;
    ensure!(answer.status() == StatusCode::OK, "a deletion: {answer:?}");
    Ok(())
}
