//! The arguments of `kv lock`.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;
use prominence_core::Key;

use crate::args::values;

/// How long a lock outlives a holder that has died, where nothing else is said: long enough to be
/// renewed across a restart of the server.
const DEFAULT_TTL: &str = "30s";

/// How long to wait for a lock where nothing else is said.
const DEFAULT_WAIT: &str = "10m";

/// How long a command may take to end where nothing else is said; what batch systems give as well.
pub(super) const DEFAULT_GRACE: &str = "10s";

/// The most holders at once. Each slot is a key, and finding a free one reads them all.
const MAX_SLOTS: i64 = 1_000;

/// Which lock to hold, how, and for what.
#[derive(Args)]
#[command(
    override_usage = "prominence kv lock [OPTIONS] <KEY> -- <CMD>...",
    after_help = "Examples:
  prominence kv lock /licence/solver -- ./solve.sh
  prominence kv lock /licence/solver --ttl 2m --wait 4h -- ./solve.sh
  prominence kv lock /nightly --no-wait -- ./cleanup.sh
  prominence kv lock /gpu --slots 4 -- ./train.sh

The lock is KEY itself: it exists, with the holder as its value, for as long as CMD runs, and is
gone after --ttl where this program is killed. CMD finds in its environment:
  PROMINENCE_LOCK_KEY       the key that is held; with --slots KEY/0, KEY/1, …
  PROMINENCE_LOCK_SLOT      with --slots, which one
  PROMINENCE_LOCK_VALUE     the holder, for conditions: a batch with {\"key\": KEY, \"value\": HOLDER}
                            among its conditions does nothing unless the lock is still held
  PROMINENCE_LOCK_REVISION  the fencing token: greater for every later holder

CMD is stopped where the lock is lost, at the latest when it runs out.

Exit status: that of CMD, 128 and the signal where one ended it, 127 where there is no such
command, 126 where it can't be run; 1 where the lock was not free in time or was lost."
)]
pub(crate) struct Lock {
    /// The lock's key.
    #[arg(value_name = "KEY", value_parser = values::key)]
    pub(crate) key: Key,

    /// How long the lock outlives this program where it is killed; renewed while CMD runs.
    #[arg(long, value_name = "DURATION", default_value = DEFAULT_TTL,
          value_parser = values::duration)]
    pub(crate) ttl: Duration,

    /// The longest time to wait for the lock.
    #[arg(long, value_name = "DURATION", default_value = DEFAULT_WAIT,
          value_parser = values::duration, conflicts_with = "no_wait")]
    pub(crate) wait: Duration,

    /// Don't wait: exit with status 1 where somebody else has the lock.
    #[arg(long)]
    pub(crate) no_wait: bool,

    /// Let so many hold it at once, each a key of its own below KEY.
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=MAX_SLOTS))]
    pub(crate) slots: Option<u32>,

    /// Where the lock is lost: how long CMD may take to end after SIGTERM, before SIGKILL.
    #[arg(long, value_name = "DURATION", default_value = DEFAULT_GRACE,
          value_parser = values::duration)]
    pub(crate) grace: Duration,

    /// Print what happens to the lock as JSON, one object a line; CMD's standard output goes to
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
