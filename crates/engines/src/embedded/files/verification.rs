//! Checks the files of the trees before they are opened, and refuses damaged ones.
//!
//! lsm-tree (3.1) does not compare a manifest with its checksum, and deletes tables that a manifest
//! does not name. A single flipped bit could lose acknowledged writes in silence. Opening the log tells
//! whole groups from torn and damaged ones (see `group_log`).

mod manifests;

pub(in crate::embedded) use manifests::{Tree, compare, examine};

use crate::embedded::error::OpenError;
use crate::embedded::files::damage::{DamagedFile, Unsound};
use crate::embedded::files::folder::Folder;
use crate::embedded::files::group_log;

/// Checks the manifests of the trees, before these are opened.
pub(in crate::embedded) fn examine_index(folder: &Folder) -> Result<(), OpenError> {
    let examined = index(folder).iter().try_for_each(examine);
    examined.map_err(|unsound| unsound.into_open_error(folder.path()))
}

/// The first file that is not what was written, where there is one. It reads everything.
pub(in crate::embedded) fn blame(folder: &Folder) -> Option<OpenError> {
    let mut first = None;
    let compared = compare_files(folder, &mut |damaged| {
        first.get_or_insert(damaged);
    });
    match (first, compared) {
        (Some(damaged), _) => Some(Unsound::Damaged(damaged).into_open_error(folder.path())),
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
    compared.map_err(|unsound| unsound.into_open_error(folder.path()))
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
