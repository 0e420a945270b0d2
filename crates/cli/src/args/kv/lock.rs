//! The arguments of `kv lock`.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;
use prominence_core::Key;

use crate::args::values;

/// The default lifetime of a lock without renewal: long enough to be
/// renewed across a restart of the server.
const DEFAULT_TTL: &str = "30s";

/// The default of the longest wait for a lock.
const DEFAULT_WAIT: &str = "10m";

/// The default time for a command to end, as batch systems give it.
pub(super) const DEFAULT_GRACE: &str = "10s";

/// The most holders at once. Each slot is a key, and finding a free one reads them all.
const MAX_SLOTS: u64 = 1_000;

/// Which lock to hold, how, and for what.
#[derive(Args)]
#[command(
    override_usage = "prominence kv lock [OPTIONS] <KEY> -- <CMD>...",
    after_help = "Examples:
  prominence kv lock /licence/solver -- ./solve.sh
  prominence kv lock /licence/solver --ttl 2m --wait 4h -- ./solve.sh
  prominence kv lock /nightly --no-wait -- ./cleanup.sh
  prominence kv lock /gpu --slots 4 -- ./train.sh

The lock is KEY itself: it exists, with the holder as its value, while CMD runs, and expires after --ttl \
if this program is killed. CMD finds in its environment:
  PROMINENCE_LOCK_KEY       the key that is held; with --slots KEY/0, KEY/1, …
  PROMINENCE_LOCK_SLOT      with --slots, the number of the slot
  PROMINENCE_LOCK_VALUE     the holder: a batch with the condition
                            {\"key\": KEY, \"value\": HOLDER} changes nothing
                            unless the lock is still held
  PROMINENCE_LOCK_REVISION  the fencing token: greater for every later holder

CMD is stopped if the lock is lost, at the latest when it expires.

Exit status: that of CMD; 128 plus the signal's number if a signal ended CMD; 127 if CMD does not exist; \
126 if it can't be run; 1 if the lock was not free in time or was lost."
)]
pub(crate) struct Lock {
    /// The lock's key.
    #[arg(value_name = "KEY", value_parser = values::key)]
    pub(crate) key: Key,

    /// Lifetime of the lock if this program is killed; renewed while CMD runs.
    #[arg(long, value_name = "DURATION", default_value = DEFAULT_TTL,
          allow_negative_numbers = true, value_parser = values::duration)]
    pub(crate) ttl: Duration,

    /// The longest time to wait for the lock.
    #[arg(long, value_name = "DURATION", default_value = DEFAULT_WAIT,
          allow_negative_numbers = true, value_parser = values::duration, conflicts_with = "no_wait")]
    pub(crate) wait: Duration,

    /// Fail at once with status 1 if the lock is held.
    #[arg(long)]
    pub(crate) no_wait: bool,

    /// Let N commands hold the lock at once; each has a key below KEY.
    #[arg(long, value_name = "N",
          allow_negative_numbers = true, value_parser = values::number::<u32>(1, MAX_SLOTS))]
    pub(crate) slots: Option<u32>,

    /// Time for CMD to end after SIGTERM if the lock is lost; SIGKILL follows.
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
