//! The arguments of what shows keys without reading one: `kv list`, `kv tree` and `kv usage`.

use clap::Args;
use prominence_core::Prefix;

use crate::args::values;

/// Which keys to list, and how.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv list
  prominence kv list /input/
  prominence kv list --dirs --long
  prominence kv list --values --limit 10 /output/
  prominence kv list --json /output/ | jq -r '.[].key'

With --values each line is a key, a tab and the value, in which a line break, a tab and a backslash are \
written \\n, \\t and \\\\; a value that is not text is shown by its size, and --json has its bytes.")]
pub(crate) struct List {
    /// The prefix of the keys; /in matches both /input/x and /inside, /in/ only keys in that folder
    /// [default: every key].
    #[arg(value_name = "PREFIX", value_parser = values::prefix)]
    pub(crate) prefix: Option<Prefix>,

    /// Show the size, the times and the job of each key; the times are those of the last change, the
    /// creation, the expiry and the end of a claim.
    #[arg(long, short, conflicts_with_all = ["json", "count", "values"])]
    pub(crate) long: bool,

    /// Print JSON: an array of objects with everything about each key.
    #[arg(long)]
    pub(crate) json: bool,

    /// Show the values as well.
    #[arg(long, conflicts_with = "count")]
    pub(crate) values: bool,

    /// Show one level only; a folder, whose name ends in /, stands for the keys in it.
    #[arg(long, conflicts_with = "count")]
    pub(crate) dirs: bool,

    /// Print only the number of keys.
    #[arg(long)]
    pub(crate) count: bool,

    /// Show at most N keys; with --reverse the last ones.
    #[arg(long, value_name = "N", conflicts_with = "count", allow_negative_numbers = true,
          value_parser = values::number::<u64>(1, u64::MAX))]
    pub(crate) limit: Option<u64>,

    /// Show only keys that sort after KEY; KEY need not exist.
    #[arg(long, value_name = "KEY", conflicts_with = "count", value_parser = values::prefix)]
    pub(crate) after: Option<Prefix>,

    /// Show the last key first.
    #[arg(long, conflicts_with = "count")]
    pub(crate) reverse: bool,
}

/// Which keys to draw.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv tree
  prominence kv tree /output/")]
pub(crate) struct Tree {
    /// The prefix of the keys [default: every key].
    #[arg(value_name = "PREFIX", value_parser = values::prefix)]
    pub(crate) prefix: Option<Prefix>,

    /// Print JSON: folders within folders.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `kv usage`.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv usage
  prominence kv usage --json")]
pub(crate) struct Usage {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
