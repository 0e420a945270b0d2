//! What the service is measured against, what asks it where wrk can't, and what fills stores for that.
//!
//! | module | what it does |
//! | --- | --- |
//! | `bare_server`, `append` | the limits for a read and a durable write: hyper alone, and appends to a file |
//! | `ask` | single requests whose time or answer matters, and the command line |
//! | `held` | waits, watches and claims on thousands of connections at once |
//! | `long_run`, `plot` | mixed requests for an hour, and the plot of them |
//! | `revoke` | a list of revoked tokens |
//! | `fill` | stores that are filled without a server |
//! | `client`, `measure`, `names` | connections, figures; users, keys and values |
//!
//! Figures are printed one a line as `NAME NUMBER`. `requests.lua` is what wrk asks of a server; `nats_puts.py`
//! and `redis.py` ask those peers, which have no HTTP.
#![expect(clippy::print_stdout, reason = "prints its measurements")]
#![expect(clippy::print_stderr, reason = "says how it goes")]

mod append;
mod ask;
mod bare_server;
mod client;
mod fill;
mod held;
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

/// What is asked, by how many, for how long.
#[derive(Clone, Parser)]
struct Load {
    /// The URL of all keys of a server, which names an address.
    #[arg(long, default_value = "")]
    url: String,
    /// A token of whose keys are used.
    #[arg(long, default_value = "")]
    token: String,
    /// The server's process.
    #[arg(long, default_value_t = 0)]
    pid: u32,
    /// The server's data folder.
    #[arg(long, default_value = ".")]
    data: PathBuf,
    /// A folder for files that nobody needs afterwards.
    #[arg(long, default_value = ".")]
    scratch: PathBuf,
    /// Requests that are under way at any time.
    #[arg(long, default_value_t = 1)]
    connections: u32,
    /// Keys to choose from, of each user.
    #[arg(long, default_value_t = 0)]
    keys: u64,
    /// Bytes of each value.
    #[arg(long, default_value_t = 1_000)]
    bytes: usize,
    /// How long each thing is measured whose end is not told by its number.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// The measurement or preparation, and its numbers.
    words: Vec<String>,
}

fn main() -> anyhow::Result<()> {
    let load = Load::parse();
    measure::raise_open_files()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(load.run());
    // Reading standard input may still block a thread.
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
            _ => bail!("there is no measurement {words:?}"),
        }
    }

    fn client(&self) -> anyhow::Result<Client> {
        Client::new(&self.url, &self.token)
    }
}
