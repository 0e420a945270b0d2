//! The arguments of `prominence kv export` and `prominence kv import`.

use std::path::PathBuf;

use clap::Args;
use prominence_core::Prefix;

use crate::args::values;

/// Requests or files under way at a time: enough that many writes share one sync of the server's
/// disk, few enough to leave it to others as well.
pub(super) const DEFAULT_JOBS: u16 = 16;

/// As many as there may be; each is a thread and a connection.
pub(super) const MAX_JOBS: i64 = 64;

/// Which keys to copy into which folder.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv export /sweep/output/ results
  prominence kv export / backup --jobs 4

The key PREFIX/a/b becomes the file DIR/a/b. In a file's name % is written %25; a key that has keys
below it, such as /a beside /a/b, is the file a/%=; a part of more than 255 bytes goes on in a folder
whose name ends in %-; and what goes on after PREFIX without a / begins with %+. Files that differ
are replaced, files without a key are left alone. What is there already and the same is not written
again, so an export that was interrupted goes on where it was.

DIR itself may be a symbolic link; links below it are never followed or replaced, but refused by name.")]
pub(crate) struct Export {
    /// What the keys begin with.
    #[arg(value_name = "PREFIX", value_parser = values::prefix)]
    pub(crate) prefix: Prefix,

    /// The folder, which is made where there is none.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,

    /// How many files to write at a time.
    #[arg(long, short, value_name = "N", default_value_t = DEFAULT_JOBS,
          value_parser = clap::value_parser!(u16).range(1..=MAX_JOBS))]
    pub(crate) jobs: u16,

    /// Show no progress.
    #[arg(long, short)]
    pub(crate) quiet: bool,

    /// Print JSON: how many files were written, and how many were there already.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which folder to copy to which keys.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv import results /sweep/output/
  prominence kv import params /sweep/input/ --dry-run

The file DIR/a/b becomes the key PREFIX/a/b; names are read as export writes them (see prominence kv
export --help). Symbolic links and special files are left out and named. All names and sizes are
checked before anything is stored. What is there already and the same is not stored again, so an
import that was interrupted goes on where it was.")]
pub(crate) struct Import {
    /// The folder.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,

    /// What the keys begin with.
    #[arg(value_name = "PREFIX", value_parser = values::prefix)]
    pub(crate) prefix: Prefix,

    /// Only print the keys, one a line, that would be stored.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// How many requests to have under way at a time.
    #[arg(long, short, value_name = "N", default_value_t = DEFAULT_JOBS,
          value_parser = clap::value_parser!(u16).range(1..=MAX_JOBS))]
    pub(crate) jobs: u16,

    /// Show no progress.
    #[arg(long, short)]
    pub(crate) quiet: bool,

    /// Print JSON: how many keys were stored, and how many were there already; with --dry-run each key, one object a line.
    #[arg(long)]
    pub(crate) json: bool,
}
