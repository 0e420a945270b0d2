//! Keys and prefixes in canonical form.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::limits::MAX_KEY_BYTES;

/// The segment that marks the platform's own keys. See [`Prefix::shows`].
const INTERNAL: &str = "_internal_";

/// A prefix that contains this shows the platform's own keys.
const INSIDE: &str = "/_internal_/";

/// The name of one entry: a path such as `/input/param1`.
///
/// The canonical form begins with one `/`, has no empty, `.` or `..` segment, no control character and no trailing `/`,
/// and is at most [`MAX_KEY_BYTES`] bytes of UTF-8. Keys are compared and ordered by their bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

/// The beginning of keys: a *string* prefix, so `/in` matches both `/input/x` and `/inside`.
///
/// In the same canonical form as a [`Key`], except that it may end in `/`; `/` matches every key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(Arc<str>);

/// The reason why a text is not a key or a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is no character after the leading `/`.
    #[error("the key is empty; write a path such as /input/param1")]
    Empty,
    /// More bytes than [`MAX_KEY_BYTES`].
    #[error("the key has {bytes} bytes; the limit is {MAX_KEY_BYTES}; use a shorter one")]
    TooLong {
        /// Bytes in canonical form.
        bytes: usize,
    },
    /// U+0000 to U+001F or U+007F.
    #[error("the key contains a control character (U+{:04X}); leave it out", *.0 as u32)]
    Control(char),
    /// A segment `.` or `..`.
    #[error("the key has a segment \"{0}\", which is not allowed; use another name")]
    DotSegment(&'static str),
    /// The bytes are not UTF-8.
    #[error("the key is not valid UTF-8; encode it as UTF-8")]
    NotUtf8,
    /// A single key cannot end in `/`; only a prefix can.
    #[error("the key ends in \"/\", which only a prefix may; leave the \"/\" out")]
    TrailingSlash,
}

impl Key {
    /// Parses a key. A missing leading `/` is added and runs of `/` become one.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn parse(raw: &str) -> Result<Self, KeyError> {
        let canonical = canonical(raw)?;
        match canonical.as_ref() {
            "/" => Err(KeyError::Empty),
            path if path.ends_with('/') => Err(KeyError::TrailingSlash),
            _ => Ok(Self(canonical)),
        }
    }

    /// Parses a key from bytes, which may not be UTF-8.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn from_bytes(raw: &[u8]) -> Result<Self, KeyError> {
        Self::parse(std::str::from_utf8(raw).map_err(|_| KeyError::NotUtf8)?)
    }

    /// A key as an engine has stored it; `None` if the bytes are not in canonical form, which means that the stored
    /// data is damaged.
    #[must_use]
    pub fn stored(raw: &[u8]) -> Option<Self> {
        let key = Self::from_bytes(raw).ok()?;
        (key.as_str().as_bytes() == raw).then_some(key)
    }

    /// The canonical form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Prefix {
    /// The prefix of every key.
    #[must_use]
    pub fn everything() -> Self {
        Self("/".into())
    }

    /// Parses a prefix; an empty text is [`Prefix::everything`].
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn parse(raw: &str) -> Result<Self, KeyError> {
        canonical(raw).map(Self)
    }

    /// Parses a prefix from bytes, which may not be UTF-8.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn from_bytes(raw: &[u8]) -> Result<Self, KeyError> {
        Self::parse(std::str::from_utf8(raw).map_err(|_| KeyError::NotUtf8)?)
    }

    /// The canonical form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if this is the prefix of every key.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.as_str() == "/"
    }

    /// True if `key` begins with this prefix.
    #[must_use]
    pub fn matches(&self, key: &Key) -> bool {
        key.0.starts_with(self.as_str())
    }

    /// True if a listing of this prefix shows `key`: it matches and has no segment `_internal_` after the prefix, or
    /// the prefix itself is inside such a segment.
    #[must_use]
    pub fn shows(&self, key: &Key) -> bool {
        self.matches(key) && self.hidden_part(key).is_none()
    }

    /// For a matching `key` that listings of this prefix hide, the end of its first segment `_internal_` in bytes, so
    /// that an engine can seek past all keys below it. `None` if the key is shown.
    #[must_use]
    pub fn hidden_part(&self, key: &Key) -> Option<usize> {
        // This is called for every key of a listing, and hardly any key has such a segment.
        if !key.0.contains(INTERNAL) || self.0.contains(INSIDE) {
            return None;
        }
        let mut start = 1;
        for segment in key.0[1..].split('/') {
            if segment == INTERNAL {
                return Some(start + segment.len());
            }
            start += segment.len() + 1;
        }
        None
    }

    /// The folder that stands for a matching `key` in a one-level listing: the key up to and including the first `/`
    /// after the prefix. `None` if the key itself is on this level.
    #[must_use]
    pub fn folder_of(&self, key: &Key) -> Option<Prefix> {
        let rest = &key.0[self.0.len()..];
        let slash = rest.find('/')?;
        Some(Prefix(key.0[..self.0.len() + slash + 1].into()))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// For searches in a sorted map of keys from a prefix on. Equality, order and hash are those of the text.
impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&Key> for Prefix {
    fn from(key: &Key) -> Self {
        Self(Arc::clone(&key.0))
    }
}

/// Makes a text canonical (one leading `/`, runs of `/` as one), and checks the rules that keys and prefixes share.
fn canonical(raw: &str) -> Result<Arc<str>, KeyError> {
    let path: Arc<str> = if raw.starts_with('/') && !raw.contains("//") {
        raw.into()
    } else {
        let mut path = String::with_capacity(raw.len() + 1);
        path.push('/');
        for segment in raw.split('/').filter(|segment| !segment.is_empty()) {
            if !path.ends_with('/') {
                path.push('/');
            }
            path.push_str(segment);
        }
        if raw.ends_with('/') && !path.ends_with('/') {
            path.push('/');
        }
        path.into()
    };
    if path.len() > MAX_KEY_BYTES {
        return Err(KeyError::TooLong { bytes: path.len() });
    }
    if let Some(control) = path.chars().find(char::is_ascii_control) {
        return Err(KeyError::Control(control));
    }
    for segment in path.split('/') {
        match segment {
            "." => return Err(KeyError::DotSegment(".")),
            ".." => return Err(KeyError::DotSegment("..")),
            _ => {}
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(raw: &str) -> Key {
        Key::parse(raw).unwrap()
    }

    fn prefix(raw: &str) -> Prefix {
        Prefix::parse(raw).unwrap()
    }

    #[test]
    fn one_key_has_one_form_however_it_is_spelt() {
        for raw in ["/a/b", "a/b", "//a/b", "///a//b", "a///b"] {
            assert_eq!(key(raw).as_str(), "/a/b", "{raw:?}");
        }
        for raw in ["a b", "a?b#c", "%2F", "é", "🦀", "-", "..."] {
            assert_eq!(key(raw).as_str(), format!("/{raw}"));
        }
    }

    #[test]
    fn a_key_that_was_made_of_any_bytes_has_one_form() {
        prominence_fuzz::run("key", |input| {
            if let Ok(key) = Key::from_bytes(input) {
                assert_eq!(Key::parse(key.as_str()), Ok(key));
            }
        });
    }

    #[test]
    fn malformed_keys_are_refused_with_the_reason() {
        assert_eq!(Key::parse(""), Err(KeyError::Empty));
        assert_eq!(Key::parse("///"), Err(KeyError::Empty));
        assert_eq!(Key::parse("/a/"), Err(KeyError::TrailingSlash));
        assert_eq!(Key::parse("/a/../b"), Err(KeyError::DotSegment("..")));
        assert_eq!(Key::parse("."), Err(KeyError::DotSegment(".")));
        assert_eq!(Key::parse("/a\0"), Err(KeyError::Control('\0')));
        assert_eq!(Key::parse("/a\u{7f}"), Err(KeyError::Control('\u{7f}')));
        assert_eq!(Key::from_bytes(b"/\xff"), Err(KeyError::NotUtf8));
    }

    #[test]
    fn a_stored_key_in_another_form_is_damage_and_not_another_spelling() {
        assert_eq!(Key::stored(b"/a/b"), Some(key("/a/b")));
        for raw in [&b"a/b"[..], b"/a//b", b"/a/", b"/\xff", b""] {
            assert_eq!(Key::stored(raw), None, "{raw:?}");
        }
    }

    #[test]
    fn the_length_limit_counts_the_canonical_form() {
        let longest = format!("/{}", "k".repeat(MAX_KEY_BYTES - 1));
        assert_eq!(key(&longest[1..]).as_str(), longest);
        assert_eq!(key(&format!("//{longest}")).as_str(), longest);
        assert_eq!(
            Key::parse(&format!("{longest}k")),
            Err(KeyError::TooLong {
                bytes: MAX_KEY_BYTES + 1
            })
        );
    }

    #[test]
    fn a_prefix_is_a_string_prefix() {
        assert!(prefix("/in").matches(&key("/input/x")));
        assert!(prefix("/in").matches(&key("/inside")));
        assert!(!prefix("/in/").matches(&key("/inside")));
        assert!(prefix("").is_everything() && prefix("//").is_everything());
        assert_eq!(prefix("a//b//").as_str(), "/a/b/");
    }

    #[test]
    fn a_key_folds_into_the_folder_below_the_prefix() {
        let folder = |p: &str, k: &str| prefix(p).folder_of(&key(k)).map(|f| f.0.to_string());
        assert_eq!(folder("/", "/a/b/c").as_deref(), Some("/a/"));
        assert_eq!(folder("/a", "/a/b/c").as_deref(), Some("/a/"));
        assert_eq!(folder("/a/", "/a/b/c").as_deref(), Some("/a/b/"));
        assert_eq!(folder("/a/", "/a/b"), None);
    }

    #[test]
    fn internal_keys_show_only_to_a_prefix_that_reaches_inside() {
        assert!(!prefix("/").shows(&key("/_internal_/x")));
        assert!(!prefix("/a").shows(&key("/a/_internal_")));
        assert!(!prefix("/_internal_").shows(&key("/_internal_/x")));
        assert!(prefix("/_internal_/").shows(&key("/_internal_/x")));
        assert!(prefix("/_internal_/x").shows(&key("/_internal_/x")));
        assert!(prefix("/").shows(&key("/a_internal_/x")));
    }
}
