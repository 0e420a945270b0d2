//! `prominence admin migrate --data-dir`: a store of an earlier version in the latest format.

use std::io::Write as _;
use std::path::Path;

use prominence_server::admin::{self, UpgradeError, Upgraded};
use serde::Serialize;

use super::{counted, keys};
use crate::failure::Failure;
use crate::output::{Output, Show, Status};

/// Entries after which a person is shown how many are copied.
const SHOWN_EVERY: u64 = 10_000;

/// The output of `--json`.
#[derive(Serialize)]
struct Shown {
    data_dir: String,
    /// True if anything was done; otherwise the store had the latest format.
    migrated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_format: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<u64>,
}

pub(super) fn run(folder: &Path, json: bool, output: &mut Output) -> Result<(), Failure> {
    let status = Status::new(Show::Progress);
    let mut entries = 0;
    let upgraded = admin::upgrade(folder, &mut || {
        entries += 1;
        if entries % SHOWN_EVERY == 0 {
            status.show(format_args!("copied {}", keys(entries)));
        }
    });
    drop(status);
    let copied = match upgraded? {
        Upgraded::Now(copied) => Some(copied),
        Upgraded::Before => None,
    };
    let data_dir = folder.display().to_string();
    if json {
        return Ok(output.json(&Shown {
            data_dir,
            migrated: copied.is_some(),
            from_format: copied.map(|copied| copied.from_format),
            entries: copied.map(|copied| copied.entries),
        })?);
    }
    match copied {
        None => writeln!(output, "the store in {data_dir} has the latest format")?,
        Some(copied) => writeln!(
            output,
            "migrated {} and {} from format {}; compared all of it, and nothing differs",
            keys(copied.entries),
            counted(copied.other_rows, "other row"),
            copied.from_format
        )?,
    }
    Ok(())
}

impl From<UpgradeError> for Failure {
    fn from(error: UpgradeError) -> Self {
        match error {
            UpgradeError::Differs { .. } => Self::No(error.to_string()),
            error => Self::Store(error.to_string()),
        }
    }
}
