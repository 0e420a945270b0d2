//! The answer to a listing, in parts: each is made when the client has read those before, so that an answer takes
//! the memory of a page and of a few parts, however large its JSON is.

use axum::BoxError;
use bytes::Bytes;
use prominence_core::limits::{MAX_KEY_BYTES, MAX_PAGE_BYTES};
use prominence_core::permit::ListPermit;
use prominence_core::{Depth, Item, Order, Page, PageLimit, Prefix, StoreError};

use super::form::{Form, Framing, Lines};
use crate::identity::rate::Meter;
use crate::wait::budget::Held;

/// Bytes of a part. It is what a connection's buffer takes at once.
const PART_BYTES: usize = 64 << 10;

/// The parts of an answer that may be in memory: one that is made, and those that wait to be sent.
const PARTS_HELD: usize = 3;

/// Bytes that JSON makes of one (`\u0001`), and that a buffer has beyond its content as it grows.
const JSON_GROWTH: usize = 8;

/// Bytes of an item beside its key and value.
const ITEM_BYTES: usize = 256;

/// The pages of a listing, and how each item is shown.
pub(super) struct Pages {
    pub(super) permit: ListPermit,
    pub(super) limit: PageLimit,
    pub(super) order: Order,
    pub(super) depth: Depth,
    pub(super) form: Form,
    pub(super) framing: Framing,
    pub(super) meter: Meter,
}

/// An answer that is being made.
pub(super) struct Parts {
    pages: Pages,
    lines: Lines,
    /// The rest of the current page.
    items: std::vec::IntoIter<Item>,
    /// The place where the next page of this answer begins.
    next: Option<Prefix>,
    is_opened: bool,
    is_closed: bool,
    /// The bytes that are rendered and not sent.
    rendered: Bytes,
    /// The memory of all of this.
    _held: Held,
}

impl Pages {
    /// Reads one page, which the caller is charged for.
    pub(super) async fn read(&self, after: Option<Prefix>) -> Result<Page, StoreError> {
        let projection = self.form.projection();
        let page = self
            .permit
            .page(after, self.limit, self.order, self.depth, projection)
            .await?;
        let bytes = page.items.iter().map(Item::weight).sum();
        self.meter.items(page.items.len(), bytes);
        Ok(page)
    }

    /// The most memory that a page takes, and the parts that are made of it, where a value has at most so many
    /// bytes.
    pub(super) fn most_memory(&self, value_bytes: usize) -> usize {
        let item = self.item_bytes(value_bytes);
        let items = self.limit.get();
        let page = (items * item).min(MAX_PAGE_BYTES + item + items * ITEM_BYTES);
        page + parts_of(page, item)
    }

    /// The memory that this page takes, with its parts.
    pub(super) fn memory_of(&self, page: &Page, value_bytes: usize) -> usize {
        let items = page.items.iter();
        let page = items.map(|item| item.weight() + ITEM_BYTES).sum();
        page + parts_of(page, self.item_bytes(value_bytes))
    }

    fn item_bytes(&self, value_bytes: usize) -> usize {
        let value = if self.form.values { value_bytes } else { 0 };
        ITEM_BYTES + MAX_KEY_BYTES + value
    }
}

/// The most memory of the parts of a page of so many bytes, the items of which have at most so many.
fn parts_of(page: usize, item: usize) -> usize {
    (PARTS_HELD * PART_BYTES + JSON_GROWTH * item).min(JSON_GROWTH * page)
}

impl Parts {
    /// The answer that begins with this page and goes on at `next`.
    pub(super) fn new(
        (pages, lines): (Pages, Lines),
        items: Vec<Item>,
        next: Option<Prefix>,
        held: Held,
    ) -> Self {
        Self {
            pages,
            lines,
            items: items.into_iter(),
            next,
            is_opened: false,
            is_closed: false,
            rendered: Bytes::new(),
            _held: held,
        }
    }

    /// The next part; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, BoxError> {
        if self.rendered.is_empty() {
            self.rendered = self.render().await?.into();
        }
        // One item may be larger than a part.
        let bytes = self.rendered.len().min(PART_BYTES);
        Ok((bytes > 0).then(|| self.rendered.split_to(bytes)))
    }

    /// True if [`Parts::next`] has answered the last part.
    pub(super) fn is_complete(&self) -> bool {
        self.is_closed && self.rendered.is_empty()
    }

    /// Renders the rest of a page, or as much of it as makes a part; nothing at the end.
    async fn render(&mut self) -> Result<Vec<u8>, BoxError> {
        let framing = self.pages.framing;
        let mut text = Vec::new();
        if !std::mem::replace(&mut self.is_opened, true) {
            text.extend_from_slice(framing.open());
        }
        if self.items.as_slice().is_empty()
            && let Some(after) = self.next.take()
        {
            let page = self.pages.read(Some(after)).await?;
            (self.items, self.next) = (page.items.into_iter(), page.next);
        }
        while text.len() < PART_BYTES
            && let Some(item) = self.items.next()
        {
            self.lines.write(&mut text, item)?;
        }
        let is_end = self.items.as_slice().is_empty() && self.next.is_none();
        if is_end && !std::mem::replace(&mut self.is_closed, true) {
            text.extend_from_slice(framing.close());
        }
        Ok(text)
    }
}
