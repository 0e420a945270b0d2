//! Listings: the request of a caller, and a page of the answer.

use crate::entry::{Entry, Metadata};
use crate::key::{Key, Prefix};
use crate::limits::MAX_PAGE_KEYS;
use crate::revision::Revision;

/// Which keys to list, and how much of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The prefix of the keys.
    pub prefix: Prefix,
    /// Only keys, or folders, whose name sorts after this one. A folder's name ends in `/`.
    pub after: Option<Prefix>,
    /// The most items on the page.
    pub limit: PageLimit,
    /// All keys, or one level of them.
    pub depth: Depth,
    /// The part of each entry that is wanted.
    pub projection: Projection,
}

/// The most items on a page: 1 to [`MAX_PAGE_KEYS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit(usize);

/// The depth of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Every key.
    All,
    /// Keys with no further `/` after the prefix; deeper ones fold into [`Item::Folder`]s. The
    /// cost grows with the items returned, not with the keys folded.
    OneLevel,
}

/// The part of each entry that a listing shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Projection {
    /// Its name.
    Keys,
    /// Its name and metadata.
    Details,
    /// All of it.
    Entries,
}

/// The keys that a count includes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// The keys that a listing of the prefix shows ([`Prefix::shows`]).
    Listed,
    /// Every key, as a deletion of the prefix would remove it.
    All,
}

/// A part of a listing: one consistent snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// In byte order.
    pub items: Vec<Item>,
    /// Where the next page starts; `None` at the end. A page may hold fewer items than its
    /// limit and still have a next one.
    pub next: Option<Prefix>,
    /// The namespace's latest revision in that snapshot: the changes after it are those that the
    /// page does not show.
    pub revision: Revision,
}

/// A number of keys, of one consistent snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Their number.
    pub keys: u64,
    /// The namespace's latest revision in that snapshot.
    pub revision: Revision,
}

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// With [`Projection::Keys`].
    Key(Key),
    /// With [`Projection::Details`].
    Details(Key, Metadata),
    /// With [`Projection::Entries`].
    Entry(Key, Entry),
    /// With [`Depth::OneLevel`]: keys that go on after this `/`.
    Folder(Prefix),
}

impl PageLimit {
    /// The largest page.
    pub const MAX: Self = Self(MAX_PAGE_KEYS);

    /// A page of at most `items`, or `None` outside 1 to [`MAX_PAGE_KEYS`].
    #[must_use]
    pub fn new(items: usize) -> Option<Self> {
        (1..=MAX_PAGE_KEYS).contains(&items).then_some(Self(items))
    }

    /// The number of items.
    #[must_use]
    pub fn get(self) -> usize {
        self.0
    }
}

impl Item {
    /// The item of `key` with as much of `entry` as is wanted.
    #[must_use]
    pub fn project(key: Key, entry: Entry, projection: Projection) -> Self {
        match projection {
            Projection::Keys => Self::Key(key),
            Projection::Details => Self::Details(key, entry.metadata),
            Projection::Entries => Self::Entry(key, entry),
        }
    }

    /// The name that listings are ordered and continued by.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Key(key) | Self::Details(key, _) | Self::Entry(key, _) => key.as_str(),
            Self::Folder(prefix) => prefix.as_str(),
        }
    }

    /// The place of this item, to go on after.
    #[must_use]
    pub fn position(&self) -> Prefix {
        match self {
            Self::Key(key) | Self::Details(key, _) | Self::Entry(key, _) => Prefix::from(key),
            Self::Folder(prefix) => prefix.clone(),
        }
    }

    /// Bytes that count towards [`crate::limits::MAX_PAGE_BYTES`].
    #[must_use]
    pub fn weight(&self) -> usize {
        let value = match self {
            Self::Entry(_, entry) => entry.value.len(),
            Self::Key(_) | Self::Details(..) | Self::Folder(_) => 0,
        };
        self.name().len() + value
    }
}
