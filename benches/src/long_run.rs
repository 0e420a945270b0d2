//! Mixed requests for a long time: first at the highest rate, then at two thirds of it, evenly.
//!
//! Of 100 requests 50 set one of the keys to a fresh value, 43 get one, 5 delete one, 2 list a page. In the even part
//! the time of a request begins when it is due, so that requests behind a slow answer on the same connection count as
//! slow too; the error of the timer, up to a millisecond, is included. The program prints the figures of each step, and
//! draws them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use fastrand::Rng;
use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until};

use crate::client::{Client, Connection};
use crate::measure::{self, milliseconds, note};
use crate::plot::plot;
use crate::{Load, names};

/// The number of random bytes from which values are cut.
const POOL_BYTES: usize = 1 << 20;

/// The time at the highest rate, and the length of a step.
const FIRST: Duration = Duration::from_secs(60);
const STEP_SECONDS: u32 = 10;

const MEBIBYTE: f64 = 1_048_576.0;

/// The figures of a step: requests a second, milliseconds, MiB.
struct Step {
    rate: f64,
    p99: f64,
    memory: f64,
    disk: f64,
}

/// A figure of each step.
type Of = fn(&Step) -> f64;

/// Shared by all connections.
struct Mix {
    client: Client,
    pool: Bytes,
    load: Load,
}

/// The time of a request in milliseconds; or the error that ended its connection.
type Told = anyhow::Result<f64>;

/// Sends requests at the even rate for this number of minutes, and draws the steps into a file.
pub(crate) async fn run(load: &Load, minutes: u32, file: &Path) -> anyhow::Result<()> {
    let client = load.client()?;
    let value = "x".repeat(load.bytes);
    let entries = (0..load.keys).map(|number| (names::key(number, load.keys, 0), value.clone()));
    client.connect().await?.set_all(entries).await?;
    let pool = names::value(&mut Rng::with_seed(0), POOL_BYTES).into();
    let load = load.clone();
    let mix = Arc::new(Mix { client, pool, load });
    let top = as_many_as_can_be(&mix).await?;
    note("top rate", top.round());
    let steps = evenly(&mix, minutes, top * 2.0 / 3.0).await?;
    sum_up(&steps)?;
    let curve =
        |name, of: Of| -> (&'static str, Vec<f64>) { (name, steps.iter().map(of).collect()) };
    let curves = [
        curve("p99 of each 10 s, ms", |step| step.p99),
        curve("memory, MiB", |step| step.memory),
        curve("disk, MiB", |step| step.disk),
    ];
    std::fs::write(file, plot(minutes, &curves))?;
    eprintln!("drew {}", file.display());
    Ok(())
}

/// Notes the medians of the steps of each half.
fn sum_up(steps: &[Step]) -> anyhow::Result<()> {
    let figure = |steps: &[Step], percent, of: Of| {
        let mut figures: Vec<_> = steps.iter().map(of).collect();
        measure::percentile(&mut figures, percent).context("there are fewer than two steps")
    };
    let (first, second) = steps.split_at(steps.len() / 2);
    let figures: [(_, Of); 3] = [
        ("p99", |step| step.p99),
        ("memory", |step| step.memory),
        ("disk", |step| step.disk),
    ];
    for (name, of) in figures {
        note(&format!("{name}, first half"), figure(first, 50, of)?);
        note(&format!("{name}, second half"), figure(second, 50, of)?);
    }
    note("rate", figure(steps, 50, |step| step.rate)?);
    note("p99, slowest step", figure(steps, 100, |step| step.p99)?);
    Ok(())
}

/// Requests a second when each connection sends the next one at once.
async fn as_many_as_can_be(mix: &Arc<Mix>) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let mut told = mix.start(begun, begun + FIRST, Duration::ZERO);
    let mut count = 0_u64;
    while let Some(answered) = told.recv().await {
        answered?;
        count += 1;
    }
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}

/// Sends requests at this rate; returns the figures of each step.
async fn evenly(mix: &Arc<Mix>, minutes: u32, rate: f64) -> anyhow::Result<Vec<Step>> {
    let each = Duration::from_secs_f64(f64::from(mix.load.connections) / rate);
    let begun = Instant::now();
    let until = begun + Duration::from_secs(u64::from(minutes) * 60);
    let mut told = mix.start(begun, until, each);
    let mut steps = Vec::new();
    for step in 1..=minutes * 60 / STEP_SECONDS {
        let seconds = step * STEP_SECONDS;
        sleep_until(begun + Duration::from_secs(u64::from(seconds))).await;
        let mut times = Vec::new();
        while let Ok(answered) = told.try_recv() {
            times.push(answered?);
        }
        let rate = times.len() as f64 / f64::from(STEP_SECONDS);
        let p99 = measure::percentile(&mut times, 99)?;
        let memory = measure::resident(mix.load.pid)? as f64 / MEBIBYTE;
        let disk = measure::disk(&mix.load.data)? / MEBIBYTE;
        eprintln!("    {seconds} s: {rate:.0}/s, p99 {p99:.3} ms, {memory:.1} and {disk:.1} MiB");
        steps.push(Step {
            rate,
            p99,
            memory,
            disk,
        });
    }
    Ok(steps)
}

impl Mix {
    /// Starts connections that send requests until then. Each request is due `each` after the one before, and is sent
    /// then, or after the answer before if that is later. The channel gets the time from due to answer.
    fn start(
        self: &Arc<Self>,
        begun: Instant,
        until: Instant,
        each: Duration,
    ) -> UnboundedReceiver<Told> {
        let (tell, told) = unbounded_channel();
        for number in 0..self.load.connections {
            let (mix, tell) = (Arc::clone(self), tell.clone());
            let due = begun + each * number / self.load.connections;
            let random = Rng::with_seed(u64::from(number));
            tokio::spawn(async move {
                if let Err(error) = mix.keep_pace(due, until, each, random, &tell).await {
                    // This fails where the measurement is over and no error matters.
                    let _ = tell.send(Err(error));
                }
            });
        }
        told
    }

    async fn keep_pace(
        &self,
        mut due: Instant,
        until: Instant,
        each: Duration,
        mut random: Rng,
        tell: &UnboundedSender<Told>,
    ) -> anyhow::Result<()> {
        let mut connection = self.client.connect().await?;
        while due.max(Instant::now()) < until {
            if !each.is_zero() {
                sleep_until(due).await;
            }
            self.ask(&mut connection, &mut random).await?;
            if tell.send(Ok(milliseconds(due.elapsed()))).is_err() {
                break;
            }
            due += each;
        }
        Ok(())
    }

    /// Sends one request, which has to succeed.
    async fn ask(&self, connection: &mut Connection, random: &mut Rng) -> anyhow::Result<()> {
        let number = random.u64(..);
        let key = names::key((number >> 32) % self.load.keys, self.load.keys, 0);
        let page = format!("/k/?list&limit=100&after={key}");
        let (method, path, value) = match number % 100 {
            0..50 => {
                let place = usize::try_from(number >> 8)? % (POOL_BYTES - self.load.bytes);
                let value = self.pool.slice(place..place + self.load.bytes);
                (Method::POST, &key, value)
            }
            50..93 => (Method::GET, &key, Bytes::new()),
            93..98 => (Method::DELETE, &key, Bytes::new()),
            _ => (Method::GET, &page, Bytes::new()),
        };
        let answer = connection.ask(method, path, None, value).await?;
        // A key may have been deleted before.
        let is_fine = answer.status().is_success() || answer.status() == StatusCode::NOT_FOUND;
        ensure!(is_fine, "{path}: {answer:?}");
        Ok(())
    }
}
