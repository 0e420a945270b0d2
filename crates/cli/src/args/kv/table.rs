//! The arguments of `prominence kv load`, `prominence kv gather` and `prominence kv missing`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use prominence_client::Lifetime;
use prominence_core::Prefix;

use super::copy::{DEFAULT_JOBS, MAX_JOBS};
use crate::args::values;

/// The highest number that a first row may have: with the rows behind it, it stays within 64 bits and
/// within what every program reads exactly from JSON.
const MAX_START: u64 = 1_000_000_000_000_000;

/// Which table to load, and how its rows become keys and values.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv load /sweep/input/ params.csv
  prominence kv load /sweep/input/ params.tsv --key name --ttl 7d
  prominence kv load /sweep/input/ export.csv --delimiter ';' --decimal-comma
  make-table | prominence kv load /sweep/input/ - --dry-run

Without --key rows are numbered /sweep/input/1, /sweep/input/2 and so on, as the tasks of a job array are. \
The value of a row is the JSON object of its columns. A cell becomes a number, true or false if that keeps \
it exactly as it is written, otherwise a string. The whole table is checked before anything is stored: the \
load stops and names the line if text is not UTF-8 or a key is invalid. Empty rows are left out.

Exit status 1 means that --if-absent left keys as they are.")]
pub(crate) struct Load {
    /// The folder of the keys: /sweep/input/ gets /sweep/input/1 and so on.
    #[arg(value_name = "PREFIX", value_parser = values::prefix)]
    pub(crate) prefix: Prefix,

    /// The table, whose first row names the columns; - is standard input.
    #[arg(value_name = "TABLE")]
    pub(crate) table: PathBuf,

    /// Name each key by this column; it must differ in every row [default: the row's number].
    #[arg(long, value_name = "COLUMN", conflicts_with_all = ["start", "pad"])]
    pub(crate) key: Option<String>,

    /// The separator of columns: one character such as ';' or '|', "tab", or "none" for a table of
    /// one column [default: a first line such as sep=; if there is one, a tab for .tsv and .tab,
    /// otherwise a comma].
    #[arg(long, short, visible_alias = "separator", value_name = "CHARACTER",
          value_parser = values::delimiter)]
    pub(crate) delimiter: Option<Delimiter>,

    /// Only print the keys and values; store nothing. Each line has a key and a value, or with --json an
    /// object with both.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// The number of the first row.
    #[arg(long, value_name = "N", default_value_t = 1,
          allow_negative_numbers = true, value_parser = values::number::<u64>(0, MAX_START))]
    pub(crate) start: u64,

    /// Write zeros before numbers; all get as many digits as the last one, and keys sort as the rows.
    #[arg(long)]
    pub(crate) pad: bool,

    /// Delete other rows below PREFIX; the rows of the table are stored before.
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) replace: bool,

    /// The first row names the columns; needed if it has numbers.
    #[arg(long, conflicts_with_all = ["no_header", "columns"])]
    pub(crate) header: bool,

    /// Name the columns column1, column2 and so on; the first row is data.
    #[arg(long)]
    pub(crate) no_header: bool,

    /// Name the columns A, B and so on; the first row is data.
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,

    /// Numbers have a comma before their fraction: 1,5 becomes 1.5.
    #[arg(long)]
    pub(crate) decimal_comma: bool,

    /// Remove blanks around cells.
    #[arg(long)]
    pub(crate) trim: bool,

    /// Make every cell a string, or the cells of these columns.
    #[arg(long, value_name = "A,B,…", num_args = 0..=1, require_equals = true,
          value_delimiter = ',')]
    pub(crate) strings: Option<Vec<String>>,

    /// Lifetime of the values: 90s, 15m, 12h, 7d, a number of seconds, or "job" for the lifetime of the
    /// token [default: until they are deleted].
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true, value_parser = values::lifetime)]
    pub(crate) ttl: Option<Lifetime>,

    /// Leave keys that exist as they are.
    #[arg(long)]
    pub(crate) if_absent: bool,

    /// Print JSON: how many rows were stored, left out and removed.
    #[arg(long)]
    pub(crate) json: bool,

    /// Number of requests under way at a time.
    #[arg(long, short, value_name = "N", default_value_t = DEFAULT_JOBS,
          allow_negative_numbers = true, value_parser = values::number::<u16>(1, MAX_JOBS))]
    pub(crate) jobs: u16,

    /// Show no progress.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// The separator of a table's columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delimiter {
    /// This character.
    Character(u8),
    /// There is one column, and nothing to separate.
    None,
}

/// Options of `kv gather`.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv gather /sweep/output/
  prominence kv gather /sweep/output/ --join /sweep/input/ -o results.csv
  prominence kv gather /output/ --format ndjson | jq -s 'map(.value.loss) | min'

The columns of CSV are key, job, modified, and the members of the values that are JSON objects, in the \
order in which they first appear. Other values go unchanged into the column value, or into value_base64 if \
they are not text; their number is printed on standard error. With --join the columns of the \
inputs come before those of the results; where both have a column x, that of the input is input_x.")]
pub(crate) struct Gather {
    /// The prefix of the keys; with --join, their folder.
    #[arg(value_name = "PREFIX", value_parser = values::prefix)]
    pub(crate) prefix: Prefix,

    /// Put the value of IN/NAME beside that of PREFIX/NAME.
    #[arg(long, value_name = "IN", value_parser = values::prefix)]
    pub(crate) join: Option<Prefix>,

    /// Form of the table [default: as FILE ends, in .csv, .json, .ndjson or .jsonl; otherwise csv].
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,

    /// The same as --format json.
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,

    /// Form of NaN in JSON; Infinity and -Infinity get the same. JSON has no such numbers.
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Nan::String)]
    pub(crate) nan: Nan,

    /// Leave out key, job and modified.
    #[arg(long)]
    pub(crate) bare: bool,

    /// Write to this file; it appears when it is complete; - is standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Show no counts on standard error; they are those of values that are not JSON objects, or that have
    /// no input.
    #[arg(long, short)]
    pub(crate) quiet: bool,
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

/// The form of numbers that JSON does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Nan {
    /// "NaN", "Infinity" and "-Infinity".
    String,
    /// null.
    Null,
}

/// Which inputs to compare with which results.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv missing /sweep/input/ /sweep/output/
  prominence kv missing /sweep/input/ /sweep/output/ --names
  sbatch --array=$(prominence kv missing /in/ /out/ --names | paste -sd,) job.sh

The input IN/NAME has a result if there is a key OUT/NAME, or one below OUT/NAME/.

Exit status 0 means that every input has a result; 1 that some have none, which are printed, or that \
there are no inputs at all.")]
pub(crate) struct Missing {
    /// The folder of the inputs.
    #[arg(value_name = "IN", value_parser = values::prefix)]
    pub(crate) inputs: Prefix,

    /// The folder of the results.
    #[arg(value_name = "OUT", value_parser = values::prefix)]
    pub(crate) results: Prefix,

    /// Print the names without the folder.
    #[arg(long)]
    pub(crate) names: bool,

    /// Print JSON: the number of inputs, and the key and the name of each one without a result.
    #[arg(long, conflicts_with = "names")]
    pub(crate) json: bool,
}
