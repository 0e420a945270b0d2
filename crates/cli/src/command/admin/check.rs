//! `prominence admin check`: whether anything is damaged.

use std::io::Write as _;

use prominence_api::time::rfc3339;
use prominence_server::admin::{self, CheckReport};
use serde::Serialize;

use super::super::{counted, keys};
use super::{Contents, contents};
use crate::args::admin::{Check, FileOrStream};
use crate::failure::Failure;
use crate::output::Output;

/// The output of `--json` for a backup that is complete.
#[derive(Serialize)]
struct WholeBackup {
    clean: bool,
    #[serde(flatten)]
    contents: Contents,
}

/// The output of `--json` for a backup that is not.
#[derive(Serialize)]
struct DamagedBackup {
    clean: bool,
    message: String,
}

pub(super) fn run(options: &Check, output: &mut Output) -> Result<(), Failure> {
    if let Some(backup) = &options.backup {
        return check_backup(backup, options, output);
    }
    let folder = super::folder(&options.folder)?;
    let report = admin::check(&folder)?;
    if options.json {
        output.json(&report)?;
    } else {
        describe(&report, output)?;
    }
    if report.clean {
        return Ok(());
    }
    Err(Failure::No(format!(
        "{} is damaged; take a copy of the folder, and restore a backup",
        folder.display()
    )))
}

fn describe(report: &CheckReport, output: &mut Output) -> Result<(), Failure> {
    writeln!(
        output,
        "checked {} of {} ({}), {} of which expire, and {}",
        keys(report.entries),
        counted(report.namespaces, "user"),
        counted(report.bytes, "byte"),
        report.expiring,
        counted(report.changes, "change")
    )?;
    for finding in &report.findings {
        writeln!(output, "{}: {}", finding.kind, finding.message)?;
    }
    if report.more_findings > 0 {
        writeln!(output, "and {} more", report.more_findings)?;
    }
    if report.clean {
        writeln!(output, "nothing is damaged")?;
    }
    Ok(())
}

fn check_backup(
    backup: &FileOrStream,
    options: &Check,
    output: &mut Output,
) -> Result<(), Failure> {
    match admin::verify(super::open(backup)?) {
        Ok(found) if options.json => output.json(&WholeBackup {
            clean: true,
            contents: (&found).into(),
        })?,
        Ok(found) => {
            let made = rfc3339(found.made);
            writeln!(output, "checked {} as of {made}", contents(&found))?;
            writeln!(output, "nothing is damaged")?;
        }
        Err(error) => {
            let failure = Failure::from(error);
            if let (true, Failure::No(message)) = (options.json, &failure) {
                output.json(&DamagedBackup {
                    clean: false,
                    message: message.clone(),
                })?;
            }
            return Err(failure);
        }
    }
    Ok(())
}
