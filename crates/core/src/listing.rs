//! What a listing shows: the items of a page, from stored keys in their order.
//!
//! An engine visits its stored keys and goes on where the [`Step`] says, so that a folder of a
//! one-level listing is passed with one seek, and so is what a listing hides.

use crate::key::{Key, Prefix};
use crate::limits::MAX_PAGE_BYTES;
use crate::revision::Revision;
use crate::scan::{Depth, Item, Page, Scan};

/// The stored key to visit after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next one.
    Next,
    /// The first one that sorts from this text on.
    Seek(String),
    /// None.
    Stop,
}

/// Collects the items of one page.
#[derive(Debug)]
pub struct PageBuilder<'a> {
    scan: &'a Scan,
    page: Page,
    weight: usize,
}

impl<'a> PageBuilder<'a> {
    /// A page without items.
    #[must_use]
    pub fn new(scan: &'a Scan) -> Self {
        Self {
            scan,
            page: Page::default(),
            weight: 0,
        }
    }

    /// Adds a stored key that begins with the scan's prefix and sorts after [`Scan::after`].
    /// `is_live` and `item` are called only where the page depends on them, so that an engine reads
    /// the metadata and the value of a key only then.
    ///
    /// # Errors
    /// Those of `is_live` and `item`.
    pub fn add<E>(
        &mut self,
        key: Key,
        is_live: impl FnOnce() -> Result<bool, E>,
        item: impl FnOnce(Key) -> Result<Item, E>,
    ) -> Result<Step, E> {
        let scan = self.scan;
        if let Some(step) = past_hidden(&scan.prefix, &key) {
            return Ok(step);
        }
        let folder = match scan.depth {
            Depth::All => None,
            Depth::OneLevel => scan.prefix.folder_of(&key),
        };
        let name = |folder: &Prefix| folder.as_str().len() - 1;
        let past_folder = folder.as_ref().map(|folder| past(&key, name(folder)));
        let step = past_folder.unwrap_or(Step::Next);
        if let (Some(folder), Some(after)) = (&folder, &scan.after)
            && folder <= after
        {
            return Ok(step);
        }
        // Another key of the folder may be live.
        if !is_live()? {
            return Ok(Step::Next);
        }
        let page = &mut self.page;
        if page.items.len() == scan.limit.get() || self.weight >= MAX_PAGE_BYTES {
            page.next = page.items.last().map(Item::position);
            return Ok(Step::Stop);
        }
        let item = folder.map_or_else(|| item(key), |folder| Ok(Item::Folder(folder)))?;
        self.weight += item.weight();
        page.items.push(item);
        Ok(step)
    }

    /// The page, of a snapshot with this revision.
    #[must_use]
    pub fn finish(self, revision: Revision) -> Page {
        Page {
            revision,
            ..self.page
        }
    }
}

/// The step after a stored key that listings of the prefix hide; `None` where they show it.
#[must_use]
pub fn past_hidden(prefix: &Prefix, key: &Key) -> Option<Step> {
    prefix.hidden_part(key).map(|length| past(key, length))
}

/// Past everything below the folder that is the first `length` bytes of `key`; the `/` that ends
/// a folder's name comes after them. The key itself may be just these bytes.
fn past(key: &Key, length: usize) -> Step {
    if key.as_str().len() == length {
        return Step::Next;
    }
    // The character after `/`.
    Step::Seek(format!("{}0", &key.as_str()[..length]))
}
