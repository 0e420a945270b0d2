//! The service's own records: which tokens are revoked, which were made here, whose a name is, and quotas.
//!
//! They are kept in [`Namespace::system`], so that every engine, backup and migration carries them. No token can name
//! that namespace, and a [`crate::Gate`] gives permits for the namespace of a token alone. So nothing that a user sends
//! leads here, whatever the keys.

use std::sync::Arc;

use crate::change::{Changes, Cursor, Extent, Interest, Signal};
use crate::commit::{Commit, Committed};
use crate::entry::Entry;
use crate::error::StoreError;
use crate::key::{Key, Prefix};
use crate::namespace::Namespace;
use crate::scan::{Count, CountScan, Depth, Order, Page, PageLimit, Projection, Scan, Visibility};
use crate::store::{Store, Usage};

/// Reaches the service's own records, and no user's keys.
#[derive(Clone)]
pub struct Registry {
    store: Arc<dyn Store>,
    namespace: Namespace,
}

impl Registry {
    /// The records in a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            namespace: Namespace::system(),
        }
    }

    /// One record; see [`Store::get`].
    ///
    /// # Errors
    /// The store's.
    pub async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.store.get(&self.namespace, key).await
    }

    /// Records under a prefix with their values; see [`Store::scan`].
    ///
    /// # Errors
    /// The store's.
    pub async fn page(
        &self,
        prefix: &Prefix,
        after: Option<Prefix>,
        limit: PageLimit,
    ) -> Result<Page, StoreError> {
        let scan = Scan {
            prefix: prefix.clone(),
            after,
            limit,
            order: Order::Ascending,
            depth: Depth::All,
            projection: Projection::Entries,
        };
        self.store.scan(&self.namespace, &scan).await
    }

    /// The number of records under a prefix; see [`Store::count`].
    ///
    /// # Errors
    /// The store's.
    pub async fn count(&self, prefix: &Prefix) -> Result<Count, StoreError> {
        let scan = CountScan {
            prefix: prefix.clone(),
            visibility: Visibility::All,
            at_most: None,
        };
        self.store.count(&self.namespace, &scan).await
    }

    /// Changes records; see [`Store::commit`].
    ///
    /// # Errors
    /// The store's.
    pub async fn commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        self.store.commit(&self.namespace, None, commit).await
    }

    /// The changes of all records after a cursor; see [`Store::changes`].
    ///
    /// # Errors
    /// The store's.
    pub async fn changes(&self, after: Cursor) -> Result<Changes, StoreError> {
        let everything = Prefix::everything();
        self.store
            .changes(&self.namespace, &everything, after)
            .await
    }

    /// The extent of their log; see [`Store::extent`].
    ///
    /// # Errors
    /// The store's.
    pub async fn extent(&self) -> Result<Extent, StoreError> {
        self.store.extent(&self.namespace).await
    }

    /// Listens for changes of any record; see [`Store::listen`].
    ///
    /// # Errors
    /// The store's.
    pub async fn listen(&self) -> Result<Signal, StoreError> {
        let everything = Interest::Prefix(Prefix::everything());
        self.store.listen(&self.namespace, &everything).await
    }

    /// The number and size of all records; see [`Store::usage`].
    ///
    /// # Errors
    /// The store's.
    pub async fn usage(&self) -> Result<Usage, StoreError> {
        self.store.usage(&self.namespace).await
    }
}
