//! Pages of a listing, counts, and usage.
//!
//! Each is read as of one revision of the cluster. Where only keys are asked for, no values are
//! read: the expiry hints tell which keys may have expired without being removed yet. A folder of a
//! one-level listing is skipped with one seek, and so are keys that a listing hides.

use std::convert::Infallible;
use std::pin::Pin;

use prominence_core::error::Fate;
use prominence_core::listing::{KeyCounter, PageBuilder};
use prominence_core::{
    Count, Entry, Item, Page, Prefix, Projection, Scan, StoreError, Usage, Visibility,
};

use super::reader::Reader;
use super::walk::{MAX_ROWS, ScanError, Walk};
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
    pub(crate) async fn count(
        self,
        prefix: &'a Prefix,
        visibility: Visibility,
    ) -> Result<Scanned<Count>, StoreError> {
        let walk = Walk::new(self, prefix, true);
        as_of_one_revision(walk, |walk| Box::pin(walk.count(visibility))).await
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
        if self.keys_only {
            self.read_expired().await?;
        }
        let mut page = PageBuilder::new(scan);
        let expected = scan.limit.get().saturating_add(1);
        self.visit(scan.after.as_ref(), expected, &mut |row| {
            let live = || Ok::<_, Infallible>((!row.is_expired).then_some(row.entry));
            let Ok(step) = page.add(row.key, live, |key, entry: Option<Entry>| {
                Ok(match entry {
                    Some(entry) => Item::project(key, entry, scan.projection),
                    None => Item::Key(key),
                })
            });
            step
        })
        .await?;
        Ok(page.finish(self.head().await?.usage.revision))
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

    async fn count(&mut self, visibility: Visibility) -> Result<Count, ScanError> {
        let stored = RangeQuery::range(&self.entries()).count_only();
        let stored = self.read(vec![stored]).await?.next().count;
        let head = self.head().await?;
        let revision = head.usage.revision;
        self.read_expired().await?;
        // Where a listing hides nothing, the cluster's own count is right.
        if visibility == Visibility::All || head.internal_keys == 0 {
            return Ok(Count {
                keys: stored.saturating_sub(self.expired.len() as u64),
                revision,
            });
        }
        let mut counter = KeyCounter::new(self.prefix.clone(), visibility);
        self.visit(None, MAX_ROWS, &mut |row| {
            let is_live = || Ok::<_, Infallible>(!row.is_expired);
            let Ok(step) = counter.add(&row.key, is_live);
            step
        })
        .await?;
        Ok(counter.count(revision))
    }
}
