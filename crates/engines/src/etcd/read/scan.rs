//! Pages of a listing, counts, and usage.
//!
//! Each is read as of one revision of the cluster. Where only keys are asked for, no values are
//! read: the expiry hints tell which keys may have expired without being removed yet. A folder of a
//! one-level listing is skipped with one seek, and so are keys that a listing hides.

use std::collections::HashMap;
use std::convert::Infallible;
use std::num::NonZero;
use std::pin::Pin;

use prominence_core::error::Fate;
use prominence_core::listing::{KeyCounter, PageBuilder, Step};
use prominence_core::{
    Count, CountScan, Depth, Entry, FolderCount, Item, Order, Page, Prefix, Projection, Scan,
    StoreError, Usage, Visibility,
};

use super::reader::Reader;
use super::walk::{Listed, MAX_ENTRIES, MAX_ROWS, ScanError, Walk};
use crate::etcd::error::{RETRY_SOON, unavailable};
use crate::etcd::query::RangeQuery;

/// Attempts at a scan, each as of a later revision, where etcd compacts its history meanwhile.
const MAX_ATTEMPTS: u32 = 3;

/// The result of a scan.
pub(crate) struct Scanned<T> {
    pub(crate) result: T,
    /// True if entries were left out because they have expired.
    pub(crate) met_expired: bool,
}

/// One attempt at a scan.
type Attempt<'w, T> = Pin<Box<dyn Future<Output = Result<T, ScanError>> + Send + 'w>>;

impl<'a> Reader<'a> {
    /// One page.
    pub(crate) async fn page(self, scan: &'a Scan) -> Result<Scanned<Page>, StoreError> {
        let keys_only = scan.projection == Projection::Keys;
        let walk = Walk::new(self, &scan.prefix, keys_only);
        as_of_one_revision(walk, |walk| Box::pin(walk.page(scan))).await
    }

    /// The number of keys.
    pub(crate) async fn count(self, scan: &'a CountScan) -> Result<Scanned<Count>, StoreError> {
        let walk = Walk::new(self, &scan.prefix, true);
        as_of_one_revision(walk, |walk| Box::pin(walk.count(scan))).await
    }

    /// The stored keys and bytes, without what has expired and is not removed yet.
    pub(crate) async fn usage(self) -> Result<Scanned<Usage>, StoreError> {
        let everything = Prefix::everything();
        let walk = Walk::new(self, &everything, true);
        as_of_one_revision(walk, |walk| Box::pin(walk.usage())).await
    }
}

/// Attempts a scan as of one revision, and again as of a later one where etcd has compacted it.
async fn as_of_one_revision<'a, T>(
    new: Walk<'a>,
    scan: impl for<'w> Fn(&'w mut Walk<'a>) -> Attempt<'w, T>,
) -> Result<Scanned<T>, StoreError> {
    for _ in 0..MAX_ATTEMPTS {
        let mut walk = new.clone();
        match scan(&mut walk).await {
            Ok(result) => {
                return Ok(Scanned {
                    result,
                    met_expired: walk.met_expired,
                });
            }
            Err(ScanError::Store(error)) => return Err(error),
            Err(ScanError::Compacted) => {}
        }
    }
    let reason = "etcd's history is compacted faster than this can be read";
    Err(unavailable(reason, Fate::NotApplied, RETRY_SOON))
}

impl Walk<'_> {
    async fn page(&mut self, scan: &Scan) -> Result<Page, ScanError> {
        let Depth::OneLevelCounted(at_most) = scan.depth else {
            return self.page_without_counts(scan).await;
        };
        let scan = Scan {
            depth: Depth::OneLevel,
            ..scan.clone()
        };
        let mut page = self.page_without_counts(&scan).await?;
        self.count_folders(&mut page.items, at_most).await?;
        Ok(page)
    }

    async fn page_without_counts(&mut self, scan: &Scan) -> Result<Page, ScanError> {
        if self.keys_only {
            self.read_expired().await?;
        }
        let mut page = PageBuilder::new(scan);
        let visitor: &mut (dyn FnMut(Listed) -> Step + Send) = &mut |row| {
            let live = || Ok::<_, Infallible>((!row.is_expired).then_some(row.entry));
            let Ok(step) = page.add(row.key, live, |key, entry: Option<Entry>| {
                Ok(match entry {
                    Some(entry) => Item::project(key, entry, scan.projection),
                    None => Item::Key(key),
                })
            });
            step
        };
        let expected = scan.limit.get().saturating_add(1);
        match scan.order {
            Order::Ascending => self.visit(scan.after.as_ref(), expected, visitor).await?,
            Order::Descending => self.visit_back(scan.end().as_deref(), visitor).await?,
        }
        Ok(page.finish(self.head().await?.usage.revision))
    }

    /// Counts the keys in the folders of a page. The cluster does that in its memory, where it costs
    /// less than reading up to so many keys of each folder.
    async fn count_folders(
        &mut self,
        items: &mut [Item],
        at_most: NonZero<u64>,
    ) -> Result<(), ScanError> {
        self.read_expired().await?;
        let keys = self.reader.keys;
        let mut expired = HashMap::<_, u64>::new();
        for key in &self.expired {
            *expired.entry(self.prefix.folder_of(key)).or_default() += 1;
        }
        let hides_keys = self.head().await?.internal_keys > 0;
        let mut folders: Vec<_> = items
            .iter_mut()
            .filter(|item| matches!(item, Item::Folder(_)))
            .collect();
        for some in folders.chunks_mut(MAX_ENTRIES) {
            let inside = some.iter().map(|item| keys.entries(&item.position()));
            let counts = inside.map(|range| RangeQuery::range(&range).count_only());
            let mut stored = self.read(counts.collect()).await?;
            for item in some {
                let folder = item.position();
                let stored = stored.next().count;
                let count = if hides_keys {
                    self.shown_in(&folder, at_most).await?
                } else {
                    let expired = expired.get(&Some(folder.clone())).copied();
                    let live = stored.saturating_sub(expired.unwrap_or_default());
                    FolderCount::of(live, at_most.get())
                };
                **item = Item::CountedFolder(folder, count);
            }
        }
        Ok(())
    }

    /// The number of keys in a folder that listings show.
    async fn shown_in(
        &self,
        folder: &Prefix,
        at_most: NonZero<u64>,
    ) -> Result<FolderCount, ScanError> {
        let mut inside = self.keys_inside(folder);
        let scan = CountScan {
            prefix: folder.clone(),
            visibility: Visibility::Listed,
            at_most: Some(at_most),
        };
        let Count { keys, more, .. } = inside.count_one_by_one(&scan).await?;
        Ok(FolderCount { keys, more })
    }

    async fn usage(&mut self) -> Result<Usage, ScanError> {
        let expired = self.expired_entries().await?;
        let mut usage = self.head().await?.usage;
        for (key, metadata) in expired {
            usage.keys = usage.keys.saturating_sub(1);
            let bytes = (key.as_str().len() + metadata.size) as u64;
            usage.bytes = usage.bytes.saturating_sub(bytes);
        }
        Ok(usage)
    }

    async fn count(&mut self, scan: &CountScan) -> Result<Count, ScanError> {
        let stored = RangeQuery::range(&self.entries()).count_only();
        let stored = self.read(vec![stored]).await?.next().count;
        let head = self.head().await?;
        let revision = head.usage.revision;
        self.read_expired().await?;
        // Where a listing hides nothing, the cluster's own count is right.
        if scan.visibility == Visibility::All || head.internal_keys == 0 {
            let live = stored.saturating_sub(self.expired.len() as u64);
            return Ok(scan.result(live, revision));
        }
        self.count_one_by_one(scan).await
    }

    async fn count_one_by_one(&mut self, scan: &CountScan) -> Result<Count, ScanError> {
        let mut counter = KeyCounter::new(scan.clone());
        self.visit(None, MAX_ROWS, &mut |row| {
            let is_live = || Ok::<_, Infallible>(!row.is_expired);
            let Ok(step) = counter.add(&row.key, is_live);
            step
        })
        .await?;
        Ok(counter.count(self.head().await?.usage.revision))
    }
}
