//! Listings: a request for a page, and the page.

use std::num::NonZero;

use crate::entry::{Entry, Metadata};
use crate::key::{Key, Prefix};
use crate::limits::MAX_PAGE_KEYS;
use crate::revision::Revision;

/// The request for a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The prefix of the keys.
    pub prefix: Prefix,
    /// Only keys, or folders, whose name comes after this one in the order. A folder's name ends in
    /// `/`.
    pub after: Option<Prefix>,
    /// The largest number of items on the page.
    pub limit: PageLimit,
    /// The order of the items.
    pub order: Order,
    /// All keys, or one level of them.
    pub depth: Depth,
    /// The requested part of each entry.
    pub projection: Projection,
}

/// The largest number of items on a page: 1 to [`MAX_PAGE_KEYS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit(usize);

/// The order of a listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// In byte order of names.
    #[default]
    Ascending,
    /// In the reverse of that order.
    Descending,
}

/// The depth of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Every key.
    All,
    /// Keys with no further `/` after the prefix, and one [`Item::Folder`] for all keys in a folder. The cost grows
    /// with the number of items, not with that of the keys in folders.
    OneLevel,
    /// The same with the number of keys in each folder ([`Item::CountedFolder`]), up to so many. A
    /// page may end after [`crate::limits::MAX_PAGE_COUNTED`] keys that were counted.
    OneLevelCounted(NonZero<u64>),
}

/// The part of each entry that a listing shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Projection {
    /// Its name.
    Keys,
    /// Its name and metadata.
    Details,
    /// The whole entry.
    Entries,
}

/// Which keys to count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountScan {
    /// The prefix of the keys.
    pub prefix: Prefix,
    /// All of them, or those that a listing shows.
    pub visibility: Visibility,
    /// The number up to which to count; `None` to count all keys.
    pub at_most: Option<NonZero<u64>>,
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
    /// In the order that was asked for.
    pub items: Vec<Item>,
    /// The position after which the next page starts; `None` at the end. A page may have fewer items than its limit and
    /// still have a next one.
    pub next: Option<Prefix>,
    /// The namespace's latest revision in that snapshot: the later changes are those that the page does not show.
    pub revision: Revision,
}

/// A number of keys, of one consistent snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Their number, or the limit of the count where there are more.
    pub keys: u64,
    /// True where there are more keys than the limit.
    pub more: bool,
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
    /// With [`Depth::OneLevel`]: the keys that begin with this text, which ends in `/`.
    Folder(Prefix),
    /// With [`Depth::OneLevelCounted`]: the same, and the number of keys in it that the listing's
    /// prefix shows.
    CountedFolder(Prefix, FolderCount),
}

/// A number of keys in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FolderCount {
    /// Their number, or the limit of the count where there are more.
    pub keys: u64,
    /// True where there are more keys than the limit.
    pub more: bool,
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

impl Scan {
    /// The text before which the stored keys of a descending listing sort; `None` for all keys that
    /// begin with the prefix.
    ///
    /// A folder sorts by its own name. Where the listing goes on after something inside a folder, the
    /// folder itself is still to come, whichever keys are in it.
    #[must_use]
    pub fn end(&self) -> Option<String> {
        let (prefix, after) = (self.prefix.as_str(), self.after.as_ref()?.as_str());
        let inside = match self.depth {
            Depth::All => None,
            Depth::OneLevel | Depth::OneLevelCounted(_) => after.strip_prefix(prefix),
        };
        let is_inside = |inside: &str| inside.find('/').filter(|slash| slash + 1 < inside.len());
        Some(match inside.and_then(is_inside) {
            None => after.to_owned(),
            // The character after `/`.
            Some(slash) => format!("{}0", &after[..prefix.len() + slash]),
        })
    }
}

impl CountScan {
    /// A count without a limit.
    #[must_use]
    pub fn whole(prefix: Prefix, visibility: Visibility) -> Self {
        Self {
            prefix,
            visibility,
            at_most: None,
        }
    }

    /// The result where so many keys were found in a snapshot with this revision. Of more keys than
    /// the limit, one is enough to have been found.
    #[must_use]
    pub fn result(&self, found: u64, revision: Revision) -> Count {
        let at_most = self.at_most.map_or(u64::MAX, NonZero::get);
        let FolderCount { keys, more } = FolderCount::of(found, at_most);
        Count {
            keys,
            more,
            revision,
        }
    }
}

impl FolderCount {
    /// So many keys that were found, with a limit.
    #[must_use]
    pub fn of(found: u64, at_most: u64) -> Self {
        Self {
            keys: found.min(at_most),
            more: found > at_most,
        }
    }
}

impl Item {
    /// The item of `key`, with the requested part of `entry`.
    #[must_use]
    pub fn project(key: Key, entry: Entry, projection: Projection) -> Self {
        match projection {
            Projection::Keys => Self::Key(key),
            Projection::Details => Self::Details(key, entry.metadata),
            Projection::Entries => Self::Entry(key, entry),
        }
    }

    /// The name by which listings are ordered and continued.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Key(key) | Self::Details(key, _) | Self::Entry(key, _) => key.as_str(),
            Self::Folder(prefix) | Self::CountedFolder(prefix, _) => prefix.as_str(),
        }
    }

    /// The position of this item, after which the next page starts.
    #[must_use]
    pub fn position(&self) -> Prefix {
        match self {
            Self::Key(key) | Self::Details(key, _) | Self::Entry(key, _) => Prefix::from(key),
            Self::Folder(prefix) | Self::CountedFolder(prefix, _) => prefix.clone(),
        }
    }

    /// Bytes that count towards [`crate::limits::MAX_PAGE_BYTES`].
    #[must_use]
    pub fn weight(&self) -> usize {
        let value = match self {
            Self::Entry(_, entry) => entry.value.len(),
            Self::Key(_) | Self::Details(..) | Self::Folder(_) | Self::CountedFolder(..) => 0,
        };
        self.name().len() + value
    }
}
