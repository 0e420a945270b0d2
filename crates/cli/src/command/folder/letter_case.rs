//! File systems on which `A` and `a` are one file, as on macOS: two keys that differ only in that
//! would share a file, or a folder, and one of them would be lost without a word.

use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;

use super::at_folder::{self, FileKind};

/// The name of the file that is made to try it out, and the same in upper case.
const LOWER: &str = "letter-case";
const UPPER: &str = "LETTER-CASE";

/// The names that were given away, where upper and lower case are the same.
pub(super) enum LetterCase {
    /// They differ, and nothing has to be kept.
    Matters,
    /// They are the same; each path in lower case, with the form that came first. Memory grows with
    /// the number of files.
    Ignored(HashMap<String, String>),
}

/// A path that differs from another one only in the case of letters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Clash {
    pub(super) path: String,
    pub(super) other: String,
}

impl LetterCase {
    /// Tries it out in an open folder.
    pub(super) fn of(folder: impl AsFd) -> io::Result<Self> {
        let folder = folder.as_fd();
        at_folder::write_new(folder, LOWER, b"")?;
        let same = at_folder::file_kind(folder, UPPER)? != FileKind::Nothing;
        at_folder::remove(folder, LOWER)?;
        Ok(if same {
            Self::Ignored(HashMap::new())
        } else {
            Self::Matters
        })
    }

    /// Takes the names of a file, and of the folders on the way to it.
    pub(super) fn admit(&mut self, names: &[String]) -> Result<(), Clash> {
        let Self::Ignored(taken) = self else {
            return Ok(());
        };
        for length in 1..=names.len() {
            let path = names[..length].join("/");
            let first = taken
                .entry(path.to_lowercase())
                .or_insert_with(|| path.clone());
            if *first != path {
                let other = first.clone();
                return Err(Clash { path, other });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    fn admit(case: &mut LetterCase, path: &str) -> Result<(), Clash> {
        let names: Vec<_> = path.split('/').map(str::to_owned).collect();
        case.admit(&names)
    }

    #[test]
    fn names_that_differ_only_in_case_clash_where_case_is_ignored() {
        let mut case = LetterCase::Ignored(HashMap::new());
        for path in ["a/b", "a/c", "a", "É/x"] {
            assert_eq!(admit(&mut case, path), Ok(()), "{path}");
        }
        for (path, clash, other) in [("a/B", "a/B", "a/b"), ("A/d", "A", "a"), ("é", "é", "É")] {
            let (path, clash, other) = (path, clash.to_owned(), other.to_owned());
            assert_eq!(admit(&mut case, path), Err(Clash { path: clash, other }));
        }
        let mut case = LetterCase::Matters;
        assert_eq!(admit(&mut case, "a"), Ok(()));
        assert_eq!(admit(&mut case, "A"), Ok(()));
    }

    #[test]
    fn a_folder_of_this_machine_is_tried_out_and_left_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let case = LetterCase::of(File::open(folder.path()).unwrap()).unwrap();
        fs::write(folder.path().join("a"), "").unwrap();
        let ignored = folder.path().join("A").exists();
        assert_eq!(ignored, matches!(case, LetterCase::Ignored(_)));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
