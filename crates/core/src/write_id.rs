//! The id by which a client recognizes its own earlier write.

use std::fmt;
use std::sync::Arc;

use crate::limits::MAX_WRITE_ID_BYTES;

/// The id of one conditional set, made by the client that sends it.
///
/// 1 to [`MAX_WRITE_ID_BYTES`] visible ASCII characters (U+0021 to U+007E). It is stored with the entry, so that the
/// same set sent again is answered with success although its condition no longer holds. A client makes a new one for
/// each set, with enough random bits that no two are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WriteId(Arc<str>);

/// The reason why a text is not a [`WriteId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteIdError {
    /// The text is empty.
    #[error("it is empty")]
    Empty,
    /// More bytes than [`MAX_WRITE_ID_BYTES`].
    #[error("it has {0} bytes; the limit is {MAX_WRITE_ID_BYTES}")]
    TooLong(usize),
    /// A space, a control character or a byte outside ASCII.
    #[error("it contains a byte that is not a visible ASCII character (0x{0:02X})")]
    NotVisible(u8),
}

impl WriteId {
    /// Parses an id.
    ///
    /// # Errors
    /// See [`WriteIdError`].
    pub fn parse(id: &[u8]) -> Result<Self, WriteIdError> {
        if id.is_empty() {
            return Err(WriteIdError::Empty);
        }
        if id.len() > MAX_WRITE_ID_BYTES {
            return Err(WriteIdError::TooLong(id.len()));
        }
        if let Some(byte) = id.iter().find(|byte| !byte.is_ascii_graphic()) {
            return Err(WriteIdError::NotVisible(*byte));
        }
        // ASCII is UTF-8, so no character is replaced.
        Ok(Self(String::from_utf8_lossy(id).into()))
    }

    /// The id as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WriteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visible_ascii_within_the_limit_is_an_id_and_nothing_else_is() {
        let longest = "~".repeat(MAX_WRITE_ID_BYTES);
        for id in ["0123456789abcdef0123456789ABCDEF", "!", &longest] {
            assert_eq!(WriteId::parse(id.as_bytes()).unwrap().as_str(), id);
        }
        let long = "x".repeat(MAX_WRITE_ID_BYTES + 1);
        for (id, why) in [
            ("", WriteIdError::Empty),
            (&long, WriteIdError::TooLong(MAX_WRITE_ID_BYTES + 1)),
            ("a b", WriteIdError::NotVisible(b' ')),
            ("a\n", WriteIdError::NotVisible(b'\n')),
            ("\u{7f}", WriteIdError::NotVisible(0x7f)),
            ("é", WriteIdError::NotVisible(0xc3)),
        ] {
            assert_eq!(WriteId::parse(id.as_bytes()), Err(why), "{id:?}");
        }
    }
}
