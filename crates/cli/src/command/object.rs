//! Values that are JSON objects, as jobs write them: Python's `json` writes `NaN` and `Infinity`, and
//! Windows programs write a byte order mark. Numbers keep the digits that they are written with.

mod compact;

use std::borrow::Cow;
use std::fmt;

use prominence_api::{Detail, Text};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::utf16;
pub(super) use compact::compact;

/// The mark that some programs write before text in UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The numbers that Python's `json` writes and JSON does not have. The longer one of two with the same
/// end comes first.
pub(super) const NON_FINITE: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// The form that `NaN`, `Infinity` and `-Infinity` take in JSON (RFC 8259, section 6, has none).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NonFinite {
    /// The strings `"NaN"`, `"Infinity"` and `"-Infinity"`.
    String,
    /// `null`.
    Null,
}

/// The members of an object in their order, each value as it is written.
pub(super) struct Members(pub(super) Vec<(String, Box<RawValue>)>);

impl Members {
    /// The members of the object in a text; `None` for any other text.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        serde_json::from_str(&standard(text, NonFinite::String)?).ok()
    }

    /// The members of the object in a value; `None` for any other value.
    pub(super) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::of_text(text),
            Err(_) => Self::of_text(&utf16::decode(bytes)?.ok()?),
        }
    }

    /// The members of the object in a listed value; `None` for any other value.
    pub(super) fn of_detail(detail: &Detail) -> Option<Self> {
        Self::of_text(&text_of(detail)?)
    }

    /// The value of a member. Of two with the same name the last one counts, as for most readers.
    pub(super) fn get(&self, name: &str) -> Option<&RawValue> {
        let mut last_first = self.0.iter().rev();
        let found = last_first.find(|(other, _)| other == name);
        found.map(|(_, value)| &**value)
    }
}

/// The text of a listed value: in UTF-8, or in UTF-16 with its mark.
pub(super) fn text_of(detail: &Detail) -> Option<Cow<'_, str>> {
    if let Some(text) = &detail.value {
        return Some(Cow::Borrowed(text));
    }
    let base64 = detail.value_base64.clone()?;
    let bytes = Text::Encoded { base64 }.into_bytes()?;
    utf16::decode(&bytes)?.ok().map(Cow::Owned)
}

/// A text without a byte order mark.
pub(super) fn unmarked(text: &str) -> &str {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// Standard JSON with the meaning of a text; `None` if the text is not JSON, with or without a
/// byte order mark and numbers that are not finite.
pub(super) fn standard(text: &str, form: NonFinite) -> Option<Cow<'_, str>> {
    let text = unmarked(text);
    let is_json = |text: &str| serde_json::from_str::<&RawValue>(text).is_ok();
    if is_json(text) {
        return Some(Cow::Borrowed(text));
    }
    if !NON_FINITE.iter().any(|word| text.contains(word)) {
        return None;
    }
    let rewritten = rewrite(text, form);
    is_json(&rewritten).then_some(Cow::Owned(rewritten))
}

/// Replaces the numbers that are not finite, outside strings.
fn rewrite(text: &str, form: NonFinite) -> String {
    let mut rewritten = String::with_capacity(text.len());
    let mut rest = text;
    let (mut quoted, mut escaped) = (false, false);
    while let Some(character) = rest.chars().next() {
        let word = NON_FINITE.iter().find(|word| rest.starts_with(**word));
        if let (false, Some(word)) = (quoted, word) {
            match form {
                NonFinite::String => rewritten.extend(["\"", word, "\""]),
                NonFinite::Null => rewritten.push_str("null"),
            }
            rest = &rest[word.len()..];
            continue;
        }
        if quoted {
            quoted = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else {
            quoted = character == '"';
        }
        rewritten.push(character);
        rest = &rest[character.len_utf8()..];
    }
    rewritten
}

/// A member as text: strings without their quotes, everything else as it is written, on one line.
pub(super) fn plain(json: &str) -> String {
    match json.as_bytes() {
        [b'"', ..] => serde_json::from_str(json).unwrap_or_else(|_| json.to_owned()),
        _ => compact(json),
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_not_finite_become_strings_or_null_outside_strings() {
        let text = r#"{"a": NaN, "NaN": [-Infinity, Infinity, "x \" NaN"], "b": 1.50}"#;
        assert_eq!(
            standard(text, NonFinite::String).as_deref(),
            Some(r#"{"a": "NaN", "NaN": ["-Infinity", "Infinity", "x \" NaN"], "b": 1.50}"#)
        );
        assert_eq!(
            standard(text, NonFinite::Null).as_deref(),
            Some(r#"{"a": null, "NaN": [null, null, "x \" NaN"], "b": 1.50}"#)
        );
        for no_json in ["{NaN}", "{\"a\": NaNs}", "--Infinity", "{\"a\": NaN", ""] {
            assert_eq!(standard(no_json, NonFinite::Null), None, "{no_json}");
        }
    }

    #[test]
    fn an_object_is_found_behind_a_byte_order_mark_in_utf_8_and_utf_16() {
        let text = "\u{feff}{\"é\": -2, \"é\": 1.5e-3}\r\n";
        let members = Members::of_bytes(text.as_bytes()).unwrap();
        assert_eq!(members.get("é").map(RawValue::get), Some("1.5e-3"));
        let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let members = Members::of_bytes(&utf_16).unwrap();
        assert_eq!(members.0.len(), 2);
        for other in [
            &b"\xff\xfe\x00"[..],
            b"\xff\xfe\x00\xd8",
            b"[1]",
            b"7",
            b"\xff",
        ] {
            assert!(Members::of_bytes(other).is_none(), "{other:?}");
        }
    }
}
