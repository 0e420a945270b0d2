//! The version of the format that a folder has, in its file `FORMAT`.
//!
//! A format's number grows whenever a program that reads the earlier one could not read the new.
//! Each number that was ever released is opened here, or refused with the way to go on;
//! `tests/fixtures` has a folder of each.

use std::path::Path;

use crate::embedded::error::OpenError;

/// What stands before the number.
const NAME: &str = "prominence-kv ";

/// The number that is written, and the latest that is read.
const LATEST: u32 = 2;

/// The first number that is read.
const OLDEST: u32 = 1;

/// The text of a new `FORMAT`.
pub(super) fn line() -> String {
    format!("{NAME}{LATEST}\n")
}

/// Whether rows of the latest format may be written into the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    Latest,
    /// An earlier version of the program, which its `FORMAT` still lets in, could not read them.
    Earlier,
}

/// Demands that the text of a `FORMAT` names one that can be read.
pub(super) fn check(folder: &Path, text: &str) -> Result<Age, OpenError> {
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
        Some(LATEST) => Ok(Age::Latest),
        Some(_) => Ok(Age::Earlier),
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
    fn the_format_that_is_written_is_read() {
        assert_eq!(check(Path::new("/d"), &line()).unwrap(), Age::Latest);
        let earlier = check(Path::new("/d"), "prominence-kv 1\n");
        assert_eq!(earlier.unwrap(), Age::Earlier);
    }

    #[test]
    fn a_later_format_and_one_that_is_too_old_are_refused_with_the_way_to_go_on() {
        let later = refused("prominence-kv 3\n");
        assert!(matches!(later, OpenError::LaterFormat { found: 3, .. }));
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
