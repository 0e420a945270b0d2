//! Lists of entity tags (RFC 9110, section 8.8.3).

use axum::http::{HeaderMap, HeaderName};
use prominence_core::Revision;

use crate::failure::Failure;

/// The suffixes that proxies append to the opaque part of a tag when they compress an answer (Apache's and Caddy's
/// way; nginx and others put `W/` in front).
const CODINGS: [&[u8]; 4] = [b"-gzip", b"-br", b"-zstd", b"-deflate"];

/// The characters of a malformed header that a message repeats.
const MAX_SHOWN: usize = 60;

/// The value of `If-Match` or `If-None-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tags {
    /// `*`
    Any,
    /// The revisions that the tags name. A tag that this service can't have given out is legal and
    /// names none. A head has limited bytes, so there is a limited number of tags.
    Revisions(Vec<Revision>),
}

impl Tags {
    /// All lines of a header, as one list; `None` if there is no line.
    ///
    /// # Errors
    /// 400 if the header is neither `*` nor tags in quotes.
    pub(super) fn of(
        headers: &HeaderMap,
        name: HeaderName,
        shown: &str,
    ) -> Result<Option<Self>, Failure> {
        let mut lines = headers.get_all(name).iter();
        let Some(first) = lines.next() else {
            return Ok(None);
        };
        let mut revisions = Vec::new();
        let (mut has_tags, mut has_star) = (false, false);
        for line in std::iter::once(first).chain(lines) {
            let line = line.as_bytes();
            let mut rest = skip_separators(line);
            while let Some(first) = rest.first() {
                if *first == b'*' && !has_star {
                    has_star = true;
                    rest = &rest[1..];
                } else {
                    let (opaque, after) = tag(rest).ok_or_else(|| malformed(shown, line))?;
                    has_tags = true;
                    revisions.extend(revision(opaque));
                    rest = after;
                }
                rest = next_element(rest).ok_or_else(|| malformed(shown, line))?;
            }
        }
        match (has_star, has_tags) {
            (true, false) => Ok(Some(Self::Any)),
            (false, true) => Ok(Some(Self::Revisions(revisions))),
            (true, true) => Err(Failure::bad_request(format!(
                "{shown} has * beside entity tags; send either * or the tags"
            ))),
            // Legal, and never meant: a variable that should hold a tag is empty.
            (false, false) => Err(Failure::bad_request(format!(
                "{shown} is empty; send an ETag in its quotes, as in {shown}: \"7\", or *"
            ))),
        }
    }

    /// True if one of the tags is that of this revision.
    ///
    /// RFC 9110 lets no weak tag match in `If-Match`. This service gives out strong tags only, so a
    /// weak one is a strong one that a proxy marked when it compressed the answer, and it means the
    /// same revision.
    pub(super) fn contain(&self, current: Revision) -> bool {
        match self {
            Self::Any => true,
            Self::Revisions(revisions) => revisions.contains(&current),
        }
    }
}

/// Splits a tag off: answers its opaque part and what follows.
fn tag(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let quoted = text.strip_prefix(b"W/").unwrap_or(text);
    let opaque = quoted.strip_prefix(b"\"")?;
    let end = opaque.iter().position(|byte| *byte == b'"')?;
    let (opaque, after) = (&opaque[..end], &opaque[end + 1..]);
    // etagc: any visible character but the quote, and obs-text.
    let legal = |byte: &u8| matches!(byte, 0x21..=0x7e | 0x80..=0xff);
    opaque.iter().all(legal).then_some((opaque, after))
}

/// The revision that the opaque part of a tag means, written as this service writes it.
fn revision(opaque: &[u8]) -> Option<Revision> {
    let coding = CODINGS.iter().find(|coding| opaque.ends_with(coding));
    let digits = &opaque[..opaque.len() - coding.map_or(0, |coding| coding.len())];
    let canonical = matches!(digits.first(), Some(b'1'..=b'9'));
    if !canonical || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(Revision::new(number))
}

/// The text after the comma that follows an element; `None` if no comma follows.
fn next_element(rest: &[u8]) -> Option<&[u8]> {
    let trimmed = rest.trim_ascii_start();
    match trimmed.first() {
        None | Some(b',') => Some(skip_separators(trimmed)),
        Some(_) => None,
    }
}

/// Empty elements of a list don't count (RFC 9110, section 5.6.1.2).
fn skip_separators(text: &[u8]) -> &[u8] {
    let is_separator = |byte: &u8| matches!(byte, b' ' | b'\t' | b',');
    let start = text.iter().position(|byte| !is_separator(byte));
    &text[start.unwrap_or(text.len())..]
}

fn malformed(shown: &str, line: &[u8]) -> Failure {
    let line = String::from_utf8_lossy(line);
    let mut part: String = line.chars().take(MAX_SHOWN).collect();
    if part.len() < line.len() {
        part.push('…');
    }
    Failure::bad_request(format!(
        "{shown} is {part}; send *, or entity tags in double quotes, exactly as the ETag header has \
         them: {shown}: \"7\""
    ))
}
