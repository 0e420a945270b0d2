//! The arguments of `prominence kv load` and `prominence kv gather`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use prominence_client::Lifetime;
use prominence_core::Prefix;

use super::copy::{DEFAULT_JOBS, MAX_JOBS};
use crate::args::values;

/// Which table to load, and how its rows become keys and values.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv load /sweep/input params.csv
  prominence kv load /sweep/input params.tsv --key name --ttl 7d
  make-table | prominence kv load /sweep/input - --dry-run

A row's value is the JSON object of its columns. A cell is a number or true or false where that
keeps it exactly as it is written, and otherwise a string: 007, 1e400 and an empty cell are strings.
Without --key the rows are numbered from 1, with as many digits as the last one has. The whole table
is checked before anything is stored.

Exit status 1 means that --if-absent left keys alone.")]
pub(crate) struct Load {
    /// Where the keys go: /sweep/input stands for /sweep/input/1 and so on.
    #[arg(value_name = "PREFIX", value_parser = values::prefix)]
    pub(crate) prefix: Prefix,

    /// The table, whose first row names the columns; - is standard input.
    #[arg(value_name = "TABLE")]
    pub(crate) table: PathBuf,

    /// Name each key by this column, which must differ in every row [default: the row's number].
    #[arg(long, value_name = "COLUMN")]
    pub(crate) key: Option<String>,

    /// What separates columns: one character, or "tab" [default: a tab for .tsv and .tab,
    /// otherwise a comma].
    #[arg(long, value_name = "CHARACTER", value_parser = values::delimiter)]
    pub(crate) delimiter: Option<u8>,

    /// Make every cell a string.
    #[arg(long)]
    pub(crate) strings: bool,

    /// How long the values stay: 90s, 15m, 12h, 7d, a number of seconds, or "job" for as long as
    /// the token [default: until they are deleted].
    #[arg(long, value_name = "DURATION", value_parser = values::lifetime)]
    pub(crate) ttl: Option<Lifetime>,

    /// Leave keys alone that exist.
    #[arg(long)]
    pub(crate) if_absent: bool,

    /// Only print the keys and values, a pair a line, that would be stored.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// How many requests to have under way at a time.
    #[arg(long, short, value_name = "N", default_value_t = DEFAULT_JOBS,
          value_parser = clap::value_parser!(u16).range(1..=MAX_JOBS))]
    pub(crate) jobs: u16,

    /// Show no progress.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// What to gather, and into which form.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv gather /sweep/output
  prominence kv gather /sweep/output -o results.csv
  prominence kv gather /sweep/output --format ndjson | jq -s 'map(.value.loss) | min'

The columns of CSV are key, job, modified, and the members of the values that are JSON objects, in
the order in which they first appear. Other values stand in the column value, and those that are no
text in value_base64.")]
pub(crate) struct Gather {
    /// What the keys begin with.
    #[arg(value_name = "PREFIX", value_parser = values::prefix)]
    pub(crate) prefix: Prefix,

    /// The form.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Csv)]
    pub(crate) format: Format,

    /// Only the values: leave out key, job and modified.
    #[arg(long)]
    pub(crate) bare: bool,

    /// Write to this file, which appears when it is complete; - is standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// The form of a gathered table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A row for each key (RFC 4180), after a row with the names of the columns.
    Csv,
    /// An array of objects.
    Json,
    /// An object a line.
    Ndjson,
}
