//! Checks everything that is stored: every row by itself, and the rows against each other.
//!
//! | module | what it checks |
//! | --- | --- |
//! | `space` | a namespace: its row, its entries, and that they add up |
//! | `history` | its log: nothing is missing, and the entries are what it says |
//! | `index` | the expiry index against the entries |
//! | `walk`, `report` | what these share, and what comes out |
//!
//! It reads one snapshot in the order of the keys, so that it takes little memory, and commits
//! can go on meanwhile. It changes nothing.

mod history;
mod index;
mod report;
mod space;
mod walk;

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use prominence_core::error::Fate;
use prominence_core::{Namespace, StoreError};

pub use report::{CheckReport, Finding, FindingKind, MAX_FINDINGS, Place};

use crate::embedded::EmbeddedStore;
use crate::embedded::error::{OpenError, unavailable};
use crate::embedded::files::damage::DamagedFile;
use crate::embedded::files::folder::Folder;
use crate::embedded::files::verification;
use crate::embedded::options::{RETRY_SOON, Tuning};
use crate::embedded::storage::database::{Snapshot, Table};
use crate::embedded::storage::keys;
use crate::embedded::write::deletion;
use walk::{At, Walker, shown};

/// Sorts after every key of a table that this program could have written, and after most of
/// those that it could not.
pub(in crate::embedded) const END: &[u8] = &[u8::MAX; 16];

/// Bytes of blocks that a check of a folder keeps in memory. It reads almost everything once.
const CACHE_BYTES: u64 = 16 << 20;

impl EmbeddedStore {
    /// Checks everything in one snapshot of the store, while it is used. It blocks, reads
    /// everything that is stored, and says now and then how many rows it has read.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the store is closed or opened again meanwhile. What is
    /// damaged is no error but a finding.
    pub fn check(&self, on_progress: &mut dyn FnMut(u64)) -> Result<CheckReport, StoreError> {
        let database = self.shared.slot.open().ok_or_else(|| {
            let reason = "the store is closed, or being opened again";
            unavailable(reason, Fate::NotApplied, RETRY_SOON)
        })?;
        check(
            &database.whole_snapshot()?,
            CheckReport::default(),
            on_progress,
        )
    }
}

/// Checks the store in a folder that no process has open. It blocks and takes the folder's lock;
/// a journal that a crash left is replayed first, as at every start. It says now and then how
/// many rows it has read.
///
/// # Errors
/// See [`OpenError`]; also where there is no store. Damage for which the store can't be opened is
/// no error but a finding.
pub fn check_folder(
    folder: &Path,
    on_progress: &mut dyn FnMut(u64),
) -> Result<CheckReport, OpenError> {
    let taken = Arc::new(Folder::take_store(folder)?);
    let mut report = CheckReport::default();
    // First, as the store writes and removes tables while it is open.
    let compared = verification::compare_files(&taken, &mut |DamagedFile { file, how }| {
        report.add(damaged_file(file, how));
    });
    let opened =
        compared.and_then(|()| deletion::open_and_resume(&taken, Tuning::once(CACHE_BYTES)));
    let database = match opened {
        Ok(database) => database,
        Err(OpenError::DamagedFile { file, how, .. }) => {
            let finding = damaged_file(file, how);
            if !report.findings.contains(&finding) {
                report.add(finding);
            }
            return Ok(report);
        }
        Err(OpenError::Damaged { cause, .. }) => {
            let how = format!("the storage engine can't open it: {cause}");
            report.add(damaged_file("store".to_owned(), how));
            return Ok(report);
        }
        Err(error) => return Err(error),
    };
    let checked = check(&database.snapshot(), report, on_progress);
    database.close();
    checked.map_err(|error| OpenError::Io {
        folder: folder.to_owned(),
        cause: std::io::Error::other(error),
    })
}

fn damaged_file(file: String, how: String) -> Finding {
    Finding {
        kind: FindingKind::DamagedFile,
        place: Place::File(file),
        namespace: None,
        key: None,
        explanation: how,
    }
}

/// Checks everything in a snapshot.
pub(in crate::embedded) fn of(
    snapshot: &Snapshot<'_>,
    on_progress: &mut dyn FnMut(u64),
) -> Result<CheckReport, StoreError> {
    check(snapshot, CheckReport::default(), on_progress)
}

fn check(
    snapshot: &Snapshot<'_>,
    report: CheckReport,
    on_progress: &mut dyn FnMut(u64),
) -> Result<CheckReport, StoreError> {
    let mut walker = Walker::new(snapshot, report, on_progress);
    check_other_rows(&mut walker)?;
    let mut next = NextName::default();
    while let Some(name) = next.find(&mut walker)? {
        let text = std::str::from_utf8(&name).ok();
        match text.and_then(|name| Namespace::stored(name).ok()) {
            Some(namespace) => space::check(&mut walker, &namespace)?,
            None => {
                let at = At::new(Table::Entries, None);
                let explanation = "rows begin with what is no legal name of a namespace";
                let key = Some(shown(&name));
                walker.note(FindingKind::IllegalKey, &at, key, explanation);
            }
        }
    }
    index::check(&mut walker)?;
    Ok(walker.report)
}

/// Before the first namespace stands one row that is none's.
fn check_other_rows(walker: &mut Walker<'_, '_>) -> Result<(), StoreError> {
    let range = (Bound::Unbounded, keys::FIRST_NAMESPACE);
    walker.walk(Table::Namespaces, None, range, &mut |walker, key, _| {
        if key != keys::EXPIRY_FLOOR {
            let at = At::new(Table::Namespaces, None);
            let explanation = "there is no such row";
            walker.note(FindingKind::IllegalKey, &at, Some(shown(&key)), explanation);
        }
        Ok(())
    })?;
    Ok(())
}

/// Finds the names of all namespaces that rows of any table begin with.
#[derive(Default)]
struct NextName {
    /// Everything up to here has been found.
    after: Vec<u8>,
    /// Tables that can't be read on. The others lead to almost every name.
    blind: Vec<Table>,
}

impl NextName {
    fn find(&mut self, walker: &mut Walker<'_, '_>) -> Result<Option<Vec<u8>>, StoreError> {
        let mut first: Option<Vec<u8>> = None;
        for table in [Table::Namespaces, Table::Entries, Table::Log] {
            if self.blind.contains(&table) {
                continue;
            }
            let start = match table {
                Table::Namespaces if self.after.is_empty() => keys::FIRST_NAMESPACE.to_vec(),
                _ => self.after.clone(),
            };
            let row = walker
                .snapshot
                .rows(table, Bound::Included(start), END)
                .next();
            match row {
                None => {}
                Some(Ok((key, _))) => {
                    let name = keys::name_of(&key).to_vec();
                    first = Some(first.map_or(name.clone(), |first| first.min(name)));
                }
                Some(Err(error)) => {
                    walker.unreadable(&At::new(table, None), error)?;
                    self.blind.push(table);
                }
            }
        }
        if let Some(name) = &first {
            // A name has no byte below this one; where it is damaged and has, it is found again
            // under a longer name.
            self.after = [name.as_slice(), keys::FIRST_NAMESPACE].concat();
        }
        Ok(first)
    }
}

#[cfg(test)]
mod tests;
