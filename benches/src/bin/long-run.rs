//! Mixed requests for a long time: at first as many as are answered, then two thirds of that rate, evenly.
//!
//! Of 100 requests 50 set one of the keys to a fresh value, 43 get one, 5 delete one, 2 list a page. In the
//! even part a request counts from the moment at which it is due, so that requests that wait for a slow answer
//! on the same connection count as slow too; the timer's millisecond counts as well. It says how each step went,
//! prints figures as `NAME NUMBER` in the end, and draws the steps.
#![expect(clippy::print_stdout, reason = "prints its measurements")]
#![expect(clippy::print_stderr, reason = "says how it goes")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Parser;
use fastrand::Rng;
use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use prominence_bench::client::{Client, Connection};
use prominence_bench::plot::{Curve, plot};
use prominence_bench::random;
use prominence_bench::{measure, names};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Values are cut out of so many random bytes.
const POOL_BYTES: usize = 1 << 20;

/// Mixes requests for a long time.
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
    /// The server's data folder.
    #[arg(long)]
    folder: PathBuf,
    /// Keys to choose from.
    #[arg(long, default_value_t = 200_000)]
    keys: u64,
    /// Bytes of a value.
    #[arg(long, default_value_t = 1_000)]
    bytes: usize,
    /// Connections, each with one request at a time.
    #[arg(long, default_value_t = 128)]
    connections: u32,
    /// Seconds in which as many are sent as are answered.
    #[arg(long, default_value_t = 60)]
    first: u64,
    /// Minutes at the even rate.
    #[arg(long)]
    minutes: u32,
    /// Where the steps are drawn.
    #[arg(long)]
    plot: PathBuf,
    /// Seconds of a step.
    #[arg(long, default_value_t = 10)]
    step: u32,
}

const MEBIBYTE: f64 = 1_048_576.0;

/// The figures of a step.
struct Step {
    rate: f64,
    p99: f64,
    /// Mebibytes of the server's memory, and of its folder.
    memory: f64,
    disk: f64,
}

/// What all connections share.
struct Mix {
    client: Client,
    pool: Bytes,
    keys: u64,
    bytes: usize,
    done: AtomicU64,
    over: AtomicBool,
}

/// How long a request took; or why there are no more.
type Told = anyhow::Result<Duration>;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(&arguments))
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let client = Client::new(&arguments.url, &arguments.token)?;
    let keys: Vec<_> = (0..arguments.keys)
        .map(|number| names::key(number, arguments.keys, 0))
        .collect();
    let value = "x".repeat(arguments.bytes);
    client.connect().await?.set_all(&keys, &value).await?;
    let mix = Arc::new(Mix {
        client,
        pool: random::value(&mut Rng::with_seed(0), POOL_BYTES).into(),
        keys: arguments.keys,
        bytes: arguments.bytes,
        done: AtomicU64::new(0),
        over: AtomicBool::new(false),
    });
    let top = as_many_as_can_be(&mix, arguments).await?;
    println!("top rate {top:.0}");
    let steps = evenly(&mix, arguments, top * 2.0 / 3.0).await?;
    sum_up(&steps)?;
    let curve = |name, of: fn(&Step) -> f64| Curve {
        name,
        points: steps.iter().map(of).collect(),
    };
    let curves = [
        curve("p99 of each 10 s, ms", |step| step.p99),
        curve("memory, MiB", |step| step.memory),
        curve("disk, MiB", |step| step.disk),
    ];
    std::fs::write(&arguments.plot, plot(arguments.minutes, &curves))?;
    eprintln!("drew {}", arguments.plot.display());
    Ok(())
}

/// The halves of the run beside each other: the medians of their steps.
fn sum_up(steps: &[Step]) -> anyhow::Result<()> {
    let percentile = |steps: &[Step], percent, of: fn(&Step) -> f64| {
        let mut figures: Vec<_> = steps.iter().map(of).collect();
        measure::percentile(&mut figures, percent).context("there are fewer than two steps")
    };
    let (first, second) = steps.split_at(steps.len() / 2);
    for (name, half) in [("first half", first), ("second half", second)] {
        println!("p99, {name} {}", percentile(half, 50, |step| step.p99)?);
        println!(
            "memory, {name} {}",
            percentile(half, 50, |step| step.memory)?
        );
        println!("disk, {name} {}", percentile(half, 50, |step| step.disk)?);
    }
    println!("rate {}", percentile(steps, 50, |step| step.rate)?);
    println!(
        "p99, slowest step {}",
        percentile(steps, 100, |step| step.p99)?
    );
    Ok(())
}

/// Requests a second where each connection sends the next one at once.
async fn as_many_as_can_be(mix: &Arc<Mix>, arguments: &Arguments) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let until = begun + Duration::from_secs(arguments.first);
    let mut connections = JoinSet::new();
    for number in 0..arguments.connections {
        let mix = Arc::clone(mix);
        connections.spawn(async move {
            let mut connection = mix.client.connect().await?;
            let mut random = Rng::with_seed(u64::from(number));
            while Instant::now() < until {
                mix.ask(&mut connection, &mut random).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = connections.join_next().await {
        done??;
    }
    let done = u32::try_from(mix.done.load(Ordering::Relaxed))?;
    Ok(f64::from(done) / begun.elapsed().as_secs_f64())
}

/// Requests at this rate; answers what each step came to.
async fn evenly(mix: &Arc<Mix>, arguments: &Arguments, rate: f64) -> anyhow::Result<Vec<Step>> {
    let (tell, mut told) = unbounded_channel();
    let each = Duration::from_secs_f64(f64::from(arguments.connections) / rate);
    let begun = Instant::now();
    for number in 0..arguments.connections {
        let mix = Arc::clone(mix);
        let tell = tell.clone();
        let first = begun + each * number / arguments.connections;
        tokio::spawn(async move {
            if let Err(error) = keep_pace(&mix, first, each, u64::from(number), &tell).await {
                let _ = tell.send(Err(error));
            }
        });
    }
    let mut steps = Vec::new();
    for step in 1..=arguments.minutes * 60 / arguments.step {
        let end = begun + Duration::from_secs(u64::from(step * arguments.step));
        sleep_until(end).await;
        let mut times = Vec::new();
        while let Ok(told) = told.try_recv() {
            times.push(told?.as_secs_f64() * 1_000.0);
        }
        let rate = f64::from(u32::try_from(times.len())?) / f64::from(arguments.step);
        let p99 = measure::percentile(&mut times, 99).context("nothing was answered")?;
        let memory = measure::resident(arguments.pid)? as f64 / MEBIBYTE;
        let disk = measure::disk(&arguments.folder)? / MEBIBYTE;
        let seconds = step * arguments.step;
        eprintln!("    {seconds} s: {rate:.0}/s, p99 {p99:.3} ms, {memory:.1} and {disk:.1} MiB");
        steps.push(Step {
            rate,
            p99,
            memory,
            disk,
        });
    }
    mix.over.store(true, Ordering::Relaxed);
    Ok(steps)
}

/// One connection's share: a request every so often, each timed from when it is due.
async fn keep_pace(
    mix: &Mix,
    first: Instant,
    each: Duration,
    seed: u64,
    tell: &UnboundedSender<Told>,
) -> anyhow::Result<()> {
    let mut connection = mix.client.connect().await?;
    let mut random = Rng::with_seed(seed << 32);
    let mut due = first;
    while !mix.over.load(Ordering::Relaxed) {
        sleep_until(due).await;
        mix.ask(&mut connection, &mut random).await?;
        if tell.send(Ok(due.elapsed())).is_err() {
            break;
        }
        due += each;
    }
    Ok(())
}

impl Mix {
    /// One request, which has to be answered as it should.
    async fn ask(&self, connection: &mut Connection, random: &mut Rng) -> anyhow::Result<()> {
        let number = random.u64(..);
        let key = names::key((number >> 32) % self.keys, self.keys, 0);
        let path = format!("/kv{key}");
        let answer = match number % 100 {
            0..50 => {
                let place = usize::try_from(number >> 8)? % (POOL_BYTES - self.bytes);
                let value = self.pool.slice(place..place + self.bytes);
                connection.ask(Method::POST, &path, &[], value).await?
            }
            50..93 => connection.ask(Method::GET, &path, &[], "").await?,
            93..98 => connection.ask(Method::DELETE, &path, &[], "").await?,
            _ => {
                let page = format!("/kv/k/?list&limit=100&after={key}");
                connection.ask(Method::GET, &page, &[], "").await?
            }
        };
        // Whichever key was deleted may be asked for.
        let is_fine = answer.status.is_success() || answer.status == StatusCode::NOT_FOUND;
        ensure!(is_fine, "{path}: {answer:?}");
        self.done.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
