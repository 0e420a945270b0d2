//! Many requests that are held at once, at a running server.
//!
//! Each listener has a connection of its own and tells of every key that reaches it. Figures come first, then
//! `ready`. From then on the load is kept up, so that something else can be measured beside it, until standard
//! input ends.

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

/// How long something that has to happen may take before the measurement has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is looked whether something has happened.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Keys that are set in a second where delays are measured, and their values, which nobody reads.
const PACE: u32 = 200;
const VALUE: &[u8] = &[b'x'; 100];

/// A key that reached a listener.
struct Event {
    /// The number of the key, or of the listener where each has a key of its own.
    number: usize,
    at: Instant,
}

/// Sends events, or the reason why there will be no more.
type Events = UnboundedSender<anyhow::Result<Event>>;

struct Listeners(UnboundedReceiver<anyhow::Result<Event>>);

impl Listeners {
    /// Starts so many, waits until the server holds a request of each, and notes the memory that each has added.
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
                    // Where nobody wants to know any more, the measurement is over.
                    let _ = tell.send(Err(error));
                }
            });
        }
        wait_until_held(&client, kind, count).await?;
        let added = measure::resident(load.pid)?.saturating_sub(before);
        note(figure, added as f64 / 1_024.0 / count as f64);
        Ok(Self(told))
    }

    /// Sets keys evenly for a while, each of which has to reach so many listeners once; notes how long that took.
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
            *missing.context("a key reached too many listeners")? -= 1;
            delays.push(milliseconds(event.at - sent[event.number]));
        }
        note_times(figure, delays)
    }

    /// The next event, which has to come soon.
    async fn next(&mut self) -> anyhow::Result<Event> {
        let event = timeout(PATIENCE, self.0.recv()).await;
        event.context("no event comes")?.context("no listener")?
    }
}

/// Waits until the server holds so many requests of a kind.
async fn wait_until_held(client: &Client, kind: &str, number: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let held = client.held(kind).await?;
        if held == number {
            return Ok(());
        }
        let late = format!("{held} instead of {number} requests of kind {kind} are held");
        ensure!(Instant::now() < deadline, late);
        sleep(LOOK_EVERY).await;
    }
}

/// Keys that are set one after another, with their number at the end; no two are the same.
struct Keys {
    next: AtomicUsize,
    /// What each begins with, in turn.
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

/// Sets keys at an even pace, however long each takes; answers when each was sent.
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

/// Says that the load is there, and lets it go on until it is not wanted any more.
async fn keep_up<T>(goes_on: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<()> {
    println!("ready");
    let mut rest = Vec::new();
    let mut input = tokio::io::stdin();
    tokio::select! {
        ended = input.read_to_end(&mut rest) => Ok(ended.map(drop)?),
        failed = goes_on => failed.map(drop),
    }
}
