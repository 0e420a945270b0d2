//! `prominence admin restore`: a new data folder from a backup.

use std::io::Write as _;

use prominence_api::time::rfc3339;
use prominence_server::admin;
use serde::Serialize;

use super::{Contents, contents};
use crate::args::admin::Restore;
use crate::failure::Failure;
use crate::output::Output;

/// The output of `--json`.
#[derive(Serialize)]
struct Restored {
    data_dir: String,
    #[serde(flatten)]
    contents: Contents,
}

pub(super) fn run(options: &Restore, output: &mut Output) -> Result<(), Failure> {
    let from = super::open(&options.from)?;
    let restored = admin::restore(&options.data_dir, from)?;
    if options.json {
        return Ok(output.json(&Restored {
            data_dir: options.data_dir.display().to_string(),
            contents: (&restored).into(),
        })?);
    }
    writeln!(
        output,
        "restored {} as of {} into {}",
        contents(&restored),
        rfc3339(restored.made),
        options.data_dir.display()
    )?;
    output.remark(
        "start the server there; tokens stay good if it has the signing secret of the old one",
    )?;
    Ok(())
}
