//! The arguments of what waits: `kv wait` and `kv watch`.

use std::time::Duration;

use clap::Args;
use prominence_core::{Prefix, Revision};

use crate::args::values;

/// How many keys to wait for.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv wait /done/ --count 100 --timeout 2h
  prominence kv wait /done/ --count 100 --json

Prints how many there are. Exit status 1 means that there are too few when the time is over.")]
pub(crate) struct Wait {
    /// What the keys begin with.
    #[arg(value_name = "PREFIX", value_parser = values::prefix)]
    pub(crate) prefix: Prefix,

    /// Wait until there are so many keys.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: u64,

    /// The longest time to wait.
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = values::duration)]
    pub(crate) timeout: Duration,

    /// Print JSON: the number of keys, the number that was waited for, and whether it was reached.
    #[arg(long)]
    pub(crate) json: bool,

    /// Show no progress on a terminal.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// What to watch, and how to show it.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv watch
  prominence kv watch /done/
  prominence kv watch /done/ --existing --json --values | jq -r .value
  prominence kv watch /done/ --existing

Goes on until it is stopped. A lost connection is made again, and no change is missed.
With --existing the keys that are there come first, as the event \"existing\", and the changes that
they don't show yet follow. After the event \"reset\" they are printed again: forget what came before.")]
pub(crate) struct Watch {
    /// What the keys begin with [default: every key].
    #[arg(value_name = "PREFIX", value_parser = values::prefix)]
    pub(crate) prefix: Option<Prefix>,

    /// Begin with the first change after this revision; 0 is the beginning [default: now].
    #[arg(long, value_name = "N", value_parser = values::revision)]
    pub(crate) since: Option<Revision>,

    /// Print the keys that are there first, then the changes that follow.
    #[arg(long, conflicts_with = "since")]
    pub(crate) existing: bool,

    /// Print JSON, one object a line.
    #[arg(long)]
    pub(crate) json: bool,

    /// With --json: the values as well, unless a later change has superseded them.
    #[arg(long, requires = "json")]
    pub(crate) values: bool,
}
