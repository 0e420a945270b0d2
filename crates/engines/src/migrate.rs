//! Migration: copies a whole store into another, from one engine to the other, or from another
//! layout.
//!
//! ```text
//! source ─ export ─▶ the stream of a backup ─ pipe ─▶ restore or load ─▶ destination
//! source ─ export ─▶ compare ◀─ export ─ destination
//! ```
//!
//! | module | what it holds |
//! | --- | --- |
//! | `source`, `destination` | the two stores |
//! | `layout` | keys `/NAME/PATH` with values in base64, as another service keeps them in etcd |
//! | `pipe` | a stream from one thread to another |
//! | `compare` | compares two stores entry by entry |
//!
//! **Invariants.** The source is only read. The destination of a broken migration is not a store, or
//! is not ready, until a later run has finished and compared everything.

mod compare;
mod destination;
mod error;
mod layout;
mod pipe;
mod source;

use prominence_core::Timestamp;

use crate::backup::BackupSummary;

pub use compare::{Difference, Differences};
pub use destination::Place;
pub use error::MigrateError;
pub use layout::{BadOwners, Layout, Owners, Problem, Problems, Unfit, Unowned};
pub use source::Source;

use destination::Destination;
use source::OpenSource;

/// The result of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is in the destination, and was compared.
    Done {
        /// The copied content.
        copied: BackupSummary,
        /// The first run, or one that goes on after an earlier one.
        start: Start,
    },
    /// The destination had everything before.
    NothingToDo(BackupSummary),
}

/// The start of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It was the first one.
    Fresh,
    /// It continued an earlier one that was broken off.
    Resumed,
}

/// The progress of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The number of entries, before they are copied.
    Copying(u64),
    /// One entry was copied.
    Copied,
    /// The number of entries, before they are compared.
    Comparing(u64),
    /// One entry was compared.
    Compared,
}

/// Copies everything from one place to another, and compares both then. It blocks.
///
/// `now` is the current time. `watch` is called with each step.
///
/// # Errors
/// See [`MigrateError`]. Another run continues with what was copied until then.
pub fn migrate(
    from: &Source,
    to: &Place,
    now: Timestamp,
    watch: &mut dyn FnMut(Step),
) -> Result<Outcome, MigrateError> {
    if let (Source::Store(Place::Folder(from)), Place::Folder(to)) = (from, to)
        && is_same_folder(from, to)
    {
        return Err(MigrateError::SamePlace);
    }
    let mut source = OpenSource::open(from)?;
    let destination = Destination::open(to)?;
    source.meet(&destination)?;
    let entries = source.survey()?;
    match destination.fill(&source, now, entries, watch)? {
        Some(filled) => {
            let differences = compare(&source, &destination, now, entries, watch)?;
            if differences.is_some() {
                return Err(MigrateError::Different(Box::new(differences)));
            }
            filled.complete()
        }
        // The destination has something: the copy of an earlier run, or other data.
        None => {
            let differences = compare(&source, &destination, now, entries, watch)?;
            if differences.is_some() {
                return Err(MigrateError::NotEmpty {
                    place: to.to_string(),
                    differences: Box::new(differences),
                });
            }
            Ok(Outcome::NothingToDo(differences.source))
        }
    }
}

fn compare(
    source: &OpenSource,
    destination: &Destination,
    now: Timestamp,
    entries: u64,
    watch: &mut dyn FnMut(Step),
) -> Result<Differences, MigrateError> {
    watch(Step::Comparing(entries));
    let copy = destination.reopen()?;
    pipe::both(
        |to| source.export(now, to),
        |to| copy.export(now, to),
        |from, copied| {
            compare::compare(from, copied, source.times(), &mut || watch(Step::Compared))
        },
    )
}

fn is_same_folder(one: &std::path::Path, other: &std::path::Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}
