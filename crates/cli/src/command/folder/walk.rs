//! Every file below a folder, found as it is wanted: memory holds the names of the folders on the
//! way down, and no more.

use std::ffi::OsString;
use std::fs::{self, FileType};
use std::path::{Path, PathBuf};
use std::vec;

use super::super::file_name::STAGING;
use super::cannot;
use crate::failure::Failure;

/// A result of the walk.
pub(in crate::command) enum Found {
    /// A file.
    File {
        /// Its path.
        path: PathBuf,
        /// The names from the folder to it.
        names: Vec<OsString>,
        /// Its size in bytes.
        bytes: u64,
    },
    /// A file that is left out.
    Left(Left),
}

/// The reason for leaving a file out.
pub(in crate::command) struct Left {
    path: PathBuf,
    kind: FileType,
}

/// Walks a folder, each level in the order of its names.
pub(in crate::command) fn walk(root: &Path) -> Result<Walk, Failure> {
    Ok(Walk {
        levels: vec![level(root)?],
        path: root.to_owned(),
        names: Vec::new(),
    })
}

/// A walk under way.
pub(in crate::command) struct Walk {
    /// The names that are left on each level.
    levels: Vec<vec::IntoIter<(OsString, FileType)>>,
    /// The folder of the last level.
    path: PathBuf,
    /// Its names below the root.
    names: Vec<OsString>,
}

impl Walk {
    fn step(&mut self) -> Result<Option<Found>, Failure> {
        while let Some(level) = self.levels.last_mut() {
            let Some((name, kind)) = level.next() else {
                self.levels.pop();
                if self.names.pop().is_some() {
                    self.path.pop();
                }
                continue;
            };
            let path = self.path.join(&name);
            if kind.is_dir() {
                let staging = self.names.is_empty() && name == STAGING;
                if !staging {
                    self.levels.push(self::level(&path)?);
                    self.names.push(name);
                    self.path = path;
                }
            } else if kind.is_file() {
                let metadata = fs::symlink_metadata(&path);
                let metadata = metadata.map_err(|error| cannot("look at", &path, &error))?;
                let mut names = self.names.clone();
                names.push(name);
                let bytes = metadata.len();
                return Ok(Some(Found::File { path, names, bytes }));
            } else {
                return Ok(Some(Found::Left(Left { path, kind })));
            }
        }
        Ok(None)
    }
}

impl Iterator for Walk {
    type Item = Result<Found, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.levels.clear();
        }
        step.transpose()
    }
}

impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.kind.is_symlink() {
            "a symbolic link"
        } else {
            "a special file"
        };
        write!(f, "{} is {kind}", self.path.display())
    }
}

fn level(folder: &Path) -> Result<vec::IntoIter<(OsString, FileType)>, Failure> {
    let failed = |error| cannot("read the folder", folder, &error);
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        entries.push((entry.file_name(), entry.file_type().map_err(failed)?));
    }
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(entries.into_iter())
}
