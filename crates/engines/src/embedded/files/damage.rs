//! Damage to a file, as those who look for it report it.

use std::io;
use std::path::Path;

use crate::embedded::error::OpenError;

/// A file that is not what was written, by its path within the folder of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::embedded) struct DamagedFile {
    pub(in crate::embedded) file: String,
    pub(in crate::embedded) how: String,
}

/// The reason why the files can't be opened.
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

    pub(in crate::embedded) fn into_open_error(self, folder: &Path) -> OpenError {
        let folder = folder.to_owned();
        match self {
            Self::Damaged(DamagedFile { file, how }) => {
                OpenError::DamagedFile { folder, file, how }
            }
            Self::Io(cause) => OpenError::from_io(folder, cause),
        }
    }
}
