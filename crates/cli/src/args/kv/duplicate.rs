//! The arguments of `prominence kv cp` and `prominence kv mv`.

use clap::Args;
use prominence_core::Key;

use crate::args::values;

/// Which key to copy or move, and where to.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv cp /input/best /input/start
  prominence kv mv /draft/report /report --if-absent

The copy has the value, byte for byte, and the end of the original's lifetime. One commit does all of it,
and only if the original is still the one that was read: no other command sees half of a move, and none
of another's changes is lost.

Exit status 1 means that FROM does not exist, or TO does with --if-absent; nothing was changed.")]
pub(crate) struct Duplicate {
    /// The key to read.
    #[arg(value_name = "FROM", value_parser = values::key)]
    pub(crate) from: Key,

    /// The key to write; its value is replaced where it exists.
    #[arg(value_name = "TO", value_parser = values::key)]
    pub(crate) to: Key,

    /// Only where TO does not exist.
    #[arg(long)]
    pub(crate) if_absent: bool,

    /// Print JSON: the two keys, and the revision of TO.
    #[arg(long)]
    pub(crate) json: bool,
}
