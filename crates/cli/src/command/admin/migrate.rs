//! `prominence admin migrate`: everything to another place, and compared there.

use std::io::{self, Write as _};

use prominence_server::admin::migrate::{
    self, MigrateError, Outcome, Refusal, Start, Step, Unfit, Users,
};
use serde::Serialize;

use super::{Contents, contents};
use crate::args::admin::Elsewhere;
use crate::failure::Failure;
use crate::output::{Output, Progress, Show};

/// The output of `--json` for a migration that is done.
#[derive(Serialize)]
struct Shown {
    /// True if anything was copied; otherwise all of it was there already.
    copied: bool,
    /// True if this run continued an earlier one that was interrupted.
    resumed: bool,
    #[serde(flatten)]
    contents: Contents,
}

/// The output of `--json` for a migration that is refused.
#[derive(Serialize)]
struct Refused {
    message: String,
    #[serde(flatten)]
    listed: Listed,
}

/// The details behind a sentence: the first differences or problems, and the number of further ones.
#[derive(Serialize)]
struct Listed {
    problems: Vec<String>,
    more: u64,
}

impl Shown {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Done { copied, start } => Self {
                copied: true,
                resumed: matches!(start, Start::Resumed),
                contents: copied.into(),
            },
            Outcome::NothingToDo(there) => Self {
                copied: false,
                resumed: false,
                contents: there.into(),
            },
        }
    }
}

pub(super) fn run(options: &Elsewhere, json: bool, output: &mut Output) -> Result<(), Failure> {
    let Some((from, to)) = options.ends() else {
        // The arguments demand both.
        return Err(Failure::Usage("name --from and --to".to_owned()));
    };
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
    let done = migrate::migrate(from, to, &users, &mut watch);
    drop(bar);
    match done {
        Ok(outcome) if json => Ok(output.json(&Shown::of(&outcome))?),
        Ok(outcome) => Ok(tell(outcome, output)?),
        Err(refusal) => {
            let listed = Listed::of(&refusal);
            if json {
                let message = refusal.to_string();
                output.json(&Refused { message, listed })?;
            } else {
                listed.print(output)?;
            }
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

impl Listed {
    fn of(refusal: &Refusal) -> Self {
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
            Refusal::Failed(MigrateError::Unfit(
                Unfit::Problems(found) | Unfit::Ambiguous(found),
            )) => {
                let first = found.first.iter().map(ToString::to_string);
                (first.collect(), found.count)
            }
            _ => (Vec::new(), 0),
        };
        let more = count.saturating_sub(first.len() as u64);
        Self {
            problems: first,
            more,
        }
    }

    fn print(&self, output: &mut Output) -> io::Result<()> {
        for line in &self.problems {
            writeln!(output, "{line}")?;
        }
        if self.more > 0 {
            writeln!(output, "and {} more", self.more)?;
        }
        Ok(())
    }
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
