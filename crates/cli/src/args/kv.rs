//! The arguments of `prominence kv`.

pub(crate) mod batch;
pub(crate) mod claim;
pub(crate) mod copy;
pub(crate) mod duplicate;
pub(crate) mod lock;
pub(crate) mod table;
pub(crate) mod wait;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use prominence_client::Lifetime;
use prominence_core::{Key, Prefix, Revision};

use super::typed::{ValueText, WholeNumber};
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
    #[command(visible_alias = "ls")]
    List(List),
    /// Print values, byte for byte.
    #[command(visible_alias = "cat")]
    Get(Get),
    /// Store a value.
    #[command(visible_alias = "put")]
    Set(Set),
    /// Delete keys, or every key that begins with a prefix.
    #[command(visible_alias = "rm")]
    Delete(Delete),
    /// Copy the value of a key to another key.
    Cp(duplicate::Duplicate),
    /// Move the value of a key to another key, in one commit.
    Mv(duplicate::Duplicate),
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
    /// Show which keys are claimed, until when and by which job.
    Claims(claim::Claims),
}

/// Which keys to list, and how.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv list
  prominence kv list /input/
  prominence kv list --dirs --long
  prominence kv list --values --limit 10 /output/
  prominence kv list --json /output/ | jq -r '.[].key'

With --values each line is a key, a tab and the value, in which a line break, a tab and a backslash are
written \\n, \\t and \\\\; a value that is not text is shown by its size, and --json has its bytes.")]
pub(crate) struct List {
    /// What the keys begin with; /in matches both /input/x and /inside, /in/ only what is in that folder
    /// [default: every key].
    #[arg(value_name = "PREFIX", value_parser = values::prefix)]
    pub(crate) prefix: Option<Prefix>,

    /// Show size, times of change, creation, expiry and end of claim, and job of each.
    #[arg(long, short, conflicts_with_all = ["json", "count", "values"])]
    pub(crate) long: bool,

    /// Print JSON: an array of objects with all that is known about each.
    #[arg(long)]
    pub(crate) json: bool,

    /// Show the values as well.
    #[arg(long, conflicts_with = "count")]
    pub(crate) values: bool,

    /// Show one level only; deeper keys are one line for their folder, which ends in /.
    #[arg(long, conflicts_with = "count")]
    pub(crate) dirs: bool,

    /// Print only how many there are.
    #[arg(long)]
    pub(crate) count: bool,

    /// Show at most so many; with --reverse the last ones.
    #[arg(long, value_name = "N", conflicts_with = "count", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,

    /// Show only keys that sort after this one, which need not exist.
    #[arg(long, value_name = "KEY", conflicts_with = "count", value_parser = values::prefix)]
    pub(crate) after: Option<Prefix>,

    /// Show the last key first. All keys are read; without --limit at most 100000 can be shown.
    #[arg(long, conflicts_with = "count")]
    pub(crate) reverse: bool,
}

/// Which values to read, and where to put them.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv get /input/param1
  prominence kv get /model/weights -o weights.bin
  prominence kv get --json /input/param1
  prominence kv get --wait 10m /result
  prominence kv get /sweep/input/7 --field rate
  prominence kv get /part/1 /part/2 /part/3 > whole

Several values follow one another as cat(1) joins files. With --json several keys are one object a line.

On a terminal control characters are shown as escapes, and a value that is not text is refused without
--force; a file or a pipe always gets the bytes as they are.

Exit status 1 means that a key, or the field, does not exist; the values of the others are printed all the same.")]
pub(crate) struct Get {
    /// The keys.
    #[arg(value_name = "KEY", required = true, value_parser = values::key)]
    pub(crate) keys: Vec<Key>,

    /// Write the value of the one key to this file; where it is a symbolic link, to the file that the link
    /// leads to.
    #[arg(long, short, value_name = "FILE", conflicts_with = "json")]
    pub(crate) output: Option<PathBuf>,

    /// Print JSON: the value and all that is known about it.
    #[arg(long)]
    pub(crate) json: bool,

    /// Print this field of a value that is a JSON object: text without quotes, numbers as they are
    /// written; net.depth is a field within a field.
    #[arg(long, value_name = "NAME", conflicts_with = "json")]
    pub(crate) field: Option<String>,

    /// Where there is no such key, wait this long for it to appear; for all of several keys together.
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub(crate) wait: Option<Duration>,

    /// Write the value to a terminal as it is, even if it is not text.
    #[arg(long)]
    pub(crate) force: bool,
}

/// What to store where, and on which condition.
#[derive(Args)]
#[command(
    group = ArgGroup::new("input").required(true),
    override_usage = "prominence kv set [OPTIONS] <KEY> <VALUE | --file FILE | --string TEXT>",
    after_help = "Examples:
  prominence kv set /input/param1 --string 42
  prominence kv set /input/table --file data.csv
  date | prominence kv set /started --file -
  prominence kv set /lock/me --string $HOSTNAME --if-absent --ttl 10m

VALUE without --file or --string is a guess: the file of this name where there is one, otherwise the
text. Scripts say which they mean. A VALUE may begin with a hyphen, as in -5.2e-3; one that begins with
two stands behind --, which ends the options.

Exit status 1 means that the condition does not hold; nothing was changed."
)]
pub(crate) struct Set {
    /// The key.
    #[arg(value_name = "KEY", value_parser = values::key)]
    pub(crate) key: Key,

    /// The value: the content of the file of this name where there is one, otherwise this text;
    /// - is standard input.
    #[arg(value_name = "VALUE", group = "input", allow_hyphen_values = true, value_parser = ValueText)]
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

    /// Print JSON: the key, its new revision, and whether it was created.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What to delete.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv delete /input/param1
  prominence kv delete /input/param1 /input/param2
  prominence kv delete --prefix /input/
  prominence kv delete --prefix /input/ --dry-run
  prominence kv delete --prefix / --yes

A prefix is the start of a key: /in matches /inside as well as /in/x, and /in/ only what is in that
folder. Where a prefix matches more than a folder, the command says so, and asks a person at a terminal.

Deleting a key that does not exist is no error. Exit status 1 means that the condition does not hold, or
that the answer was not yes; nothing was deleted.")]
pub(crate) struct Delete {
    /// The keys; with --prefix, what the keys begin with (/ is every key).
    #[arg(value_name = "KEY", required = true)]
    pub(crate) keys: Vec<String>,

    /// Delete every key that begins with KEY, all at once.
    #[arg(long)]
    pub(crate) prefix: bool,

    /// Only where the one key still has this revision (see get --json).
    #[arg(long, value_name = "N", value_parser = values::revision,
          conflicts_with_all = ["prefix", "dry_run"])]
    pub(crate) if_revision: Option<Revision>,

    /// Only say how many keys would be deleted.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Skip the questions that a person at a terminal is asked.
    #[arg(long, short, conflicts_with = "dry_run")]
    pub(crate) yes: bool,

    /// Print JSON: how many keys were deleted, or would be.
    #[arg(long)]
    pub(crate) json: bool,
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
    #[arg(value_name = "N", default_value = "1", allow_hyphen_values = true, value_parser = WholeNumber)]
    pub(crate) by: i64,

    /// Print JSON: the key, the sum and the revision.
    #[arg(long)]
    pub(crate) json: bool,
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

    /// Print JSON: folders within folders.
    #[arg(long)]
    pub(crate) json: bool,
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
