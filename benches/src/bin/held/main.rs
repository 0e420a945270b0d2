//! Many requests that are held at once, at a running server.
//!
//! It prints one figure a line, `NAME NUMBER`, and then `ready`. From then on it keeps the load up,
//! so that something else can be measured beside it, until its standard input ends.
#![expect(clippy::print_stdout, reason = "prints its measurements")]

mod claims;
mod waits;
mod watches;

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::{Parser, Subcommand};
use prominence_bench::client::Client;
use prominence_bench::measure;
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{sleep, timeout};

/// How long something that has to happen may take before the measurement has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is looked whether something has happened.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Measures requests that are held.
#[derive(Parser)]
struct Arguments {
    /// The server, as PROMINENCE_URL has it.
    #[arg(long)]
    url: String,
    /// A token of whose keys are used.
    #[arg(long)]
    token: String,
    /// The server's process.
    #[arg(long)]
    pid: u32,
    /// For how long each thing is measured whose end is not told by its number.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Requests that wait for keys, each for another one.
    Waits(waits::Options),
    /// Watches of prefixes in which much happens.
    Watches(watches::Options),
    /// Workers that take pieces of work from one queue.
    Claims(claims::Options),
}

/// What is measured.
#[derive(Clone)]
struct Setting {
    client: Client,
    pid: u32,
    measured: Duration,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    measure::raise_open_files()?;
    let setting = Setting {
        client: Client::new(&arguments.url, &arguments.token)?,
        pid: arguments.pid,
        measured: Duration::from_secs(arguments.seconds),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let measured = runtime.block_on(async {
        match arguments.what {
            What::Waits(options) => waits::run(&setting, options).await,
            What::Watches(options) => watches::run(&setting, options).await,
            What::Claims(options) => claims::run(&setting, options).await,
        }
    });
    // Reading standard input may still block a thread.
    runtime.shutdown_background();
    measured
}

impl Setting {
    /// Waits until the server holds so many requests of a kind.
    async fn holds(&self, kind: &str, number: usize) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let held = self.client.held(kind).await?;
            if held == number {
                return Ok(());
            }
            let late = format!("{held} instead of {number} requests of kind {kind} are held");
            ensure!(Instant::now() < deadline, late);
            sleep(LOOK_EVERY).await;
        }
    }

    /// KiB of the server's memory that each of some requests has added to what there was before.
    fn added(&self, before: u64, requests: usize) -> anyhow::Result<f64> {
        let after = measure::resident(self.pid)?;
        let requests = u32::try_from(requests)?;
        // Megabytes, so that a float has room for it exactly.
        let grown = u32::try_from(after.saturating_sub(before) >> 10)?;
        Ok(f64::from(grown) / f64::from(requests))
    }
}

/// Prints a figure.
fn note(name: &str, figure: f64) {
    println!("{name} {figure}");
}

/// Prints the median and the 99th percentile of some delays, in milliseconds.
fn note_delays(name: &str, mut delays: Vec<f64>) -> anyhow::Result<()> {
    let median = measure::percentile(&mut delays, 50).context("no delay")?;
    let slowest = measure::percentile(&mut delays, 99).context("no delay")?;
    note(&format!("{name}, median"), median);
    note(&format!("{name}, p99"), slowest);
    Ok(())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// What has to happen soon.
async fn soon<T>(what: &str, happens: impl Future<Output = T>) -> anyhow::Result<T> {
    timeout(PATIENCE, happens)
        .await
        .with_context(|| format!("{what} does not happen"))
}

/// Lets something go on beside the measurement, which hears of its failure.
fn tell_if_it_fails<T: Send + 'static>(
    tell: UnboundedSender<anyhow::Result<T>>,
    happens: impl Future<Output = anyhow::Result<()>> + Send + 'static,
) {
    tokio::spawn(async move {
        if let Err(error) = happens.await {
            // Where nobody listens any more, the measurement is over.
            let _ = tell.send(Err(error));
        }
    });
}

/// Says that the load is there, and waits until it is not wanted any more.
async fn keep_up() -> anyhow::Result<()> {
    println!("ready");
    let mut rest = Vec::new();
    tokio::io::stdin().read_to_end(&mut rest).await?;
    Ok(())
}
