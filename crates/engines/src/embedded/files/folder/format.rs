//! The version of the format that a folder has, in its file `FORMAT`.
//!
//! A format's number grows whenever a program that reads the earlier one could not read the new.
//! Each number that was ever released is opened here, or refused with the way to go on;
//! `tests/fixtures` has a folder of each.

use std::path::Path;

use super::FORMAT_FILE;
use crate::embedded::error::OpenError;
use crate::embedded::files::{group_log, verification};

/// What stands before the number.
const NAME: &str = "prominence-kv ";

/// The latest number that is read.
const LATEST: u32 = 3;

/// The latest number of a store in fjall, which is also the one that a new store gets.
const LATEST_FJALL: u32 = 2;

/// Names the format of new stores, for those who try the next one: 2 or 3.
const NEW_FORMAT: &str = "PROMINENCE_STORE_FORMAT";

/// The first number that is read.
const OLDEST: u32 = 1;

/// What a store consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) enum Layout {
    /// Keyspaces of fjall with its journal: formats 1 and 2.
    Fjall,
    /// A log with trees as its index: format 3.
    Log,
}

impl Layout {
    /// That of new stores.
    pub(super) fn of_new_stores() -> Result<Self, OpenError> {
        let wanted = std::env::var_os(NEW_FORMAT).unwrap_or_default();
        Self::of_setting(&wanted.to_string_lossy())
    }

    fn of_setting(wanted: &str) -> Result<Self, OpenError> {
        match wanted {
            "" | "2" => Ok(Self::Fjall),
            "3" => Ok(Self::Log),
            _ => Err(OpenError::NoSuchFormat {
                found: wanted.to_owned(),
            }),
        }
    }

    /// Demands that what is in the folder of the storage engine's files, if there is something, is of
    /// this layout. One flipped bit makes the number of one layout that of the other, which would take
    /// the folder for that of a new store.
    pub(super) fn demand(self, folder: &Path, store: &Path) -> Result<(), OpenError> {
        let of_another = match self {
            Self::Fjall => group_log::FOLDER,
            Self::Log => verification::VERSION_FILE,
        };
        match store.join(of_another).try_exists() {
            Ok(false) => Ok(()),
            Ok(true) => Err(OpenError::DamagedFile {
                folder: folder.to_owned(),
                file: FORMAT_FILE.to_owned(),
                how: "it names a format that the folder \"store\" is not of".to_owned(),
            }),
            Err(cause) => Err(OpenError::from_io(folder.to_owned(), cause)),
        }
    }

    /// The text of a new `FORMAT`.
    pub(super) fn line(self) -> String {
        let number = match self {
            Self::Fjall => LATEST_FJALL,
            Self::Log => LATEST,
        };
        format!("{NAME}{number}\n")
    }
}

/// Whether rows of the latest format may be written into the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    Latest,
    /// An earlier version of the program, which its `FORMAT` still lets in, could not read them.
    Earlier,
}

/// Demands that the text of a `FORMAT` names one that can be read.
pub(super) fn check(folder: &Path, text: &str) -> Result<(Layout, Age), OpenError> {
    let folder = folder.to_owned();
    match number(text) {
        None => Err(OpenError::UnknownFormat {
            folder,
            found: text.trim_end().to_owned(),
        }),
        Some(found) if found > LATEST => Err(OpenError::LaterFormat {
            folder,
            found,
            supported: LATEST,
        }),
        Some(found) if found < OLDEST => Err(OpenError::OldFormat { folder, found }),
        Some(LATEST) => Ok((Layout::Log, Age::Latest)),
        Some(LATEST_FJALL) => Ok((Layout::Fjall, Age::Latest)),
        Some(_) => Ok((Layout::Fjall, Age::Earlier)),
    }
}

/// The number; `None` where the line is not whole or no version writes it.
fn number(text: &str) -> Option<u32> {
    let number = text.strip_prefix(NAME)?.strip_suffix('\n')?;
    let is_plain = number.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| number.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> OpenError {
        check(Path::new("/d"), text).unwrap_err()
    }

    #[test]
    fn the_format_of_new_stores_is_one_that_is_known() {
        for (wanted, layout) in [
            ("", Layout::Fjall),
            ("2", Layout::Fjall),
            ("3", Layout::Log),
        ] {
            assert_eq!(Layout::of_setting(wanted).unwrap(), layout);
        }
        for wanted in ["1", "4", "03", "log", " 3"] {
            let refused = Layout::of_setting(wanted).unwrap_err().to_string();
            assert!(refused.contains(&format!("{wanted:?}")), "{refused}");
        }
    }

    #[test]
    fn the_format_that_is_written_is_read() {
        for layout in [Layout::Fjall, Layout::Log] {
            let read = check(Path::new("/d"), &layout.line()).unwrap();
            assert_eq!(read, (layout, Age::Latest));
        }
        let earlier = check(Path::new("/d"), "prominence-kv 1\n");
        assert_eq!(earlier.unwrap(), (Layout::Fjall, Age::Earlier));
    }

    #[test]
    fn a_later_format_and_one_that_is_too_old_are_refused_with_the_way_to_go_on() {
        let later = refused("prominence-kv 4\n");
        assert!(matches!(later, OpenError::LaterFormat { found: 4, .. }));
        assert!(later.to_string().contains("the version that wrote it"));
        let old = refused("prominence-kv 0\n");
        assert!(matches!(old, OpenError::OldFormat { found: 0, .. }));
        assert!(old.to_string().contains("prominence admin restore FILE"));
    }

    #[test]
    fn a_text_that_is_incomplete_or_something_else_is_refused() {
        for text in ["prominence-kv 1", "", "prominence-kv +1\n", "other 1\n"] {
            assert!(
                matches!(refused(text), OpenError::UnknownFormat { .. }),
                "{text:?}"
            );
        }
    }
}
