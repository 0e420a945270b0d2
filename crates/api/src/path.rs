//! Keys in URLs.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use prominence_core::{Key, Prefix};

/// The characters that stay unchanged in the path of a key: RFC 3986's unreserved characters, those of a segment that
/// need no escape, and the `/` between segments. All others are percent-encoded.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/')
    .remove(b'@')
    .remove(b':')
    .remove(b',')
    .remove(b'=');

/// The same, without the characters that have a meaning in a query string.
const QUERY: &AsciiSet = &PATH.add(b'=').add(b',');

/// The path of a key below the interface's base, `/kv/input/x`.
#[must_use]
pub fn of_key(key: &Key) -> String {
    format!("/kv{}", encoded(key))
}

/// A key as it is written in a URL or a header, `/input/x%20y`.
#[must_use]
pub fn encoded(key: &Key) -> String {
    utf8_percent_encode(key.as_str(), PATH).to_string()
}

/// The path of a prefix below the interface's base, `/kv/input/`; `/kv` for all keys.
#[must_use]
pub fn of_prefix(prefix: &Prefix) -> String {
    if prefix.is_everything() {
        return "/kv".to_owned();
    }
    format!("/kv{}", utf8_percent_encode(prefix.as_str(), PATH))
}

/// A text as the value of a parameter.
#[must_use]
pub fn query_value(text: &str) -> String {
    utf8_percent_encode(text, QUERY).to_string()
}

/// The reason why a percent-encoded text can't be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a \"%\" must be followed by two hexadecimal digits")]
pub struct BrokenEncoding;

/// Decodes a percent-encoded text once.
///
/// # Errors
/// If a `%` is not followed by two hexadecimal digits: any guess could name another key than the caller meant.
pub fn decode(text: &str) -> Result<Cow<'_, [u8]>, BrokenEncoding> {
    let bytes = text.as_bytes();
    // Most keys have no escapes.
    if !bytes.contains(&b'%') {
        return Ok(Cow::Borrowed(bytes));
    }
    for (at, _) in text.match_indices('%') {
        let digits = bytes.get(at + 1..at + 3).ok_or(BrokenEncoding)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(BrokenEncoding);
        }
    }
    Ok(percent_decode_str(text).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_the_way_through_a_url() {
        for raw in [
            "/a b",
            "/a?b#c",
            "/100%",
            "/%2F",
            "/é/🦀",
            "/a+b&c=d;e",
            "/\"<>[]{}|\\^`",
        ] {
            let key = Key::parse(raw).unwrap();
            let path = of_key(&key);
            assert!(
                path.is_ascii() && !path.contains([' ', '?', '#', '+', '&']),
                "{path}"
            );
            let decoded = decode(path.strip_prefix("/kv").unwrap()).unwrap();
            assert_eq!(Key::from_bytes(&decoded), Ok(key));
        }
    }

    #[test]
    fn broken_percent_encoding_is_refused() {
        for broken in ["%", "%2", "%zz", "a%2", "%%20"] {
            assert_eq!(decode(broken), Err(BrokenEncoding), "{broken}");
        }
        assert_eq!(decode("%2f%00").unwrap().as_ref(), b"/\0");
    }
}
