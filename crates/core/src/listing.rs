//! The answers of reads: the items of a page, a count of keys, and the changes of a log.
//!
//! An engine visits its stored keys in their order and continues at the returned [`Step`], so that it skips a folder of
//! a one-level listing, or keys that a listing hides, with one seek.

use std::num::NonZero;
use std::ops::ControlFlow;

use crate::change::{Change, Changes, Cursor};
use crate::key::{Key, Prefix};
use crate::limits::{MAX_CHANGES, MAX_PAGE_BYTES, MAX_PAGE_COUNTED};
use crate::revision::Revision;
use crate::scan::{Count, CountScan, Depth, FolderCount, Item, Order, Page, Scan, Visibility};

/// The number of changes that one read of a log examines before other readers get a turn.
const MAX_EXAMINED_CHANGES: usize = 10_000;

/// The stored key to visit next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next one.
    Next,
    /// The first one that is equal to this text or sorts after it; in descending order, the last one that sorts before
    /// it.
    Seek(String),
    /// No further key.
    Stop,
}

/// Collects the items of one page.
#[derive(Debug)]
pub struct PageBuilder<'a> {
    scan: &'a Scan,
    page: Page,
    weight: usize,
    /// Keys that were counted in folders.
    counted: u64,
}

impl<'a> PageBuilder<'a> {
    /// A page without items.
    #[must_use]
    pub fn new(scan: &'a Scan) -> Self {
        Self {
            scan,
            page: Page::default(),
            weight: 0,
            counted: 0,
        }
    }

    /// Adds a stored key that begins with the scan's prefix and sorts after [`Scan::after`] or, in descending order,
    /// before [`Scan::end`]. `live` reads as much of the entry as is needed, and returns `None` if it has expired;
    /// `item` makes an item of it. They are called only if the page depends on them.
    ///
    /// # Errors
    /// Those of `live` and `item`.
    pub fn add<T, E>(
        &mut self,
        key: Key,
        live: impl FnOnce() -> Result<Option<T>, E>,
        item: impl FnOnce(Key, T) -> Result<Item, E>,
    ) -> Result<Step, E> {
        let scan = self.scan;
        if let Some(step) = past_hidden(&scan.prefix, &key, scan.order) {
            return Ok(step);
        }
        let folder = match scan.depth {
            Depth::All => None,
            Depth::OneLevel | Depth::OneLevelCounted(_) => scan.prefix.folder_of(&key),
        };
        let name = |folder: &Prefix| folder.as_str().len() - 1;
        let past_folder = folder
            .as_ref()
            .map(|folder| past(&key, name(folder), scan.order));
        let step = past_folder.unwrap_or(Step::Next);
        if let (Some(folder), Some(after), Order::Ascending) = (&folder, &scan.after, scan.order)
            && folder <= after
        {
            return Ok(step);
        }
        let Some(entry) = live()? else {
            // Another key of the folder may be live.
            return Ok(Step::Next);
        };
        if let Some(is_full) = self.count_in_folder(&key) {
            return Ok(if is_full { step } else { Step::Next });
        }
        let page = &mut self.page;
        let is_full = page.items.len() == scan.limit.get()
            || self.weight >= MAX_PAGE_BYTES
            || self.counted >= MAX_PAGE_COUNTED;
        if is_full {
            page.next = page.items.last().map(Item::position);
            return Ok(Step::Stop);
        }
        let (item, step) = match (folder, scan.depth) {
            (None, _) => (item(key, entry)?, step),
            // The next keys are counted in it.
            (Some(folder), Depth::OneLevelCounted(_)) => {
                self.counted += 1;
                (
                    Item::CountedFolder(folder, FolderCount::of(1, 1)),
                    Step::Next,
                )
            }
            (Some(folder), _) => (Item::Folder(folder), step),
        };
        self.weight += item.weight();
        page.items.push(item);
        Ok(step)
    }

    /// Counts a key in the folder that is the last item, and says whether no more have to be
    /// counted there; `None` where the key does not lie in it.
    fn count_in_folder(&mut self, key: &Key) -> Option<bool> {
        let Depth::OneLevelCounted(at_most) = self.scan.depth else {
            return None;
        };
        let Some(Item::CountedFolder(folder, count)) = self.page.items.last_mut() else {
            return None;
        };
        if !folder.matches(key) {
            return None;
        }
        *count = FolderCount::of(count.keys + 1, at_most.get());
        self.counted += 1;
        Some(count.more)
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

/// Counts the keys under a prefix.
#[derive(Debug)]
pub struct KeyCounter {
    scan: CountScan,
    keys: u64,
}

impl KeyCounter {
    /// A counter that starts at 0.
    #[must_use]
    pub fn new(scan: CountScan) -> Self {
        Self { scan, keys: 0 }
    }

    /// Counts a stored key that begins with the prefix. `is_live` is called only if the count depends on it.
    ///
    /// # Errors
    /// Those of `is_live`.
    pub fn add<E>(
        &mut self,
        key: &Key,
        is_live: impl FnOnce() -> Result<bool, E>,
    ) -> Result<Step, E> {
        if self.scan.visibility == Visibility::Listed
            && let Some(step) = past_hidden(&self.scan.prefix, key, Order::Ascending)
        {
            return Ok(step);
        }
        self.keys += u64::from(is_live()?);
        // One key more than the limit says that there are more.
        let is_past = |at_most: NonZero<u64>| self.keys > at_most.get();
        match self.scan.at_most.is_some_and(is_past) {
            true => Ok(Step::Stop),
            false => Ok(Step::Next),
        }
    }

    /// The count, of a snapshot with this revision.
    #[must_use]
    pub fn count(&self, revision: Revision) -> Count {
        self.scan.result(self.keys, revision)
    }
}

/// The result of one bounded read of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogRead {
    /// Changes that the prefix shows.
    Changes(Changes),
    /// No change up to this cursor; there may be more after it.
    Continue(Cursor),
    /// No change up to this cursor, which is the end of the log.
    CaughtUp(Cursor),
}

/// Collects the changes after a cursor that a prefix shows.
#[derive(Debug)]
pub struct LogReader<'a> {
    prefix: &'a Prefix,
    changes: Vec<Change>,
    /// The log has been read up to this cursor.
    next: Cursor,
    examined: usize,
}

impl<'a> LogReader<'a> {
    /// A reader that starts after this cursor.
    #[must_use]
    pub fn new(prefix: &'a Prefix, after: Cursor) -> Self {
        Self {
            prefix,
            changes: Vec::new(),
            next: after,
            examined: 0,
        }
    }

    /// Adds the next change of the log; a change that was read before is skipped. After `Break` the read is complete.
    pub fn add(&mut self, change: Change) -> ControlFlow<()> {
        if change.at <= self.next {
            return ControlFlow::Continue(());
        }
        self.next = change.at;
        self.examined += 1;
        if self.prefix.shows(&change.key) {
            self.changes.push(change);
        }
        let is_full = self.changes.len() >= MAX_CHANGES.get();
        match is_full || self.examined >= MAX_EXAMINED_CHANGES {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    /// The result of the read; `is_end` if all changes of the log were added. The log has only whole commits, so at its
    /// end the last one has been read completely.
    #[must_use]
    pub fn finish(self, is_end: bool) -> LogRead {
        let next = match is_end {
            true => Cursor::after(self.next.revision),
            false => self.next,
        };
        let changes = self.changes;
        match is_end {
            _ if !changes.is_empty() => LogRead::Changes(Changes { changes, next }),
            true => LogRead::CaughtUp(next),
            false => LogRead::Continue(next),
        }
    }
}

/// The step after a stored key that listings of the prefix hide; `None` if they show it.
fn past_hidden(prefix: &Prefix, key: &Key, order: Order) -> Option<Step> {
    let hidden = prefix.hidden_part(key);
    hidden.map(|length| past(key, length, order))
}

/// The step past all keys below the folder whose name, without its final `/`, is the first `length` bytes of `key`. The
/// key itself may have this name.
fn past(key: &Key, length: usize, order: Order) -> Step {
    let name = &key.as_str()[..length];
    if key.as_str() == name {
        return Step::Next;
    }
    Step::Seek(match order {
        // The character after `/`.
        Order::Ascending => format!("{name}0"),
        Order::Descending => format!("{name}/"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::{PageLimit, Projection};

    #[test]
    fn a_page_ends_after_a_folder_with_which_it_has_counted_many_keys() {
        let scan = Scan {
            prefix: Prefix::everything(),
            after: None,
            limit: PageLimit::MAX,
            order: Order::Ascending,
            depth: Depth::OneLevelCounted(NonZero::new(u64::MAX).unwrap()),
            projection: Projection::Keys,
        };
        let mut page = PageBuilder::new(&scan);
        let mut add = |name: String| {
            let live = || Ok::<_, ()>(Some(()));
            page.add(Key::parse(&name).unwrap(), live, |key, ()| {
                Ok(Item::Key(key))
            })
        };
        for number in 0..=MAX_PAGE_COUNTED {
            assert_eq!(add(format!("/a/{number:06}")), Ok(Step::Next));
        }
        assert_eq!(add("/b".to_owned()), Ok(Step::Stop));
        let page = page.finish(Revision::ZERO);
        let folder = Prefix::parse("/a/").unwrap();
        let count = FolderCount::of(MAX_PAGE_COUNTED + 1, u64::MAX);
        assert_eq!(page.items, [Item::CountedFolder(folder.clone(), count)]);
        assert_eq!(page.next, Some(folder));
    }
}
