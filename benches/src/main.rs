//! Limits and load generators for measurements of the service, and the program that fills stores for them.
//!
//! | module | contents |
//! | --- | --- |
//! | `bare_server`, `append` | the limits for a read and a durable write: hyper alone, and appends to a file |
//! | `ask` | requests of which the time or the answer matters, and the command line |
//! | `held` | waits, watches and claims on thousands of connections at once |
//! | `long_run`, `plot` | mixed requests for an hour, and the plot of them |
//! | `revoke` | a list of revoked tokens |
//! | `issuer` | callers with tokens of an issuer that does not answer |
//! | `fill` | fills stores without a server |
//! | `client`, `measure`, `names` | connections, figures; users, keys and values |
//!
//! Figures are printed one a line as `NAME NUMBER`. `requests.lua` has the requests that wrk sends; `nats_puts.py` and
//! `redis.py` load these peers, which have no HTTP.
#![expect(clippy::print_stdout, reason = "prints its measurements")]
#![expect(clippy::print_stderr, reason = "prints its progress")]

mod append;
mod ask;
mod bare_server;
mod client;
mod fill;
mod held;
mod issuer;
mod long_run;
mod measure;
mod names;
mod plot;
mod revoke;

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Parser;
use client::Client;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The measurement, its load and its time.
#[derive(Clone, Parser)]
struct Load {
    /// The URL of all keys of a server, with an IP address.
    #[arg(long, default_value = "")]
    url: String,
    /// A token of the user of the keys.
    #[arg(long, default_value = "")]
    token: String,
    /// The server's process id.
    #[arg(long, default_value_t = 0)]
    pid: u32,
    /// The server's data folder.
    #[arg(long, default_value = ".")]
    data: PathBuf,
    /// A folder for temporary files.
    #[arg(long, default_value = ".")]
    scratch: PathBuf,
    /// Requests in flight at any time.
    #[arg(long, default_value_t = 1)]
    connections: u32,
    /// The number of keys of each user from which requests choose.
    #[arg(long, default_value_t = 0)]
    keys: u64,
    /// Bytes of each value.
    #[arg(long, default_value_t = 1_000)]
    bytes: usize,
    /// Seconds of each measurement that has no fixed number of requests.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// The measurement or preparation, and its arguments.
    words: Vec<String>,
}

fn main() -> anyhow::Result<()> {
    let load = Load::parse();
    measure::raise_open_files()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(load.run());
    // A blocked read of standard input must not delay the end.
    runtime.shutdown_background();
    done
}

impl Load {
    async fn run(&self) -> anyhow::Result<()> {
        let words: Vec<_> = self.words.iter().map(String::as_str).collect();
        let number = |word: &str| word.parse::<usize>();
        match words[..] {
            ["bare-server"] => bare_server::serve(None).await,
            ["bare-server", folder] => bare_server::serve(Some(Path::new(folder))).await,
            ["append"] => append::measure(self),
            ["tokens", users] => names::print_tokens(&self.data, users.parse()?),
            ["fill", users, folders, times, settle_seconds] => {
                let users = users.parse()?;
                let (folders, times) = (folders.parse()?, times.parse()?);
                fill::run(self, users, folders, times, settle_seconds.parse()?).await
            }
            ["once", path] => ask::once(self, path).await,
            ["every-page", folders] => ask::every_page(self, folders.parse()?).await,
            ["stream", path, lines] => ask::stream(self, path, number(lines)?).await,
            ["delete", prefix, keys] => ask::delete(self, prefix, keys).await,
            ["batches"] => ask::batches(self).await,
            ["revoke", tokens] => revoke::run(self, tokens.parse()?).await,
            ["refused"] => issuer::refused(self).await,
            ["hang", port] => issuer::hang(self, port.parse()?).await,
            ["kv-get"] => ask::kv_get(self),
            ["kv-load", rows] => ask::kv_load(self, number(rows)?).await,
            ["waits", requests, sets] => {
                held::waits::run(self, number(requests)?, number(sets)?).await
            }
            ["watches", watches, prefixes] => {
                held::watches::run(self, number(watches)?, number(prefixes)?).await
            }
            ["claims", workers, pieces, live, waiting] => {
                let workers = number(workers)?;
                held::claims::shared(self, workers, number(pieces)?).await?;
                held::claims::behind_others(self, number(live)?, number(waiting)?).await?;
                held::claims::as_they_come(self, workers).await
            }
            ["long-run", minutes, plot] => {
                long_run::run(self, minutes.parse()?, Path::new(plot)).await
            }
            _ => bail!("unknown measurement {words:?}"),
        }
    }

    fn client(&self) -> anyhow::Result<Client> {
        Client::new(&self.url, &self.token)
    }
}
