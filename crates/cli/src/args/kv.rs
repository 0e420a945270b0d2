//! The arguments of `prominence kv`.

pub(crate) mod batch;
pub(crate) mod claim;
pub(crate) mod copy;
pub(crate) mod lock;
pub(crate) mod table;
pub(crate) mod wait;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use prominence_client::Lifetime;
use prominence_core::{Key, Prefix, Revision};

use super::values;

/// Read and write keys.
#[derive(Args)]
#[command(after_help = "A key is a path such as /input/param1; the leading / may be left out.")]
pub(crate) struct Kv {
    #[command(subcommand)]
    pub(crate) command: KvCommand,
}

/// What to do with keys.
#[derive(Subcommand)]
pub(crate) enum KvCommand {
    /// List keys, one a line.
    List(List),
    /// Print a value, byte for byte.
    Get(Get),
    /// Store a value.
    Set(Set),
    /// Delete a key, or every key that begins with a prefix.
    Delete(Delete),
    /// Add to a number in one atomic step, and print the sum.
    Add(Add),
    /// Do many changes at once: all of them or none.
    Batch(batch::Batch),
    /// Show keys as a tree.
    Tree(Tree),
    /// Store the rows of a table, each under a key of its own.
    Load(table::Load),
    /// Put all values under a prefix into one table.
    Gather(table::Gather),
    /// List the inputs that have no result yet.
    Missing(table::Missing),
    /// Copy keys into a folder, a file for each.
    Export(copy::Export),
    /// Copy a folder's files to keys.
    Import(copy::Import),
    /// Show how much you store, and how much you may.
    Usage(Usage),
    /// Wait until enough keys begin with a prefix.
    Wait(wait::Wait),
    /// Show changes as they happen.
    Watch(wait::Watch),
    /// Run a command while holding a lock.
    Lock(lock::Lock),
    /// Run a command for the next piece of work, or for all of them.
    Claim(claim::Claim),
}

/// Which keys to list, and how.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv list
  prominence kv list /input/
  prominence kv list --dirs --long
  prominence kv list --json /output/ | jq -r '.[].key'")]
pub(crate) struct List {
    /// What the keys begin with; /in matches both /input/x and /inside [default: every key].
    #[arg(value_name = "PREFIX", value_parser = values::prefix)]
    pub(crate) prefix: Option<Prefix>,

    /// Show size, times of change, creation, expiry and end of claim, and job of each.
    #[arg(long, short, conflicts_with_all = ["json", "count"])]
    pub(crate) long: bool,

    /// Print JSON: an array of objects with all that is known about each.
    #[arg(long, conflicts_with = "count")]
    pub(crate) json: bool,

    /// Show one level only; what lies deeper is one line that ends in /.
    #[arg(long, conflicts_with = "count")]
    pub(crate) dirs: bool,

    /// Print only how many there are.
    #[arg(long)]
    pub(crate) count: bool,
}

/// Which value to read, and where to put it.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv get /input/param1
  prominence kv get /model/weights -o weights.bin
  prominence kv get --json /input/param1
  prominence kv get --wait 10m /result
  prominence kv get /sweep/input/7 --field rate

Exit status 1 means that there is no such key, or no such field.")]
pub(crate) struct Get {
    /// The key.
    #[arg(value_name = "KEY", value_parser = values::key)]
    pub(crate) key: Key,

    /// Write the value to this file.
    #[arg(long, short, value_name = "FILE", conflicts_with = "json")]
    pub(crate) output: Option<PathBuf>,

    /// Print JSON: the value and all that is known about it.
    #[arg(long)]
    pub(crate) json: bool,

    /// Print this field of a value that is a JSON object: text without quotes, numbers as they are
    /// written; net.depth is a field within a field.
    #[arg(long, value_name = "NAME", conflicts_with = "json")]
    pub(crate) field: Option<String>,

    /// Where there is no such key, wait this long for it to appear.
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub(crate) wait: Option<Duration>,
}

/// What to store where, and on which condition.
#[derive(Args)]
#[command(
    group = ArgGroup::new("input").required(true),
    override_usage = "prominence kv set [OPTIONS] <KEY> <VALUE | --file FILE | --string TEXT>",
    after_help = "Examples:
  prominence kv set /input/param1 42
  prominence kv set /input/table data.csv
  date | prominence kv set /started -
  prominence kv set /lock/me --string $HOSTNAME --if-absent --ttl 10m

Exit status 1 means that the condition does not hold; nothing was changed."
)]
pub(crate) struct Set {
    /// The key.
    #[arg(value_name = "KEY", value_parser = values::key)]
    pub(crate) key: Key,

    /// The value: the content of the file of this name where there is one, otherwise this text;
    /// - is standard input.
    #[arg(value_name = "VALUE", group = "input", allow_negative_numbers = true)]
    pub(crate) value: Option<String>,

    /// Store the content of this file; - is standard input.
    #[arg(long, value_name = "FILE", group = "input")]
    pub(crate) file: Option<PathBuf>,

    /// Store this text, even if there is a file of this name.
    #[arg(long, value_name = "TEXT", group = "input", allow_hyphen_values = true)]
    pub(crate) string: Option<String>,

    /// How long the value stays: 90s, 15m, 12h, 7d, a number of seconds, or "job" for as long as
    /// the token [default: until it is deleted].
    #[arg(long, value_name = "DURATION", value_parser = values::lifetime)]
    pub(crate) ttl: Option<Lifetime>,

    /// Only where the key does not exist.
    #[arg(long, conflicts_with = "if_revision")]
    pub(crate) if_absent: bool,

    /// Only where the key still has this revision (see get --json).
    #[arg(long, value_name = "N", value_parser = values::revision)]
    pub(crate) if_revision: Option<Revision>,
}

/// What to delete.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv delete /input/param1
  prominence kv delete --prefix /input/
  prominence kv delete --prefix /input/ --dry-run
  prominence kv delete --prefix / --yes

Deleting what does not exist is no error.")]
pub(crate) struct Delete {
    /// The key; with --prefix, what the keys begin with (/ is every key).
    #[arg(value_name = "KEY")]
    pub(crate) key: String,

    /// Delete every key that begins with KEY, all at once.
    #[arg(long)]
    pub(crate) prefix: bool,

    /// Only say how many keys would be deleted.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Don't ask before every key is deleted; only a person at a terminal is asked.
    #[arg(long, short, conflicts_with = "dry_run")]
    pub(crate) yes: bool,
}

/// What to add to which number.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv add /done
  prominence kv add /budget -5

A key that does not exist counts as 0.")]
pub(crate) struct Add {
    /// The key.
    #[arg(value_name = "KEY", value_parser = values::key)]
    pub(crate) key: Key,

    /// The whole number to add; it may be negative.
    #[arg(value_name = "N", default_value_t = 1, allow_negative_numbers = true)]
    pub(crate) by: i64,
}

/// Which keys to draw.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv tree
  prominence kv tree /output/")]
pub(crate) struct Tree {
    /// What the keys begin with [default: every key].
    #[arg(value_name = "PREFIX", value_parser = values::prefix)]
    pub(crate) prefix: Option<Prefix>,
}

/// How to show the usage.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv usage
  prominence kv usage --json")]
pub(crate) struct Usage {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
