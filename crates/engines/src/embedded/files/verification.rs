//! Looks at the storage engine's files before it opens them, and refuses what is damaged.
//!
//! fjall (3.1) trusts some of its files more than it should. It takes whatever it can't read in a
//! journal for the torn end of the last write, and cuts it off with everything behind it; it does
//! not compare a manifest with its checksum, and deletes tables that the manifest does not name,
//! and keyspaces that have none. A single flipped bit could lose acknowledged writes in silence.
//!
//! | module | what it looks at |
//! | --- | --- |
//! | `batch` | one batch in a journal, as fjall writes it |
//! | `journals` | what of a journal is whole, torn by a crash, or damaged |
//! | `manifests` | which tables there should be, and whether they are what was written |
//! | `closed` | what the journals were when the store was closed |

mod batch;
mod closed;
mod journals;
mod manifests;

pub(in crate::embedded) use manifests::VERSION_FILE;

use std::io;

use crate::embedded::error::OpenError;
use crate::embedded::files::folder::{Folder, Layout};
use crate::embedded::files::{group_log, journal};

/// A file that is not what was written, by its path within the folder of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::embedded) struct DamagedFile {
    pub(in crate::embedded) file: String,
    pub(in crate::embedded) how: String,
}

/// Why the files can't be opened.
pub(in crate::embedded) enum Unsound {
    Damaged(DamagedFile),
    Io(io::Error),
}

impl From<io::Error> for Unsound {
    fn from(cause: io::Error) -> Self {
        Self::Io(cause)
    }
}

impl Unsound {
    pub(in crate::embedded) fn damaged(file: impl Into<String>, how: impl Into<String>) -> Self {
        Self::Damaged(DamagedFile {
            file: file.into(),
            how: how.into(),
        })
    }

    pub(in crate::embedded) fn into_open_error(self, folder: &Folder) -> OpenError {
        let folder = folder.path().to_owned();
        match self {
            Self::Damaged(DamagedFile { file, how }) => {
                OpenError::DamagedFile { folder, file, how }
            }
            Self::Io(cause) => OpenError::from_io(folder, cause),
        }
    }
}

/// Looks at what can be looked at in the time of a replay, cuts off what a crash tore, and renews
/// the journal after anything but a clean end. To be called before the database is opened.
pub(in crate::embedded) fn examine(folder: &Folder) -> Result<(), OpenError> {
    let look = || {
        let was_closed = closed::read(folder.path())?;
        manifests::examine(&folder.store())?;
        let newest = journals::examine(&folder.store(), was_closed.as_ref())?;
        if let (Some((journal, length)), None) = (newest, &was_closed) {
            journal::renew(&folder.store(), &journal, length)?;
        }
        // From here on it is out of date.
        closed::remove(folder.path())
    };
    look().map_err(|unsound: Unsound| unsound.into_open_error(folder))
}

/// Looks at the trees of a log, before they are opened.
pub(in crate::embedded) fn examine_index(folder: &Folder) -> Result<(), OpenError> {
    manifests::examine_index(&folder.store()).map_err(|unsound| unsound.into_open_error(folder))
}

/// Notes what the journals are. To be called after the database was closed.
pub(in crate::embedded) fn note_closed(folder: &Folder) -> io::Result<()> {
    match journals::sums(&folder.store()) {
        Ok(sums) => closed::write(folder.path(), &sums),
        // The next start will say so.
        Err(Unsound::Damaged(_)) => Ok(()),
        Err(Unsound::Io(cause)) => Err(cause),
    }
}

/// The first file that is not what was written, where there is one. It reads everything.
pub(in crate::embedded) fn blame(folder: &Folder) -> Option<OpenError> {
    let mut first = None;
    let compared = compare_files(folder, &mut |damaged| {
        first.get_or_insert(damaged);
    });
    match (first, compared) {
        (Some(damaged), _) => Some(Unsound::Damaged(damaged).into_open_error(folder)),
        (None, Err(error @ OpenError::DamagedFile { .. })) => Some(error),
        (None, _) => None,
    }
}

/// Compares every table, and every group of a log, with its checksum, and shows what is damaged. It
/// reads everything.
pub(in crate::embedded) fn compare_files(
    folder: &Folder,
    found: &mut dyn FnMut(DamagedFile),
) -> Result<(), OpenError> {
    let store = folder.store();
    let compared = match folder.layout() {
        Layout::Fjall => manifests::compare_tables(&store, found),
        Layout::Log => manifests::compare_index(&store, found)
            .and_then(|()| group_log::compare_groups(&store, found)),
    };
    compared.map_err(|unsound| unsound.into_open_error(folder))
}

#[cfg(test)]
mod tests;
