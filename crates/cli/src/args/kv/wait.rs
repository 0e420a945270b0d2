//! The arguments of what waits: `kv wait` and `kv watch`.

use std::time::Duration;

use clap::Args;
use prominence_core::{Prefix, Revision};

use crate::args::values;

/// Options of `kv wait`.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv wait /done/ --count 100 --timeout 2h
  prominence kv wait /done/ --count 100 --json

Prints the number of keys. Exit status 1 means that there are too few when the time is over.")]
pub(crate) struct Wait {
    /// The prefix of the keys.
    #[arg(value_name = "PREFIX", value_parser = values::prefix)]
    pub(crate) prefix: Prefix,

    /// Wait until there are N keys.
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true,
          value_parser = values::number::<u64>(1, u64::MAX))]
    pub(crate) count: u64,

    /// The longest time to wait.
    #[arg(long, value_name = "DURATION", default_value = "10m", allow_negative_numbers = true, value_parser = values::duration)]
    pub(crate) timeout: Duration,

    /// Print JSON: the number of keys, the number that was waited for, and whether it was reached.
    #[arg(long)]
    pub(crate) json: bool,

    /// Show no progress on a terminal.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// Options of `kv watch`.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv watch
  prominence kv watch /done/
  prominence kv watch /done/ --existing --json --values | jq -r .value
  prominence kv watch /done/ --existing

Goes on until it is stopped. A lost connection is made again, and no change is missed. \
With --existing the keys that exist are printed first, each as the event \"existing\", then the changes \
after that. After the event \"reset\" they are printed again: discard everything before it.")]
pub(crate) struct Watch {
    /// The prefix of the keys [default: every key].
    #[arg(value_name = "PREFIX", value_parser = values::prefix)]
    pub(crate) prefix: Option<Prefix>,

    /// Begin with the first change after revision N; 0 is the beginning [default: now].
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = values::revision)]
    pub(crate) since: Option<Revision>,

    /// Print the keys that exist, then the changes that follow.
    #[arg(long, conflicts_with = "since")]
    pub(crate) existing: bool,

    /// Print JSON, one object a line.
    #[arg(long)]
    pub(crate) json: bool,

    /// Print values as well; needs --json. A value that a later change has replaced is left out.
    #[arg(long, requires = "json")]
    pub(crate) values: bool,
}
