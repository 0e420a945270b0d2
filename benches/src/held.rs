//! Many requests that a running server holds at once.
//!
//! Each listener has a connection of its own, and sends an event for every key that it receives. The program prints
//! figures first, then `ready`. After that it keeps the load up until its standard input ends, so that another load can
//! be measured beside it.

pub(crate) mod claims;
pub(crate) mod waits;
pub(crate) mod watches;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

use crate::Load;
use crate::client::{Client, Connection, all};
use crate::measure::{self, milliseconds, note, note_times};

/// The time limit for anything that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// The interval between checks of the number of held requests.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The number of keys that are set in a second where delays are measured, and their values, which nobody reads.
const PACE: u32 = 200;
const VALUE: &[u8] = &[b'x'; 100];

/// A listener has received a key.
struct Event {
    /// The number of the key, or of the listener where each has a key of its own.
    number: usize,
    at: Instant,
}

/// Sends events, or the error that ended a listener.
type Events = UnboundedSender<anyhow::Result<Event>>;

struct Listeners(UnboundedReceiver<anyhow::Result<Event>>);

impl Listeners {
    /// Starts listeners, waits until the server holds a request of each, and notes the memory that the server takes for
    /// each.
    async fn start<F>(
        load: &Load,
        (kind, figure): (&str, &str),
        count: usize,
        listen: impl Fn(Connection, usize, Events) -> F + Copy + Send + 'static,
    ) -> anyhow::Result<Self>
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let client = load.client()?;
        client.connect().await?.set("/warm", "x").await?;
        let before = measure::resident(load.pid)?;
        let (tell, told) = unbounded_channel();
        for number in 0..count {
            let (client, tell) = (client.clone(), tell.clone());
            tokio::spawn(async move {
                let listened = match client.connect().await {
                    Ok(connection) => listen(connection, number, tell.clone()).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = listened {
                    // This fails where the measurement is over and no error matters.
                    let _ = tell.send(Err(error));
                }
            });
        }
        wait_until_held(&client, kind, count).await?;
        let added = measure::resident(load.pid)?.saturating_sub(before);
        note(figure, added as f64 / 1_024.0 / count as f64);
        Ok(Self(told))
    }

    /// Sets keys at an even pace; each has to be received by this number of listeners, once each. Notes the delays.
    async fn measure_delivery(
        &mut self,
        figure: &str,
        each: usize,
        load: &Load,
        keys: &Keys,
    ) -> anyhow::Result<()> {
        let time = Duration::from_secs(load.seconds);
        let sent = set_evenly(&load.client()?, time, keys).await?;
        let mut missing = vec![each; sent.len()];
        let mut delays = Vec::with_capacity(sent.len() * each);
        for _ in 0..sent.len() * each {
            let event = self.next().await?;
            let missing = missing
                .get_mut(event.number)
                .filter(|missing| **missing > 0);
            *missing.context("too many listeners have received a key")? -= 1;
            delays.push(milliseconds(event.at - sent[event.number]));
        }
        note_times(figure, delays)
    }

    /// The next event, which has to come within the time limit.
    async fn next(&mut self) -> anyhow::Result<Event> {
        let event = timeout(PATIENCE, self.0.recv()).await;
        event
            .context("no event within the time limit")?
            .context("no listener")?
    }
}

/// Waits until the server holds this number of requests of a kind.
async fn wait_until_held(client: &Client, kind: &str, number: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let held = client.held(kind).await?;
        if held == number {
            return Ok(());
        }
        let late = format!("the server holds {held} requests of kind {kind} instead of {number}");
        ensure!(Instant::now() < deadline, late);
        sleep(LOOK_EVERY).await;
    }
}

/// Keys that are set one after another, each with its number at the end.
struct Keys {
    next: AtomicUsize,
    /// The beginnings of keys, in turn.
    prefixes: Vec<String>,
}

impl Keys {
    fn new(prefixes: Vec<String>) -> Arc<Self> {
        let next = AtomicUsize::new(0);
        Arc::new(Self { next, prefixes })
    }

    fn next(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{}{number:09}", self.prefixes[number % self.prefixes.len()])
    }
}

/// Starts sets at an even pace, also while earlier ones wait for their answers; returns the start of each.
async fn set_evenly(client: &Client, time: Duration, keys: &Keys) -> anyhow::Result<Vec<Instant>> {
    let mut ticks = interval(Duration::from_secs(1) / PACE);
    let begun = Instant::now();
    let mut sent = Vec::new();
    let mut under_way = JoinSet::new();
    let mut idle = Vec::new();
    while begun.elapsed() < time {
        ticks.tick().await;
        while let Some(done) = under_way.try_join_next() {
            idle.push(done??);
        }
        let mut connection = match idle.pop() {
            Some(connection) => connection,
            None => client.connect().await?,
        };
        let key = keys.next();
        sent.push(Instant::now());
        under_way.spawn(async move {
            connection.set(&key, VALUE).await?;
            anyhow::Ok(connection)
        });
    }
    all(under_way).await?;
    Ok(sent)
}

/// Prints that the load has begun, and keeps it up until the end of standard input.
pub(crate) async fn keep_up<T>(
    goes_on: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<()> {
    println!("ready");
    let mut rest = Vec::new();
    let mut input = tokio::io::stdin();
    tokio::select! {
        ended = input.read_to_end(&mut rest) => Ok(ended.map(drop)?),
        failed = goes_on => failed.map(drop),
    }
}
