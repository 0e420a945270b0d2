//! Requests that wait for keys, each for another one, and sets that wake one of them each.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use hyper::Method;
use prominence_bench::client::Client;
use prominence_bench::measure;
use prominence_bench::random::shuffled;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::{Setting, keep_up, milliseconds, note, note_delays, soon, tell_if_it_fails};

/// How many there are.
#[derive(clap::Args)]
pub(super) struct Options {
    /// Requests that wait.
    #[arg(long, default_value_t = 10_000)]
    requests: usize,
    /// Of these, how many are woken while it is measured.
    #[arg(long, default_value_t = 2_000)]
    sets: usize,
}

/// A request that was woken.
struct Woken {
    number: usize,
    at: Instant,
}

pub(super) async fn run(setting: &Setting, options: Options) -> anyhow::Result<()> {
    let Options { requests, sets } = options;
    ensure!(sets <= requests, "more sets than requests");
    setting.client.connect().await?.set("/warm", "x").await?;
    let before = measure::resident(setting.pid)?;
    let (tell, mut told) = unbounded_channel();
    for number in 0..requests {
        let waiting = wait(setting.client.clone(), number, tell.clone());
        tell_if_it_fails(tell.clone(), waiting);
    }
    setting.holds("wait", requests).await?;
    note("memory of a wait", setting.added(before, requests)?);

    // Opened only now, since a server ends connections on which nothing is asked for long.
    let mut writer = setting.client.connect().await?;
    let mut delays = Vec::with_capacity(sets);
    for place in 0..sets {
        let number = chosen(place, requests)?;
        let begun = Instant::now();
        writer.set(&key(number, 0), "woken").await?;
        let woken: Woken = soon("a wake-up", told.recv())
            .await?
            .context("no waiter")??;
        ensure!(woken.number == number, "another waiter was woken");
        delays.push(milliseconds(woken.at - begun));
    }
    note_delays("from a set to its waiter", delays)?;
    // Those who were woken wait again, for another key.
    setting.holds("wait", requests).await?;
    ensure!(told.is_empty(), "somebody was woken by nothing");
    keep_up().await
}

/// Waits for a key, and when that is there for the next one, and so on.
async fn wait(
    client: Client,
    number: usize,
    tell: UnboundedSender<anyhow::Result<Woken>>,
) -> anyhow::Result<()> {
    let mut connection = client.connect().await?;
    for generation in 0.. {
        let path = format!("/kv{}?wait=10m", key(number, generation));
        let answer = connection.ask(Method::GET, &path, &[], "").await?;
        ensure!(answer.status.is_success(), "{answer:?}");
        let at = Instant::now();
        if tell.send(Ok(Woken { number, at })).is_err() {
            break;
        }
    }
    Ok(())
}

fn key(number: usize, generation: u32) -> String {
    format!("/wait/{number:06}/{generation}")
}

/// A waiter, in no order and none twice.
fn chosen(place: usize, requests: usize) -> anyhow::Result<usize> {
    let chosen = shuffled(u64::try_from(place)?, u64::try_from(requests)?);
    Ok(usize::try_from(chosen)?)
}
