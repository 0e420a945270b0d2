//! The version of the format that a folder has, in its file `FORMAT`.
//!
//! A format's number grows whenever a program that reads the earlier one could not read the new.
//! Only the latest is opened. A folder of an earlier one that was ever released is upgraded on
//! demand (see `admin::upgrade`); `tests/fixtures` has a folder of each.

use std::path::Path;

use super::{FJALL_FILE, FORMAT_FILE, STORE_FOLDER};
use crate::embedded::error::OpenError;
use crate::embedded::files::group_log;

/// The text before the number.
const NAME: &str = "prominence-kv ";

/// The format that is written: a log with trees as its index.
const LATEST: u32 = 3;

/// The first number that can be upgraded. Up to 2, a store is a database of fjall.
const OLDEST: u32 = 1;

/// The format of a folder, if it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) enum Format {
    Latest,
    /// One that has to be upgraded.
    Earlier(u32),
}

/// The text of a new `FORMAT`.
pub(super) fn line() -> String {
    format!("{NAME}{LATEST}\n")
}

/// The format that the text of a `FORMAT` names.
pub(super) fn read(folder: &Path, text: &str) -> Result<Format, OpenError> {
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
        Some(LATEST) => Ok(Format::Latest),
        Some(found) => Ok(Format::Earlier(found)),
    }
}

impl Format {
    /// Demands that the files in the folder are of this format. One flipped bit makes a number
    /// another one, and the files would be taken for what they are not.
    pub(super) fn demand(self, folder: &Path) -> Result<(), OpenError> {
        let of_another = match self {
            Self::Earlier(_) => group_log::FOLDER,
            Self::Latest => FJALL_FILE,
        };
        match folder.join(STORE_FOLDER).join(of_another).try_exists() {
            Ok(false) => Ok(()),
            Ok(true) => Err(OpenError::DamagedFile {
                folder: folder.to_owned(),
                file: FORMAT_FILE.to_owned(),
                how: "it names a format that the folder \"store\" is not of".to_owned(),
            }),
            Err(cause) => Err(OpenError::from_io(folder.to_owned(), cause)),
        }
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
        read(Path::new("/d"), text).unwrap_err()
    }

    #[test]
    fn the_format_that_is_written_is_read_and_earlier_ones_are_known() {
        let folder = Path::new("/d");
        assert_eq!(read(folder, &line()).unwrap(), Format::Latest);
        for number in [1, 2] {
            let text = format!("prominence-kv {number}\n");
            assert_eq!(read(folder, &text).unwrap(), Format::Earlier(number));
        }
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
