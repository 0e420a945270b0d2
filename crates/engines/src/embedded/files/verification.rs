//! Looks at the files of the trees before they are opened, and refuses what is damaged.
//!
//! lsm-tree (3.1) does not compare a manifest with its checksum, and deletes tables that a manifest
//! does not name. A single flipped bit could lose acknowledged writes in silence. What of the log is
//! whole, torn or damaged is found when it is opened (see `group_log`).

mod manifests;

pub(in crate::embedded) use manifests::{Tree, compare, examine};

use std::io;

use crate::embedded::error::OpenError;
use crate::embedded::files::folder::Folder;
use crate::embedded::files::group_log;

/// fjall makes it in every store of its own: those of earlier formats.
pub(in crate::embedded) const FJALL_FILE: &str = "version";

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

/// Looks at the manifests of the trees, before these are opened.
pub(in crate::embedded) fn examine_index(folder: &Folder) -> Result<(), OpenError> {
    let examined = index(folder).iter().try_for_each(examine);
    examined.map_err(|unsound| unsound.into_open_error(folder))
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
    let compared = compare(&index(folder), found)
        .and_then(|()| group_log::compare_groups(&folder.store(), found));
    compared.map_err(|unsound| unsound.into_open_error(folder))
}

/// The trees of the index.
fn index(folder: &Folder) -> Vec<Tree> {
    let tree = |name| Tree {
        folder: group_log::tree_folder(&folder.store(), name),
        within: group_log::tree_within(name),
    };
    group_log::TREES.map(tree).into()
}

#[cfg(test)]
mod tests;
