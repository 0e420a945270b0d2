//! The arguments of `prominence kv export` and `prominence kv import`.

use std::path::PathBuf;

use clap::Args;
use prominence_core::Prefix;

use crate::args::values;

/// Requests or files under way at a time: enough that many writes share one sync of the server's
/// disk, few enough to leave it to others as well.
pub(super) const DEFAULT_JOBS: u16 = 16;

/// As many as there may be; each is a thread and a connection.
pub(super) const MAX_JOBS: u64 = 64;

/// Which keys to copy into which folder.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv export /sweep/output/ results
  prominence kv export / backup --jobs 4

The key PREFIX/a/b becomes the file DIR/a/b. In a file's name % is written %25; a key that has keys \
below it, such as /a beside /a/b, is the file a/%=; a part of more than 255 bytes goes on in a folder \
whose name ends in %-; and a name that follows PREFIX without a / begins with %+. Files that differ \
are replaced, files without a key are left as they are. Identical files are skipped, so an export that \
was interrupted can be repeated.

DIR itself may be a symbolic link; links below it are never followed or replaced, but refused by name.")]
pub(crate) struct Export {
    /// The prefix of the keys.
    #[arg(value_name = "PREFIX", value_parser = values::prefix)]
    pub(crate) prefix: Prefix,

    /// The folder; it is created if it does not exist.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,

    /// Number of files to write at a time.
    #[arg(long, short, value_name = "N", default_value_t = DEFAULT_JOBS,
          allow_negative_numbers = true, value_parser = values::number::<u16>(1, MAX_JOBS))]
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

The file DIR/a/b becomes the key PREFIX/a/b; names are read as export writes them (see prominence kv \
export --help). Symbolic links and special files are left out and named. All names and sizes are \
checked before anything is stored. Identical values are skipped, so an import that was interrupted can \
be repeated.")]
pub(crate) struct Import {
    /// The folder.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,

    /// The prefix of the keys.
    #[arg(value_name = "PREFIX", value_parser = values::prefix)]
    pub(crate) prefix: Prefix,

    /// Only print the keys, one a line; store nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Number of requests under way at a time.
    #[arg(long, short, value_name = "N", default_value_t = DEFAULT_JOBS,
          allow_negative_numbers = true, value_parser = values::number::<u16>(1, MAX_JOBS))]
    pub(crate) jobs: u16,

    /// Show no progress.
    #[arg(long, short)]
    pub(crate) quiet: bool,

    /// Print JSON: how many keys were stored, and how many were there already; with --dry-run each key,
    /// one object a line.
    #[arg(long)]
    pub(crate) json: bool,
}
