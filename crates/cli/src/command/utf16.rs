//! Text in UTF-16 with a byte order mark, as Excel's "Unicode Text" and PowerShell write it.

/// The mark before text whose lower byte comes first.
const LITTLE_ENDIAN: &[u8] = b"\xff\xfe";

/// The mark before text whose higher byte comes first.
const BIG_ENDIAN: &[u8] = b"\xfe\xff";

/// The number that two bytes are.
type Unit = fn([u8; 2]) -> u16;

/// The reason why a text can't be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// The line, from 1, on which it is broken.
    pub(super) line: u64,
}

/// True if bytes begin with a mark of UTF-16.
pub(super) fn is_marked(bytes: &[u8]) -> bool {
    bytes.starts_with(LITTLE_ENDIAN) || bytes.starts_with(BIG_ENDIAN)
}

/// The text, without its mark; `None` if no mark says that it is UTF-16.
pub(super) fn decode(bytes: &[u8]) -> Option<Result<String, Broken>> {
    let (text, unit): (&[u8], Unit) = match bytes {
        _ if bytes.starts_with(LITTLE_ENDIAN) => (&bytes[2..], u16::from_le_bytes),
        _ if bytes.starts_with(BIG_ENDIAN) => (&bytes[2..], u16::from_be_bytes),
        _ => return None,
    };
    let (pairs, odd) = text.as_chunks::<2>();
    let mut decoded = String::with_capacity(text.len());
    let mut line = 1;
    for character in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        let Ok(character) = character else {
            return Some(Err(Broken { line }));
        };
        line += u64::from(character == '\n');
        decoded.push(character);
    }
    if odd.is_empty() {
        Some(Ok(decoded))
    } else {
        Some(Err(Broken { line }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_byte_orders_are_decoded() {
        assert_eq!(
            decode(b"\xff\xfea\0\x3d\xd8\x80\xde"),
            Some(Ok("a🚀".to_owned()))
        );
        assert_eq!(
            decode(b"\xfe\xff\0a\xd8\x3d\xde\x80"),
            Some(Ok("a🚀".to_owned()))
        );
        assert_eq!(decode(b"a,b"), None);
    }

    #[test]
    fn half_a_character_is_found_on_its_line() {
        assert_eq!(
            decode(b"\xff\xfea\0\n\0\x3d\xd8"),
            Some(Err(Broken { line: 2 }))
        );
        assert_eq!(decode(b"\xff\xfea\0b"), Some(Err(Broken { line: 1 })));
    }
}
