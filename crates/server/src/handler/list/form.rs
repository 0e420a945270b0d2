//! The form of a listing: the content of a line, and the framing of lines.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use prominence_api::name;
use prominence_api::{Detail, Listed, Text};
use prominence_core::{Item, Projection, Revision, Timestamp};

/// The content of each line of a listing.
#[derive(Clone, Copy, Default)]
pub(crate) struct Form {
    pub(super) values: bool,
    pub(super) detail: bool,
}

/// The framing of the lines.
#[derive(Clone, Copy)]
pub(super) enum Framing {
    /// A JSON array.
    Array,
    /// A JSON value a line.
    Lines,
}

/// Writes items as lines of a listing.
pub(super) struct Lines {
    form: Form,
    framing: Framing,
    /// When the listing was asked for, which tells live claims from others.
    now: Timestamp,
    /// True if nothing has been written yet, so that no separator is needed.
    first: bool,
}

impl Lines {
    pub(super) fn new(form: Form, framing: Framing, now: Timestamp) -> Self {
        Self {
            form,
            framing,
            now,
            first: true,
        }
    }

    pub(super) fn write(&mut self, to: &mut Vec<u8>, item: Item) -> serde_json::Result<()> {
        if let Framing::Array = self.framing
            && !std::mem::take(&mut self.first)
        {
            to.push(b',');
        }
        serde_json::to_writer(&mut *to, &self.form.line(item, self.now))?;
        if let Framing::Lines = self.framing {
            to.push(b'\n');
        }
        Ok(())
    }
}

impl Form {
    pub(super) fn projection(self) -> Projection {
        match self {
            Self { values: true, .. } => Projection::Entries,
            Self { detail: true, .. } => Projection::Details,
            Self {
                values: false,
                detail: false,
            } => Projection::Keys,
        }
    }

    fn line(self, item: Item, now: Timestamp) -> Listed {
        match item {
            Item::Key(key) => Listed::Name(key.as_str().to_owned()),
            Item::Details(key, metadata) => Listed::Detail(Box::new(Detail::of(
                key.as_str().to_owned(),
                &metadata,
                None,
                now,
            ))),
            Item::Entry(key, entry) if self.detail => Listed::Detail(Box::new(Detail::of(
                key.as_str().to_owned(),
                &entry.metadata,
                Some(&entry.value),
                now,
            ))),
            Item::Entry(key, entry) => {
                let value = Text::of(&entry.value);
                Listed::Value(BTreeMap::from([(key.as_str().to_owned(), value)]))
            }
            Item::Folder(prefix) if self.detail => Listed::Folder {
                prefix: prefix.as_str().to_owned(),
                count: None,
                more: false,
            },
            Item::CountedFolder(prefix, count) => Listed::Folder {
                prefix: prefix.as_str().to_owned(),
                count: Some(count.keys),
                more: count.more,
            },
            Item::Folder(prefix) => Listed::Name(prefix.as_str().to_owned()),
        }
    }
}

impl Framing {
    pub(super) fn open(self) -> &'static [u8] {
        match self {
            Self::Array => b"[",
            Self::Lines => b"",
        }
    }

    pub(super) fn close(self) -> &'static [u8] {
        match self {
            Self::Array => b"]\n",
            Self::Lines => b"",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Array => "application/json",
            Self::Lines => name::NDJSON,
        }
    }
}

/// The framing that a request accepts.
pub(super) fn framing(headers: &HeaderMap) -> Framing {
    let accepts = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let asks = |accept: &str| {
        accept.split(',').any(|range| {
            let media_type = range.split(';').next().unwrap_or_default();
            media_type.trim().eq_ignore_ascii_case(name::NDJSON)
        })
    };
    if accepts.into_iter().any(asks) {
        Framing::Lines
    } else {
        Framing::Array
    }
}

/// The header that says of which snapshot an answer is.
pub(in crate::handler) fn revision_header(revision: Revision) -> [(HeaderName, HeaderValue); 1] {
    let name = HeaderName::from_static(name::REVISION);
    [(name, HeaderValue::from(revision.get()))]
}

/// A listing's answer.
pub(super) fn respond(framing: Framing, revision: Revision, body: Body) -> Response {
    let media_type = HeaderValue::from_static(framing.media_type());
    // Caches must not give one framing or coding to who asked for another.
    let vary = HeaderValue::from_static("accept, accept-encoding");
    (
        [(header::CONTENT_TYPE, media_type), (header::VARY, vary)],
        revision_header(revision),
        body,
    )
        .into_response()
}
