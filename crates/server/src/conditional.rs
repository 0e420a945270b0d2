//! Conditional requests (RFC 9110, section 13). An entity tag is a revision in quotes.

use axum::http::header::{AsHeaderName, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue};
use prominence_api::name;
use prominence_core::limits::MAX_WRITE_ID_BYTES;
use prominence_core::{Entry, Precondition, Revision, WriteId};

use crate::failure::Failure;

/// The entity tag of a revision.
pub(crate) fn etag(revision: Revision) -> HeaderValue {
    // Digits and quotes are always a valid header.
    HeaderValue::from_str(&format!("\"{revision}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// What a write demands of its key.
pub(crate) fn of_write(headers: &HeaderMap) -> Result<Option<Precondition>, Failure> {
    let matches = text(headers, IF_MATCH)?;
    let none_match = text(headers, IF_NONE_MATCH)?;
    match (matches, none_match) {
        (None, None) => Ok(None),
        (None, Some("*")) => Ok(Some(Precondition::Absent)),
        (None, Some(_)) => Err(Failure::bad_request(
            "If-None-Match can only be * here, to create a key that does not exist",
        )),
        (Some("*"), None) => Ok(Some(Precondition::Present)),
        (Some(tag), None) => Ok(Some(Precondition::Revision(revision(tag)?))),
        (Some(_), Some(_)) => Err(Failure::bad_request(
            "If-Match and If-None-Match do not go together",
        )),
    }
}

/// The id by which a conditional set that is sent again is recognized.
pub(crate) fn write_id(headers: &HeaderMap) -> Result<Option<WriteId>, Failure> {
    let mut values = headers.get_all(name::WRITE_ID).iter();
    let Some(first) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Failure::bad_request(
            "the header Prominence-Write-Id is repeated; send one id",
        ));
    }
    match WriteId::parse(first.as_bytes()) {
        Ok(id) => Ok(Some(id)),
        Err(why) => Err(Failure::bad_request(format!(
            "the header Prominence-Write-Id is not valid: {why}; send 1 to {MAX_WRITE_ID_BYTES} \
             visible ASCII characters, such as 32 random hexadecimal digits"
        ))),
    }
}

/// Demands that there be no write id, where nothing would be recognized by it.
pub(crate) fn no_write_id(headers: &HeaderMap, what: &str) -> Result<(), Failure> {
    if !headers.contains_key(name::WRITE_ID) {
        return Ok(());
    }
    Err(Failure::bad_request(format!(
        "the header Prominence-Write-Id does not go with {what}; it goes with a value that is set \
         under a condition: If-Match, If-None-Match or ?prev"
    )))
}

/// What a read demands: `If-Match`, and the tags of `If-None-Match`.
pub(crate) struct ReadConditions<'a> {
    matches: Option<&'a str>,
    none_match: Option<&'a str>,
}

impl<'a> ReadConditions<'a> {
    pub(crate) fn of(headers: &'a HeaderMap) -> Result<Self, Failure> {
        Ok(Self {
            matches: text(headers, IF_MATCH)?,
            none_match: text(headers, IF_NONE_MATCH)?,
        })
    }

    /// Whether the caller wants no other revision than the one that is there.
    pub(crate) fn hold(&self, current: Revision) -> bool {
        self.matches
            .is_none_or(|tags| any_matches(tags, current, Strength::Strong))
    }

    /// Whether a caller who waits has come to the end: for the key to exist or, where it has a
    /// revision of it, for the key to have another one or be gone.
    pub(crate) fn are_met_by(&self, entry: Option<&Entry>) -> bool {
        match entry {
            Some(entry) => !self.unchanged(entry.metadata.revision),
            None => self.none_match.is_some(),
        }
    }

    /// Whether the caller already has the revision that is there.
    pub(crate) fn unchanged(&self, current: Revision) -> bool {
        self.none_match
            .is_some_and(|tags| any_matches(tags, current, Strength::Weak))
    }
}

/// How tags are compared (RFC 9110, section 8.8.3.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strength {
    Strong,
    Weak,
}

fn any_matches(tags: &str, current: Revision, strength: Strength) -> bool {
    let current = format!("\"{current}\"");
    tags.split(',').map(str::trim).any(|tag| {
        let opaque = match strength {
            Strength::Strong => tag,
            // Proxies that compress make tags weak.
            Strength::Weak => tag.strip_prefix("W/").unwrap_or(tag),
        };
        tag == "*" || opaque == current
    })
}

fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Result<Option<&str>, Failure> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Failure::bad_request("a condition's header is repeated"));
    }
    match first.to_str() {
        Ok(text) => Ok(Some(text.trim())),
        Err(_) => Err(Failure::bad_request(
            "a condition's header is not plain text",
        )),
    }
}

/// The revision in a tag. A tag that this service never gave out matches nothing.
fn revision(tag: &str) -> Result<Revision, Failure> {
    let inner = tag
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    match inner {
        Some(inner) if !inner.contains('"') => {
            Ok(Revision::new(inner.parse().unwrap_or(Revision::ZERO.get())))
        }
        _ if tag.starts_with("W/\"") && !tag.contains(',') => Ok(Revision::ZERO),
        _ => Err(Failure::bad_request(format!(
            "If-Match is {tag}; it can be one revision in quotes, as in ETag: \"7\""
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (
                axum::http::HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            )
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn a_write_demands_absence_presence_or_a_revision() {
        let of = |pairs: &[_]| of_write(&headers(pairs)).map_err(|_| ());
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(
            of(&[("if-none-match", "*")]),
            Ok(Some(Precondition::Absent))
        );
        assert_eq!(of(&[("if-match", "*")]), Ok(Some(Precondition::Present)));
        let revision = |number| Ok(Some(Precondition::Revision(Revision::new(number))));
        assert_eq!(of(&[("if-match", "\"7\"")]), revision(7));
        // Strong comparison: a weak tag, or one that is not ours, matches nothing.
        assert_eq!(of(&[("if-match", "W/\"7\"")]), revision(0));
        assert_eq!(of(&[("if-match", "\"abc\"")]), revision(0));
        for odd in ["7", "\"7", "\"7\", \"8\"", ""] {
            assert_eq!(of(&[("if-match", odd)]), Err(()), "{odd}");
        }
        assert_eq!(of(&[("if-none-match", "\"7\"")]), Err(()));
        assert_eq!(of(&[("if-match", "*"), ("if-none-match", "*")]), Err(()));
    }

    #[test]
    fn a_read_compares_tags_weakly_for_caches_and_strongly_otherwise() {
        let seven = Revision::new(7);
        let check = |name, tags| {
            let headers = headers(&[(name, tags)]);
            let conditions = ReadConditions::of(&headers).unwrap();
            (conditions.hold(seven), conditions.unchanged(seven))
        };
        assert_eq!(check("if-none-match", "\"7\""), (true, true));
        assert_eq!(check("if-none-match", "\"6\", W/\"7\""), (true, true));
        assert_eq!(check("if-none-match", "*"), (true, true));
        assert_eq!(check("if-none-match", "\"77\""), (true, false));
        assert_eq!(check("if-match", "\"7\""), (true, false));
        assert_eq!(check("if-match", "W/\"7\""), (false, false));
        assert_eq!(check("if-match", "\"6\""), (false, false));
    }
}
