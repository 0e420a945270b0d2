//! Events as lines of text.

use std::fmt::Write as _;

use bytes::Bytes;
use prominence_api::name::event;
use prominence_api::{Changed, Reset};
use prominence_core::{Change, ChangeKind, Cursor, Revision, Value};

use crate::request::cursor::EventId;

/// Events that are sent together.
#[derive(Default)]
pub(super) struct Events(String);

impl Events {
    /// Sends the cursor without an event: a block with an `id` alone.
    pub(super) fn mark(mut self, at: Cursor) -> Self {
        self.id(at);
        self.0.push('\n');
        self
    }

    /// A line that readers ignore.
    pub(super) fn comment(mut self) -> Self {
        self.0.push_str(":\n");
        self
    }

    /// A change. A reader that has seen it resumes at `at`.
    pub(super) fn change(mut self, change: &Change, at: Cursor, value: Option<&Value>) -> Self {
        let name = match change.kind {
            ChangeKind::Put(_) => event::PUT,
            ChangeKind::Delete => event::DELETE,
            ChangeKind::Expire => event::EXPIRE,
        };
        self.event(at, name, &Changed::of(change, value));
        self
    }

    /// Changes up to a revision are no longer kept.
    pub(super) fn reset(mut self, latest: Revision) -> Self {
        let data = Reset {
            revision: latest.get(),
        };
        self.event(Cursor::after(latest), event::RESET, &data);
        self
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn into_part(self) -> Bytes {
        self.0.into()
    }

    fn id(&mut self, at: Cursor) {
        // Writing to a string can't fail.
        let _ = writeln!(self.0, "id: {}", EventId(at));
    }

    /// JSON has no line breaks outside strings, and escapes those within, so it is one line.
    fn event(&mut self, at: Cursor, name: &str, data: &impl serde::Serialize) {
        let data = serde_json::to_string(data).unwrap_or_default();
        self.id(at);
        let _ = write!(self.0, "event: {name}\ndata: {data}\n\n");
    }
}
