//! The permits: each allows one action, and gives no other access to the store.

use std::num::NonZero;
use std::sync::Arc;

use super::rules::outside;
use super::{Access, CommitError};
use crate::change::{Changes, Cursor, Extent, Interest, Signal};
use crate::commit::{Commit, Committed};
use crate::entry::Entry;
use crate::error::StoreError;
use crate::key::{Key, Prefix};
use crate::namespace::{Job, Namespace};
use crate::scan::{Count, CountScan, Depth, Order, Page, PageLimit, Projection, Scan, Visibility};
use crate::store::{Store, Usage};

/// May read one key.
pub struct ReadPermit {
    pub(super) store: Arc<dyn Store>,
    pub(super) namespace: Namespace,
    pub(super) key: Key,
}

/// May list, count and watch the keys with one prefix.
pub struct ListPermit {
    pub(super) store: Arc<dyn Store>,
    pub(super) namespace: Namespace,
    pub(super) prefix: Prefix,
}

/// May execute one commit.
pub struct CommitPermit {
    pub(super) store: Arc<dyn Store>,
    pub(super) namespace: Namespace,
    pub(super) author: Option<Job>,
    pub(super) commit: Commit,
    /// Keys that the token may create but not replace, without those that the caller demanded to be absent.
    pub(super) create_only: Vec<Key>,
}

/// May count the keys that deleting one prefix would remove.
pub struct DryRunPermit {
    pub(super) store: Arc<dyn Store>,
    pub(super) namespace: Namespace,
    pub(super) prefix: Prefix,
}

/// May read the usage of the namespace.
pub struct UsagePermit {
    pub(super) store: Arc<dyn Store>,
    pub(super) namespace: Namespace,
}

impl ReadPermit {
    /// See [`Store::get`].
    ///
    /// # Errors
    /// The store's.
    pub async fn get(&self) -> Result<Option<Entry>, StoreError> {
        self.store.get(&self.namespace, &self.key).await
    }

    /// Listens for changes of the key; see [`Store::listen`].
    ///
    /// # Errors
    /// The store's.
    pub async fn listen(&self) -> Result<Signal, StoreError> {
        let interest = Interest::Key(self.key.clone());
        self.store.listen(&self.namespace, &interest).await
    }
}

impl ListPermit {
    /// One page; see [`Store::scan`].
    ///
    /// # Errors
    /// The store's.
    pub async fn page(
        &self,
        after: Option<Prefix>,
        limit: PageLimit,
        order: Order,
        depth: Depth,
        projection: Projection,
    ) -> Result<Page, StoreError> {
        let scan = Scan {
            prefix: self.prefix.clone(),
            after,
            limit,
            order,
            depth,
            projection,
        };
        self.store.scan(&self.namespace, &scan).await
    }

    /// The number of keys that a listing shows, up to a limit if there is one; see [`Store::count`].
    ///
    /// # Errors
    /// The store's.
    pub async fn count(&self, at_most: Option<NonZero<u64>>) -> Result<Count, StoreError> {
        let scan = CountScan {
            prefix: self.prefix.clone(),
            visibility: Visibility::Listed,
            at_most,
        };
        self.store.count(&self.namespace, &scan).await
    }

    /// See [`Store::changes`].
    ///
    /// # Errors
    /// The store's.
    pub async fn changes(&self, after: Cursor) -> Result<Changes, StoreError> {
        self.store
            .changes(&self.namespace, &self.prefix, after)
            .await
    }

    /// Listens for changes under the prefix; see [`Store::listen`].
    ///
    /// # Errors
    /// The store's.
    pub async fn listen(&self) -> Result<Signal, StoreError> {
        let interest = Interest::Prefix(self.prefix.clone());
        self.store.listen(&self.namespace, &interest).await
    }

    /// The entry of a key that the prefix shows, or `None`; see [`Store::get`].
    ///
    /// # Errors
    /// The store's.
    pub async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        if !self.prefix.shows(key) {
            return Ok(None);
        }
        self.store.get(&self.namespace, key).await
    }

    /// The extent of the log; see [`Store::extent`].
    ///
    /// # Errors
    /// The store's.
    pub async fn extent(&self) -> Result<Extent, StoreError> {
        self.store.extent(&self.namespace).await
    }
}

impl CommitPermit {
    /// See [`Store::commit`].
    ///
    /// # Errors
    /// The store's, and [`CommitError::Forbidden`] if a token that may only create tried to replace an existing key.
    pub async fn apply(self) -> Result<Committed, CommitError> {
        let answer = self
            .store
            .commit(&self.namespace, self.author.as_ref(), self.commit)
            .await;
        answer.map_err(|error| match error {
            StoreError::PreconditionFailed { key, .. } if self.create_only.contains(&key) => {
                outside("replacing", Access::Modify, &key).into()
            }
            other => other.into(),
        })
    }
}

impl DryRunPermit {
    /// The number of keys that would be removed; see [`Store::count`].
    ///
    /// # Errors
    /// The store's.
    pub async fn count(&self) -> Result<Count, StoreError> {
        let scan = CountScan::whole(self.prefix.clone(), Visibility::All);
        self.store.count(&self.namespace, &scan).await
    }
}

impl UsagePermit {
    /// See [`Store::usage`].
    ///
    /// # Errors
    /// The store's.
    pub async fn usage(&self) -> Result<Usage, StoreError> {
        self.store.usage(&self.namespace).await
    }
}
