//! The arguments of `kv claim`.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;
use prominence_core::Prefix;
use prominence_core::limits::MAX_CLAIM;

use super::lock::DEFAULT_GRACE;
use crate::args::values;

/// The default lifetime of a claim without renewal.
const DEFAULT_HOLD: &str = "10m";

/// The default delay after the first failed attempt of a key: long enough
/// that a worker does not spend its time on one key that fails at once.
const DEFAULT_RETRY_DELAY: &str = "5s";

/// The most commands at once: more than any machine has processors for, and few enough threads.
const MAX_WORKERS: u64 = 1_024;

/// Options of `kv claim`.
#[derive(Args)]
#[command(
    override_usage = "prominence kv claim [OPTIONS] <PREFIX> -- <CMD>...",
    after_help = "Examples:
  prominence kv claim /queue/ -- ./work.sh
  prominence kv claim /queue/ --for 2m --wait 1h -- ./work.sh
  prominence kv claim /queue/ --until-empty --workers 4 -- ./work.sh
  prominence kv claim /queue/ --until-empty --max-attempts 3 \\
      --dead-letter /failed/ -- ./work.sh

CMD reads the value from its standard input and finds in its environment PROMINENCE_KEY, the key, \
and PROMINENCE_ATTEMPT, how many times the key has been claimed since its value was set; the fields \
of a value that is a JSON object are in variables such as PROMINENCE_FIELD_RATE. When CMD ends with \
status 0, the key is deleted; when it fails, the key is released for another worker. While CMD runs, \
the claim is renewed; if the claim is lost, CMD is stopped.

With --until-empty, this run tries each key once: a failed key stays claimed until this run \
finds no other free key. With --max-attempts, a failed key stays claimed for --retry-delay and is then free for \
every worker, until it has been claimed N times.

Exit status: that of CMD; 128 plus the signal's number if a signal ended CMD; 127 if CMD does not exist; \
126 if it can't be run; 1 if no key was free or the claim was lost. With --until-empty or several workers: \
0 if all succeeded, 1 if any failed or was moved, or if other workers hold keys and --no-wait was given."
)]
pub(crate) struct Claim {
    /// The prefix of the keys; the first key that is free is claimed.
    #[arg(value_name = "PREFIX", value_parser = values::prefix)]
    pub(crate) prefix: Prefix,

    /// Lifetime of a claim if this program is killed; at most 7d, renewed while CMD runs.
    #[arg(long = "for", value_name = "DURATION", default_value = DEFAULT_HOLD, allow_negative_numbers = true, value_parser = hold)]
    pub(crate) hold: Duration,

    /// Wait this long for a key if none is free.
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true, value_parser = values::duration)]
    pub(crate) wait: Option<Duration>,

    /// Run N commands at a time; each gets a key of its own.
    #[arg(long, value_name = "N", default_value = "1",
          allow_negative_numbers = true, value_parser = values::number::<u16>(1, MAX_WORKERS))]
    pub(crate) workers: u16,

    /// Go on until no key is left; wait for keys that other workers hold, since they come back if a
    /// worker fails or is killed.
    #[arg(long)]
    pub(crate) until_empty: bool,

    /// Don't wait for keys that other workers hold; with --until-empty, name them and end with
    /// status 1.
    #[arg(long, requires = "until_empty", conflicts_with = "wait")]
    pub(crate) no_wait: bool,

    /// Start no more commands after N have failed [default: go on].
    #[arg(long, value_name = "N", requires = "until_empty",
          allow_negative_numbers = true, value_parser = values::number::<u64>(1, u64::MAX))]
    pub(crate) max_failures: Option<u64>,

    /// Move a key away after N attempts: its place is below --dead-letter. A claim of a worker that was
    /// killed is an attempt as well.
    #[arg(long, value_name = "N", requires = "dead_letter",
          allow_negative_numbers = true, value_parser = values::number::<u64>(1, u64::MAX))]
    pub(crate) max_attempts: Option<u64>,

    /// Prefix for the keys that --max-attempts moves: the part of the key after PREFIX follows it.
    #[arg(long, value_name = "PREFIX", requires = "max_attempts", value_parser = values::prefix)]
    pub(crate) dead_letter: Option<Prefix>,

    /// Time before a failed key can be claimed again; with --max-attempts only. Twice as long after each
    /// further failure, at most 10m.
    #[arg(long, value_name = "DURATION", default_value = DEFAULT_RETRY_DELAY,
          allow_negative_numbers = true, value_parser = values::duration)]
    pub(crate) retry_delay: Duration,

    /// Time for CMD to end after SIGTERM if the claim is lost; SIGKILL follows.
    #[arg(long, value_name = "DURATION", default_value = DEFAULT_GRACE,
          allow_negative_numbers = true, value_parser = values::duration)]
    pub(crate) grace: Duration,

    /// Print events as JSON, one object a line; CMD's standard output goes to standard error.
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

Shows the end of each claim, the number of claims of the key since its value was set, and the job that \
holds it. A claim that is renewed lasts longer. The claim that ends first comes first; ends are compared \
with the clock of this machine.")]
pub(crate) struct Claims {
    /// The prefix of the keys [default: every key].
    #[arg(value_name = "PREFIX", value_parser = values::prefix)]
    pub(crate) prefix: Option<Prefix>,

    /// Print JSON: an array of objects with everything about each key.
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
