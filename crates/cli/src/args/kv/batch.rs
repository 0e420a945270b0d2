//! The arguments of `prominence kv batch`.

use std::path::PathBuf;

use clap::Args;

/// Options of `kv batch`.
#[derive(Args)]
#[command(after_help = "Examples:
  prominence kv batch changes.json
  echo '{\"do\": [{\"set\": \"/a\", \"value\": \"1\"}]}' | prominence kv batch -

FILE holds one JSON object:
  {\"if\": [{\"key\": \"/lock\", \"revision\": 7},
          {\"key\": \"/b\", \"absent\": true},
          {\"key\": \"/c\", \"value\": \"x\"}],
   \"do\": [{\"set\": \"/a\", \"value\": \"1\", \"ttl\": \"1h\"},
          {\"delete\": \"/b\"},
          {\"add\": \"/n\", \"by\": -2}]}
At most 100 operations and 1 MiB; bytes that are not text go into \"value_base64\".

Exit status 1 means that a condition does not hold; nothing was changed.")]
pub(crate) struct Batch {
    /// The file with the batch; - is standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Print JSON: the revision, and what each operation did.
    #[arg(long)]
    pub(crate) json: bool,
}
