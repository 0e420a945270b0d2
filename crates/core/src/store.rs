//! The contract between everything above and the engines below.

use async_trait::async_trait;

use crate::change::{Changes, Cursor, Extent, Interest, Signal};
use crate::commit::{Commit, Committed};
use crate::entry::Entry;
use crate::error::StoreError;
use crate::key::{Key, Prefix};
use crate::namespace::{Job, Namespace};
use crate::revision::Revision;
use crate::scan::{Count, CountScan, Page, Scan};

/// A durable, strictly serializable map from (namespace, key) to entry.
///
/// # What every method promises
/// - **Per namespace, strictly serializable.** A read sees every commit that was acknowledged
///   before the read began; a commit is seen whole or not at all.
/// - **Namespaces are apart.** No call on one reads, changes, counts or wakes on another, whatever
///   their names.
/// - **Expiry.** An entry is absent from every answer from its instant of expiry on, whether or
///   not the engine has removed it yet.
/// - **Cancellation.** Dropping a future is safe. A commit whose future was dropped may or may not
///   happen, but never by halves.
/// - **Bounds.** Queues and buffers are bounded; a store that can't take more answers
///   [`StoreError::Unavailable`] rather than waiting without end.
/// - **Damage** is answered as [`StoreError::Corrupt`], never as another value or as absence.
///
/// Every method may answer [`StoreError::Unavailable`]; the other errors are named where they
/// can happen.
///
/// There are no default methods: each engine says itself how it does each thing.
#[async_trait]
pub trait Store: Send + Sync {
    /// The entry of one key, or `None`.
    async fn get(&self, namespace: &Namespace, key: &Key) -> Result<Option<Entry>, StoreError>;

    /// The entry of one key where it can be had without waiting for another thread or machine; a
    /// block from a local disk at most. `None` says nothing about the key: then [`Store::get`] has
    /// to be asked. What is answered keeps all of the promises.
    fn get_at_once(&self, namespace: &Namespace, key: &Key) -> Option<Entry>;

    /// One page of the keys that a prefix shows, in byte order or its reverse, from one consistent
    /// snapshot.
    ///
    /// The page ends after [`Scan::limit`] items or about
    /// [`crate::limits::MAX_PAGE_BYTES`] bytes, whichever comes first, and then names where the
    /// next one starts. It holds at least one item unless nothing is left. Pages taken one after
    /// another show each key that exists throughout exactly once.
    ///
    /// A reader of [`Store::changes`] that starts after [`Page::revision`] is told of every change
    /// that the page does not show, and of none that it shows. The expiry of an entry that the
    /// page leaves out may follow, since an engine logs it later than its instant.
    async fn scan(&self, namespace: &Namespace, scan: &Scan) -> Result<Page, StoreError>;

    /// The number of keys that begin with a prefix, from one consistent snapshot, in constant memory.
    /// Where the count has a limit, it reads about so many keys.
    async fn count(&self, namespace: &Namespace, scan: &CountScan) -> Result<Count, StoreError>;

    /// Checks the conditions and, where all hold, does the operations, atomically and durably:
    /// the answer is given after the data is synced.
    ///
    /// One commit that changes anything has one revision, greater than every earlier one of the
    /// namespace, also after everything in it was deleted. `author` is the job that will stand
    /// in the entries and in the log. What each operation does is in [`crate::rules`].
    ///
    /// # Errors
    /// [`StoreError::PreconditionFailed`], [`StoreError::OtherCount`], [`StoreError::NotANumber`]
    /// and [`StoreError::QuotaExceeded`], and then nothing was changed; or
    /// [`StoreError::Unavailable`], whose [`crate::error::Fate`] says what is known.
    async fn commit(
        &self,
        namespace: &Namespace,
        author: Option<&Job>,
        commit: Commit,
    ) -> Result<Committed, StoreError>;

    /// The changes after a cursor of keys that a prefix shows, in order, at most
    /// [`crate::limits::MAX_CHANGES`] at once. Waits until there is one; drop the future to stop
    /// waiting.
    ///
    /// A reader that goes on from [`Changes::next`] each time misses none and sees none twice.
    /// An entry that expired and was overwritten before the engine removed it is logged as the
    /// overwriting alone.
    ///
    /// # Errors
    /// [`StoreError::Compacted`] where changes after the cursor are no longer kept.
    async fn changes(
        &self,
        namespace: &Namespace,
        prefix: &Prefix,
        after: Cursor,
    ) -> Result<Changes, StoreError>;

    /// The extent of the log now, as [`Store::changes`] would find it without waiting.
    async fn extent(&self, namespace: &Namespace) -> Result<Extent, StoreError>;

    /// Starts to listen for changes: the signal comes after a later commit has changed what the
    /// listener is interested in, and can be seen.
    ///
    /// Look at the store after this and before waiting for the signal; then no change is missed.
    /// A signal comes once, and may come although nothing changed. An expiry gives one when the
    /// store removes the entry, which is later than its instant. Drop it to stop listening.
    async fn listen(
        &self,
        namespace: &Namespace,
        interest: &Interest,
    ) -> Result<Signal, StoreError>;

    /// The usage of a namespace; zero for one that was never written to.
    async fn usage(&self, namespace: &Namespace) -> Result<Usage, StoreError>;

    /// Succeeds if the store could answer a read and accept a write now.
    async fn ready(&self) -> Result<(), StoreError>;
}

/// The usage of a namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Number of keys, `_internal_` ones included.
    pub keys: u64,
    /// Bytes of all keys (in canonical form) and values together.
    pub bytes: u64,
    /// The latest revision; [`Revision::ZERO`] before the first commit.
    pub revision: Revision,
}
