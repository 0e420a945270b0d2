//! `prominence admin restore`: a new data folder from a backup.

use std::io::Write as _;

use prominence_api::time::rfc3339;
use prominence_server::admin;

use super::contents;
use crate::args::admin::Restore;
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(options: &Restore, output: &mut Output) -> Result<(), Failure> {
    let from = super::open(&options.from)?;
    let restored = admin::restore(&options.data_dir, from)?;
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
