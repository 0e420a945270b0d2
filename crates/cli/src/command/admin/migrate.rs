//! `prominence admin migrate`: everything to another place, and compared there.

use std::io::{self, Write as _};

use prominence_server::admin::migrate::{
    self, MigrateError, Outcome, Refusal, Start, Step, Unfit, Users,
};

use super::contents;
use crate::args::admin::Migrate;
use crate::failure::Failure;
use crate::output::{Output, Progress, Show};

pub(super) fn run(options: &Migrate, output: &mut Output) -> Result<(), Failure> {
    let users = Users {
        file: options.users.clone(),
        unowned: options.unowned.into(),
    };
    let mut bar = None;
    let mut watch = |step| match step {
        Step::Copying(entries) => bar = Some(Progress::new(Show::Progress, "copying", entries)),
        Step::Comparing(entries) => {
            // The one before goes first, so that there are never two.
            bar = None;
            bar = Some(Progress::new(Show::Progress, "comparing", entries));
        }
        Step::Copied | Step::Compared => {
            if let Some(bar) = &bar {
                bar.step();
            }
        }
    };
    let done = migrate::migrate(options.source(), options.destination(), &users, &mut watch);
    drop(bar);
    match done {
        Ok(outcome) => Ok(tell(outcome, output)?),
        Err(refusal) => {
            list(&refusal, output)?;
            Err(refusal.into())
        }
    }
}

fn tell(outcome: Outcome, output: &mut Output) -> io::Result<()> {
    match outcome {
        Outcome::Done { copied, start } => {
            let how = match start {
                Start::Fresh => "",
                Start::Resumed => ", going on where an earlier run was broken off",
            };
            writeln!(output, "migrated {}{how}", contents(&copied))?;
            writeln!(output, "compared all of it, and nothing differs")?;
            output.remark(
                "start the servers at the destination; tokens stay good if they have the old \
                 signing secret",
            )
        }
        Outcome::NothingToDo(there) => writeln!(
            output,
            "there is nothing to do: the destination has {} already, and nothing differs",
            contents(&there)
        ),
    }
}

/// What a sentence has no room for.
fn list(refusal: &Refusal, output: &mut Output) -> io::Result<()> {
    let (first, count): (Vec<String>, u64) = match refusal {
        Refusal::Failed(
            MigrateError::Different(found)
            | MigrateError::NotEmpty {
                differences: found, ..
            },
        ) => {
            let first = found.first.iter().map(ToString::to_string);
            (first.collect(), found.count)
        }
        Refusal::Failed(MigrateError::Unfit(Unfit::Problems(found) | Unfit::Ambiguous(found))) => {
            let first = found.first.iter().map(ToString::to_string);
            (first.collect(), found.count)
        }
        _ => return Ok(()),
    };
    for line in &first {
        writeln!(output, "{line}")?;
    }
    let more = count.saturating_sub(first.len() as u64);
    if more > 0 {
        writeln!(output, "and {more} more")?;
    }
    Ok(())
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let said = refusal.to_string();
        match refusal {
            Refusal::Failed(MigrateError::Restore(error)) => error.into(),
            Refusal::Failed(
                MigrateError::Different(_)
                | MigrateError::Unfit(_)
                | MigrateError::Changed
                | MigrateError::NothingThere
                | MigrateError::Unfinished,
            ) => Self::No(said),
            Refusal::Failed(MigrateError::SamePlace | MigrateError::NotEmpty { .. }) => {
                Self::Usage(said)
            }
            Refusal::Failed(_) => Self::Store(said),
            Refusal::Options { .. }
            | Refusal::NoCluster { .. }
            | Refusal::ToExisting
            | Refusal::KnowsUsers
            | Refusal::Users { .. }
            | Refusal::BadUsers { .. } => Self::Usage(said),
        }
    }
}
