//! Asks an etcd cluster without a server in between: what the engine over etcd is measured beside.
//!
//! ```text
//! bare_etcd ENDPOINT[,ENDPOINT…] CONNECTIONS SECONDS fill|get|set|list|add
//! ```
//!
//! So many tasks ask one request after another. `fill` puts the keys; the others choose among them at
//! random: `get` and `set` one with its value, `list` the names of a page, and `add` reads the one number
//! that all share and puts the sum unless it has changed meanwhile, and tries again where it has. Reads are
//! linearizable. It prints the requests a second and the 99th percentile of their times in milliseconds.
#![expect(clippy::print_stdout, reason = "prints its measurement")]

use std::error::Error;
use std::time::{Duration, Instant};

use etcd_client::{Client, Compare, CompareOp, GetOptions, GetResponse, Txn, TxnOp, TxnOpResponse};

/// Keys to choose from, and bytes of each value.
const KEYS: u32 = 10_000;
const VALUE_BYTES: usize = 1_000;

/// Names in a page.
const PAGE: u32 = 100;

/// Requests that share a connection of HTTP/2: more of them wait for each other, and as many connections
/// as requests cost etcd more than they bring.
const REQUESTS_OF_CONNECTION: usize = 8;

/// The number that is added to.
const NUMBER: &str = "bare/number";

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Fill,
    Get,
    Set,
    List,
    Add,
}

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [endpoints, connections, seconds, what] = &arguments[..] else {
        return Err("bare_etcd ENDPOINTS CONNECTIONS SECONDS fill|get|set|list|add".into());
    };
    let endpoints: Vec<_> = endpoints.split(',').collect();
    let what = match &what[..] {
        "fill" => What::Fill,
        "get" => What::Get,
        "set" => What::Set,
        "list" => What::List,
        "add" => What::Add,
        other => return Err(format!("{other} is none of fill, get, set, list, add").into()),
    };
    let tasks: usize = connections.parse()?;
    let lasts = Duration::from_secs(seconds.parse()?);
    let mut clients = Vec::new();
    for number in 0..tasks.div_ceil(REQUESTS_OF_CONNECTION) {
        // One member a connection, each in its turn, as servers of a site would spread.
        let endpoint = endpoints[number % endpoints.len()];
        clients.push(Client::connect([endpoint], None).await?);
    }
    let started = Instant::now();
    let asking = (0..tasks).map(|task| {
        let client = clients[task % clients.len()].clone();
        tokio::spawn(async move {
            match what {
                What::Fill => fill(client, task, tasks).await,
                asked => ask(client, asked, started + lasts).await,
            }
        })
    });
    let mut times = Vec::new();
    for asked in asking.collect::<Vec<_>>() {
        times.extend(asked.await??);
    }
    let took = started.elapsed();
    times.sort_unstable();
    let slowest = times
        .get(times.len() * 99 / 100)
        .ok_or("nothing was asked")?;
    let count = u32::try_from(times.len())?;
    println!("rate {:.1}", f64::from(count) / took.as_secs_f64());
    println!("p99 {:.3}", slowest.as_secs_f64() * 1_000.0);
    Ok(())
}

/// Puts one task's share of the keys.
async fn fill(mut client: Client, task: usize, tasks: usize) -> Result<Vec<Duration>, Failure> {
    let mut random = fastrand::Rng::new();
    let mut times = Vec::new();
    for number in (0..KEYS).skip(task).step_by(tasks) {
        let asked = Instant::now();
        client.put(key(number), value(&mut random), None).await?;
        times.push(asked.elapsed());
    }
    Ok(times)
}

/// Asks one request after another until then.
async fn ask(mut client: Client, what: What, until: Instant) -> Result<Vec<Duration>, Failure> {
    let mut random = fastrand::Rng::new();
    let mut times = Vec::new();
    while Instant::now() < until {
        let number = random.u32(..KEYS);
        let asked = Instant::now();
        match what {
            What::Get => {
                let found = client.get(key(number), None).await?;
                if found.kvs().is_empty() {
                    return Err("the cluster isn't filled".into());
                }
            }
            What::List => {
                let page = GetOptions::new()
                    .with_range("bare/k/~")
                    .with_keys_only()
                    .with_limit(i64::from(PAGE));
                let after = number.min(KEYS - PAGE);
                client.get(key(after), Some(page)).await?;
            }
            What::Add => add(&mut client).await?,
            What::Set | What::Fill => {
                client.put(key(number), value(&mut random), None).await?;
            }
        }
        times.push(asked.elapsed());
    }
    Ok(times)
}

/// Adds one. Who comes second is told the number as it is now.
async fn add(client: &mut Client) -> Result<(), Failure> {
    let mut seen = client.get(NUMBER, None).await?;
    loop {
        let (number, revision) = held(&seen)?;
        let unchanged = Compare::mod_revision(NUMBER, CompareOp::Equal, revision);
        let put = TxnOp::put(NUMBER, (number + 1).to_string(), None);
        let attempt = Txn::new()
            .when([unchanged])
            .and_then([put])
            .or_else([TxnOp::get(NUMBER, None)]);
        let done = client.txn(attempt).await?;
        if done.succeeded() {
            return Ok(());
        }
        let Some(TxnOpResponse::Get(now)) = done.op_responses().into_iter().next() else {
            return Err("the number wasn't read".into());
        };
        seen = now;
    }
}

/// A number and its revision; 0 where there is none.
fn held(seen: &GetResponse) -> Result<(i64, i64), Failure> {
    let Some(entry) = seen.kvs().first() else {
        return Ok((0, 0));
    };
    Ok((entry.value_str()?.parse()?, entry.mod_revision()))
}

fn key(number: u32) -> String {
    format!("bare/k/{number:08}")
}

/// Fresh, so that nothing can be compressed.
fn value(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut value = vec![0; VALUE_BYTES];
    random.fill(&mut value);
    value
}
