//! The arguments of `prominence kv`.

pub(crate) mod batch;
pub(crate) mod claim;
pub(crate) mod copy;
pub(crate) mod duplicate;
mod list;
pub(crate) mod lock;
pub(crate) mod table;
pub(crate) mod wait;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use prominence_client::Lifetime;
use prominence_core::{Key, Revision};

pub(crate) use list::{List, Tree, Usage};

use super::typed::{ValueText, WholeNumber};
use super::values;

/// Read and write keys.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv set /input/param1 42
  prominence kv get /input/param1
  prominence kv list /input/

A key is a path such as /input/param1; the leading / may be left out.")]
pub(crate) struct Kv {
    #[command(subcommand)]
    pub(crate) command: KvCommand,
}

/// The commands for keys.
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
    #[command(after_help = duplicate::CP_HELP)]
    Cp(duplicate::Duplicate),
    /// Move the value of a key to another key, in one commit.
    #[command(after_help = duplicate::MV_HELP)]
    Mv(duplicate::Duplicate),
    /// Add to a number in one atomic step, and print the sum.
    Add(Add),
    /// Do several changes in one commit: all of them or none.
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
    /// Show how much you store, and your limits.
    Usage(Usage),
    /// Wait until enough keys begin with a prefix.
    Wait(wait::Wait),
    /// Show changes as they happen.
    Watch(wait::Watch),
    /// Run a command while holding a lock.
    Lock(lock::Lock),
    /// Run a command for the next key of a queue, or for all of them.
    Claim(claim::Claim),
    /// List claimed keys, with the end and the job of each claim.
    Claims(claim::Claims),
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

The values of several keys are printed one after the other, without a separator. With --json each key is \
one object on a line.

On a terminal control characters are shown as escapes, and a value that is not text is refused without \
--force; a file or a pipe always gets the bytes as they are.

Exit status 1 means that a key, or the field, does not exist; the other values are printed.")]
pub(crate) struct Get {
    /// The keys.
    #[arg(value_name = "KEY", required = true, value_parser = values::key)]
    pub(crate) keys: Vec<Key>,

    /// Write the value to this file; if it is a symbolic link, to the file that the link leads to. Only
    /// one KEY can be given.
    #[arg(long, short, value_name = "FILE", conflicts_with = "json")]
    pub(crate) output: Option<PathBuf>,

    /// Print JSON: the value, its revision, its times and its job.
    #[arg(long)]
    pub(crate) json: bool,

    /// Print this field of a value that is a JSON object: text without quotes, numbers as they are
    /// written; net.depth is a field within a field.
    #[arg(long, value_name = "NAME", conflicts_with = "json")]
    pub(crate) field: Option<String>,

    /// Wait this long for a key that does not exist; several keys share the time.
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true, value_parser = values::duration)]
    pub(crate) wait: Option<Duration>,

    /// Print binary values on a terminal as they are.
    #[arg(long)]
    pub(crate) force: bool,
}

/// Options of `kv set`.
#[derive(Args)]
#[command(
    group = ArgGroup::new("input").required(true),
    override_usage = "prominence kv set [OPTIONS] <KEY> <VALUE | --file FILE | --string TEXT>",
    after_help = "Examples:
  prominence kv set /input/param1 --string 42
  prominence kv set /input/table --file data.csv
  date | prominence kv set /started --file -
  prominence kv set /lock/me --string $HOSTNAME --if-absent --ttl 10m

VALUE without --file or --string is the content of the file of this name if there is one, otherwise the \
text itself. Use --file or --string in scripts. A VALUE may begin with a hyphen, as in -5.2e-3; write -- \
before one that begins with two hyphens.

Exit status 1 means that the condition does not hold; nothing was changed."
)]
pub(crate) struct Set {
    /// The key.
    #[arg(value_name = "KEY", value_parser = values::key)]
    pub(crate) key: Key,

    /// The value: the content of the file of this name if there is one, otherwise this text;
    /// - is standard input.
    #[arg(value_name = "VALUE", group = "input", allow_hyphen_values = true, value_parser = ValueText)]
    pub(crate) value: Option<String>,

    /// Store the content of this file; - is standard input.
    #[arg(long, value_name = "FILE", group = "input")]
    pub(crate) file: Option<PathBuf>,

    /// Store this text, even if there is a file of this name.
    #[arg(long, value_name = "TEXT", group = "input", allow_hyphen_values = true)]
    pub(crate) string: Option<String>,

    /// Lifetime of the value: 90s, 15m, 12h, 7d, a number of seconds, or "job" for the lifetime of
    /// the token [default: until it is deleted].
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true, value_parser = values::lifetime)]
    pub(crate) ttl: Option<Lifetime>,

    /// Store the value only if the key does not exist.
    #[arg(long, conflicts_with = "if_revision")]
    pub(crate) if_absent: bool,

    /// Store the value only if the key still has revision N (see get --json).
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = values::revision)]
    pub(crate) if_revision: Option<Revision>,

    /// Print JSON: the key, its new revision, and whether it was created.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `kv delete`.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv delete /input/param1
  prominence kv delete /input/param1 /input/param2
  prominence kv delete --prefix /input/
  prominence kv delete --prefix /input/ --dry-run
  prominence kv delete --prefix / --yes

A prefix is the start of a key: /in matches /inside as well as /in/x, and /in/ only the keys in that \
folder. If a prefix matches more than a folder, the command says so, and asks first on a terminal.

Deleting a key that does not exist is not an error. Exit status 1 means that the condition does not hold, \
or that the answer was not yes; nothing was deleted.")]
pub(crate) struct Delete {
    /// The keys; with --prefix, the prefixes of the keys (/ is every key).
    #[arg(value_name = "KEY", required = true)]
    pub(crate) keys: Vec<String>,

    /// Delete every key that begins with KEY, in one commit.
    #[arg(long)]
    pub(crate) prefix: bool,

    /// Delete the key only if it still has revision N (see get --json).
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = values::revision,
          conflicts_with_all = ["prefix", "dry_run"])]
    pub(crate) if_revision: Option<Revision>,

    /// Delete only if exactly N keys begin with KEY, as --dry-run counts them; needs --prefix.
    #[arg(long, value_name = "N", requires = "prefix", conflicts_with = "dry_run",
          allow_negative_numbers = true, value_parser = values::number::<u64>(0, u64::MAX))]
    pub(crate) if_count: Option<u64>,

    /// Print how many keys would be deleted; delete nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Skip the questions that are asked at a terminal.
    #[arg(long, short, conflicts_with = "dry_run")]
    pub(crate) yes: bool,

    /// Print JSON: how many keys were deleted, or would be.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `kv add`.
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
