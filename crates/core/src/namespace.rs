//! The owner of keys ([`Namespace`]) and the writer of an entry ([`Job`]).

use std::fmt;
use std::sync::Arc;

use crate::limits::{MAX_JOB_BYTES, MAX_NAMESPACE_BYTES};

/// The name of [`Namespace::system`].
const SYSTEM: &str = "\u{1}system";

/// The name of a set of keys to which only one user has access.
///
/// 1 to [`MAX_NAMESPACE_BYTES`] bytes of UTF-8 without control characters. All others are allowed, `/`, spaces and
/// emoji included; names are compared by their bytes.
///
/// Because U+0000 cannot occur, engines end a namespace with it in their encodings, so that no
/// namespace is a prefix of another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace(Arc<str>);

/// The identifier of the job whose token wrote an entry.
///
/// 1 to [`MAX_JOB_BYTES`] bytes of UTF-8 without control characters, so that it can be the value of an HTTP header.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Job(Arc<str>);

/// The reason why a text can't be the name of a namespace or a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("it is empty")]
    Empty,
    /// More bytes than the limit.
    #[error("it has {bytes} bytes; the limit is {limit}")]
    TooLong {
        /// Bytes given.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// U+0000 to U+001F or U+007F.
    #[error("it contains a control character (U+{:04X})", *.0 as u32)]
    Control(char),
}

impl Namespace {
    /// Parses a user's name.
    ///
    /// # Errors
    /// If it is empty, too long or contains a control character.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        check(name, MAX_NAMESPACE_BYTES)?;
        Ok(Self(name.into()))
    }

    /// The namespace of the service's own records. No user's name can be parsed to it, because it has a control
    /// character; U+0000 still ends it in every encoding.
    #[must_use]
    pub fn system() -> Self {
        Self(SYSTEM.into())
    }

    /// Reads a name that a store has written: a user's, or that of [`Namespace::system`].
    ///
    /// # Errors
    /// As [`Namespace::parse`].
    pub fn stored(name: &str) -> Result<Self, NameError> {
        if name == SYSTEM {
            return Ok(Self::system());
        }
        Self::parse(name)
    }

    /// True for [`Namespace::system`].
    #[must_use]
    pub fn is_system(&self) -> bool {
        &*self.0 == SYSTEM
    }

    /// The name as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Job {
    /// Parses a job's identifier.
    ///
    /// # Errors
    /// If it is empty, too long or contains a control character.
    pub fn parse(id: &str) -> Result<Self, NameError> {
        check(id, MAX_JOB_BYTES)?;
        Ok(Self(id.into()))
    }

    /// The identifier as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check(name: &str, limit: usize) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > limit {
        return Err(NameError::TooLong {
            bytes: name.len(),
            limit,
        });
    }
    match name.chars().find(char::is_ascii_control) {
        Some(control) => Err(NameError::Control(control)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_printable_unicode_names_a_namespace() {
        for name in ["alice", "alice2", "a/b", "..", "tab-less name", "🦀", "é"] {
            assert_eq!(Namespace::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn no_user_is_named_like_the_namespace_of_the_service() {
        let system = Namespace::system();
        assert_eq!(Namespace::stored(system.as_str()), Ok(system.clone()));
        assert_eq!(
            Namespace::parse(system.as_str()),
            Err(NameError::Control('\u{1}'))
        );
        assert!(!Namespace::parse("system").unwrap().is_system());
        assert!(Namespace::stored("\u{1}other").is_err());
    }

    #[test]
    fn empty_long_and_control_characters_are_refused() {
        assert_eq!(Namespace::parse(""), Err(NameError::Empty));
        assert_eq!(Namespace::parse("a\0b"), Err(NameError::Control('\0')));
        assert_eq!(Job::parse("a\u{7f}"), Err(NameError::Control('\u{7f}')));
        let long = "x".repeat(MAX_NAMESPACE_BYTES + 1);
        assert_eq!(
            Namespace::parse(&long),
            Err(NameError::TooLong {
                bytes: long.len(),
                limit: MAX_NAMESPACE_BYTES
            })
        );
        assert!(Namespace::parse(&long[1..]).is_ok());
    }
}
