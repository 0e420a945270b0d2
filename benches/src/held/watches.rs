//! Watches of prefixes with many changes, several watches for each prefix.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use http_body_util::BodyExt as _;
use hyper::Method;

use super::{Event, Events, Keys, Listeners, VALUE, keep_up, set_evenly};
use crate::Load;
use crate::client::{Connection, all};
use crate::measure::note;

/// Connections that set keys at the highest rate.
const WRITERS: usize = 32;

pub(crate) async fn run(load: &Load, watches: usize, prefixes: usize) -> anyhow::Result<()> {
    let is_even = watches.is_multiple_of(prefixes);
    ensure!(
        is_even,
        "the watches can't be spread evenly over the prefixes"
    );
    let each = watches / prefixes;
    let kind = ("watch", "memory of a watch");
    let listen = move |connection, number, tell| watch(connection, number % prefixes, tell);
    let mut listeners = Listeners::start(load, kind, watches, listen).await?;
    // The server counts a watch before it has fixed its start, and answers after that.
    for _ in 0..watches {
        listeners.next().await?;
    }
    let keys = Keys::new((0..prefixes).map(prefix).collect());
    let figure = "from a set to its event";
    listeners
        .measure_delivery(figure, each, load, &keys)
        .await?;

    let client = load.client()?;
    let begun = Instant::now();
    let time = Duration::from_secs(load.seconds);
    let writers = client.start(WRITERS, |mut connection| {
        let keys = Arc::clone(&keys);
        async move {
            let mut sets = 0_usize;
            while begun.elapsed() < time {
                connection.set(&keys.next(), VALUE).await?;
                sets += 1;
            }
            anyhow::Ok(sets)
        }
    });
    let sets: usize = all(writers.await?).await?.iter().sum();
    for _ in 0..sets * each {
        listeners.next().await?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    note("sets", sets as f64 / seconds);
    note("events", (sets * each) as f64 / seconds);
    ensure!(
        listeners.0.is_empty(),
        "a watch has received an event twice"
    );
    // Unread events must not take more and more memory.
    drop(listeners);
    keep_up(set_evenly(&client, Duration::MAX, &keys)).await
}

/// Reads a watch, and sends an event for its start and one for every change.
async fn watch(mut connection: Connection, place: usize, tell: Events) -> anyhow::Result<()> {
    let path = format!("{}?watch", prefix(place));
    let answer = connection.open(Method::GET, &path, None, "").await?;
    ensure!(answer.status().is_success(), "{path}: {}", answer.status());
    let (number, at) = (place, Instant::now());
    // After the measurement nobody receives this, and the watch is still read.
    let _ = tell.send(Ok(Event { number, at }));
    let mut body = answer.into_body();
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
            let number = digits.parse().context("an unexpected key")?;
            let _ = tell.send(Ok(Event { number, at }));
        }
        lines = rest;
    }
    anyhow::bail!("the stream of {path} has ended")
}

fn prefix(place: usize) -> String {
    format!("/busy/{place:04}/")
}
