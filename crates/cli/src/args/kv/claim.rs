//! The arguments of `kv claim`.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;
use prominence_core::Prefix;
use prominence_core::limits::MAX_CLAIM;

use super::lock::DEFAULT_GRACE;
use crate::args::values;

/// How long a claim outlives a worker that has died, where nothing else is said.
const DEFAULT_HOLD: &str = "10m";

/// How long a key is left alone after its first failed attempt, where nothing else is said: long enough
/// that a worker does not spend its time on one key that fails at once.
const DEFAULT_RETRY_DELAY: &str = "5s";

/// The most commands at once: more than any machine has processors for, and few enough threads.
const MAX_WORKERS: i64 = 1_024;

/// What to work on, and how.
#[derive(Args)]
#[command(
    override_usage = "prominence kv claim [OPTIONS] <PREFIX> -- <CMD>...",
    after_help = "Examples:
  prominence kv claim /queue/ -- ./work.sh
  prominence kv claim /queue/ --for 2m --wait 1h -- ./work.sh
  prominence kv claim /queue/ --until-empty --workers 4 -- ./work.sh
  prominence kv claim /queue/ --until-empty --max-attempts 3 --dead-letter /failed/ -- ./work.sh

CMD reads the value from its standard input and finds in its environment PROMINENCE_KEY, the key,
and PROMINENCE_ATTEMPT, how many times the key has been claimed since its value was set; the fields
of a value that is a JSON object are in variables such as PROMINENCE_FIELD_RATE. When CMD ends with
status 0, the key is deleted; when it fails, the key is released for another worker. While CMD runs,
the claim is renewed; where the claim is lost, CMD is stopped.

With --until-empty, each key is tried once by this run, and a key whose CMD failed stays claimed
until nothing else is free. With --max-attempts, a key whose CMD failed stays claimed for
--retry-delay and is then free for every worker, until it has been claimed N times.

Exit status: that of CMD, 128 and the signal where one ended it, 127 where there is no such
command, 126 where it can't be run; 1 where there was nothing to claim, or the claim was lost.
With --until-empty or several workers: 0 where all succeeded, 1 where any failed or was moved, and
with --no-wait where others hold keys."
)]
pub(crate) struct Claim {
    /// What the keys begin with; the first that nobody holds is claimed.
    #[arg(value_name = "PREFIX", value_parser = values::prefix)]
    pub(crate) prefix: Prefix,

    /// How long a claim outlives this program where it is killed, at most 7d; renewed while CMD
    /// runs.
    #[arg(long = "for", value_name = "DURATION", default_value = DEFAULT_HOLD, value_parser = hold)]
    pub(crate) hold: Duration,

    /// Where there is nothing to claim, wait this long for something.
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub(crate) wait: Option<Duration>,

    /// Run so many commands side by side, each with a key of its own.
    #[arg(long, value_name = "N", default_value = "1",
          value_parser = clap::value_parser!(u16).range(1..=MAX_WORKERS))]
    pub(crate) workers: u16,

    /// Go on until no key is left; wait for keys that other workers hold, which come back where a
    /// worker fails or is killed.
    #[arg(long)]
    pub(crate) until_empty: bool,

    /// Don't wait for keys that other workers hold; with --until-empty, name them and end with
    /// status 1.
    #[arg(long, requires = "until_empty", conflicts_with = "wait")]
    pub(crate) no_wait: bool,

    /// Begin nothing more once so many commands have failed [default: go on].
    #[arg(long, value_name = "N", requires = "until_empty",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_failures: Option<u64>,

    /// Move a key that has been claimed N times without success below --dead-letter. A claim of a
    /// worker that was killed counts as well.
    #[arg(long, value_name = "N", requires = "dead_letter",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_attempts: Option<u64>,

    /// Where --max-attempts moves keys: the rest of the key behind PREFIX follows this prefix.
    #[arg(long, value_name = "PREFIX", requires = "max_attempts", value_parser = values::prefix)]
    pub(crate) dead_letter: Option<Prefix>,

    /// How long nobody claims a key after its first failed attempt; with --max-attempts only. Twice
    /// as long after each further one, at most 10m.
    #[arg(long, value_name = "DURATION", default_value = DEFAULT_RETRY_DELAY,
          value_parser = values::duration)]
    pub(crate) retry_delay: Duration,

    /// Where the claim is lost: how long CMD may take to end after SIGTERM, before SIGKILL.
    #[arg(long, value_name = "DURATION", default_value = DEFAULT_GRACE,
          value_parser = values::duration)]
    pub(crate) grace: Duration,

    /// Print what happens to each key as JSON, one object a line; CMD's standard output goes to
    /// standard error.
    #[arg(long)]
    pub(crate) json: bool,

    /// Show no progress on a terminal.
    #[arg(long, short)]
    pub(crate) quiet: bool,

    /// The command and its arguments.
    #[arg(value_name = "CMD", required = true, last = true)]
    pub(crate) command: Vec<OsString>,
}

/// Which claimed keys to show, and how.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv claims
  prominence kv claims /queue/
  prominence kv claims /queue/ --json | jq -r '.[].key'

Shows until when each claim lasts unless it is renewed, how many times the key was claimed since its
value was set, and the job that holds it. The claim that ends first comes first. Whether a claim has
ended is judged by this machine's clock.")]
pub(crate) struct Claims {
    /// What the keys begin with [default: every key].
    #[arg(value_name = "PREFIX", value_parser = values::prefix)]
    pub(crate) prefix: Option<Prefix>,

    /// Print JSON: an array of objects with all that is known about each.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A duration that a claim can have.
fn hold(text: &str) -> Result<Duration, String> {
    let hold = values::duration(text).map_err(|error| error.to_string())?;
    if hold > MAX_CLAIM {
        return Err("a claim lasts at most 7d; it is renewed while CMD runs".to_owned());
    }
    Ok(hold)
}
