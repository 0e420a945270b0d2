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
  prominence kv claim /queue/ -- sh -c './work.sh > out && prominence kv set \"/done$PROMINENCE_KEY\" out'

CMD reads the value from its standard input and finds the key in PROMINENCE_KEY, and the fields of a
value that is a JSON object in variables such as PROMINENCE_FIELD_RATE. When it ends with status 0 the key is deleted; when it fails, the key is given back for another to take. While it
runs the claim is renewed; where it is lost, CMD is stopped.

With --until-empty a key whose CMD fails stays claimed until all is done, so that it is not taken
again at once, and is given back then.

Exit status: that of CMD, 128 and the signal where one ended it, 127 where there is no such
command, 126 where it can't be run; 1 where there was nothing to claim, or the claim was lost.
With --until-empty or several workers: 0 where all succeeded, 1 where any failed."
)]
pub(crate) struct Claim {
    /// What the keys begin with; the first that nobody holds is taken.
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

    /// Go on until there is nothing more to claim.
    #[arg(long)]
    pub(crate) until_empty: bool,

    /// Begin nothing more once so many commands have failed [default: go on].
    #[arg(long, value_name = "N", requires = "until_empty",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_failures: Option<u64>,

    /// Where the claim is lost: how long CMD may take to end after SIGTERM, before SIGKILL.
    #[arg(long, value_name = "DURATION", default_value = DEFAULT_GRACE,
          value_parser = values::duration)]
    pub(crate) grace: Duration,

    /// The command and its arguments.
    #[arg(value_name = "CMD", required = true, last = true)]
    pub(crate) command: Vec<OsString>,
}

/// A duration that a claim can have.
fn hold(text: &str) -> Result<Duration, String> {
    let hold = values::duration(text).map_err(|error| error.to_string())?;
    if hold > MAX_CLAIM {
        return Err("a claim lasts at most 7d; it is renewed while CMD runs".to_owned());
    }
    Ok(hold)
}
