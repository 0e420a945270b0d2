//! The arguments of `prominence kv cp` and `prominence kv mv`.

use clap::Args;
use prominence_core::Key;

use crate::args::values;

/// More about `kv cp`.
pub(super) const CP_HELP: &str = "Examples:
  prominence kv cp /input/best /input/start
  prominence kv cp /input/best /input/start --if-absent

The copy has the same value, byte for byte, and expires when the original does. If another command \
changes FROM before the copy is written, the new value is read and copied.

Exit status 1 means that FROM does not exist, or that TO exists and --if-absent was given; nothing was \
changed.";

/// More about `kv mv`.
pub(super) const MV_HELP: &str = "Examples:
  prominence kv mv /draft/report /report
  prominence kv mv /draft/report /report --if-absent

TO gets the same value, byte for byte, and expires when FROM would have. One commit writes TO and deletes \
FROM, so that no other command sees both keys or neither. If another command changes FROM before, the new \
value is read and moved.

Exit status 1 means that FROM does not exist, or that TO exists and --if-absent was given; nothing was \
changed.";

/// Which key to copy or move, and where to.
#[derive(Args)]
pub(crate) struct Duplicate {
    /// The key to read.
    #[arg(value_name = "FROM", value_parser = values::key)]
    pub(crate) from: Key,

    /// The key to write; a value that exists is replaced.
    #[arg(value_name = "TO", value_parser = values::key)]
    pub(crate) to: Key,

    /// Write TO only if it does not exist.
    #[arg(long)]
    pub(crate) if_absent: bool,

    /// Print JSON: the two keys, and the revision of TO.
    #[arg(long)]
    pub(crate) json: bool,
}
