//! Everything of one store into another: from one engine to the other, or from another layout.
//!
//! ```text
//! source ─ export ─▶ the stream of a backup ─ pipe ─▶ restore or load ─▶ destination
//! source ─ export ─▶ compare ◀─ export ─ destination
//! ```
//!
//! | module | what it holds |
//! | --- | --- |
//! | `source`, `destination` | what is read, and what is written |
//! | `layout` | keys `/NAME/PATH` with values in base64, as another service kept them in etcd |
//! | `pipe` | a thread writes what another reads |
//! | `compare` | two stores entry by entry |
//!
//! **Invariants.** The source is only read. A destination that a migration was broken off at is
//! no store, or says so, until a later run has finished and compared everything.

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

/// What a migration came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is in the destination, and was compared.
    Done {
        /// What was copied.
        copied: BackupSummary,
        /// Whether an earlier run had begun it.
        start: Start,
    },
    /// Everything was there before.
    NothingToDo(BackupSummary),
}

/// Whether a run was the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It was.
    Fresh,
    /// An earlier one was broken off.
    Resumed,
}

/// How far a migration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many entries are about to be copied.
    Copying(u64),
    /// One was.
    Copied,
    /// So many are about to be compared.
    Comparing(u64),
    /// One was.
    Compared,
}

/// Copies everything from one place to another, and compares both then. It blocks.
///
/// `now` is when that is. `watch` is told how far it is.
///
/// # Errors
/// See [`MigrateError`]. What was copied until then is gone on from when it is tried again.
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
        // Something is there: what an earlier run has brought, or something else.
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
