//! The contract between the engines and the crates that use them.

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
/// # Promises of every method
/// - **Per namespace, strictly serializable.** A read sees every commit that was acknowledged before the read began; a
/// commit is seen as a whole or not at all.
/// - **Namespaces are separate.** No call for one reads, changes, counts or wakes on another, whatever their names.
/// - **Expiry.** From its time of expiry on, an entry is absent from every answer, even if the engine has not removed
/// it yet.
/// - **Cancellation.** A future may be dropped at any time. The commit of a dropped future may or may not be executed,
/// but never in part.
/// - **Bounds.** Queues and buffers are bounded; a full store returns [`StoreError::Unavailable`] and does not wait
/// without a limit.
/// - **Damage** is returned as [`StoreError::Corrupt`], never as another value or as absence.
///
/// Every method may return [`StoreError::Unavailable`]; other errors are listed at the methods that return them.
///
/// There are no default methods: every engine implements each method itself.
#[async_trait]
pub trait Store: Send + Sync {
    /// The entry of one key, or `None`.
    async fn get(&self, namespace: &Namespace, key: &Key) -> Result<Option<Entry>, StoreError>;

    /// The entry of one key if no other thread or machine has to be waited for, and at most one block is read from a
    /// local disk. `None` says nothing about the key: call [`Store::get`] then. A returned entry fulfils all of the
    /// promises.
    fn get_at_once(&self, namespace: &Namespace, key: &Key) -> Option<Entry>;

    /// One page of the keys that a prefix shows, in byte order or its reverse, from one consistent
    /// snapshot.
    ///
    /// The page ends after [`Scan::limit`] items or about [`crate::limits::MAX_PAGE_BYTES`] bytes, whichever comes
    /// first, and then has the position at which the next page starts. It has at least one item unless none is left. A
    /// sequence of pages shows each key that exists during all of it exactly once.
    ///
    /// A reader of [`Store::changes`] that starts after [`Page::revision`] receives every change that the page does not
    /// show, and no other. It may also receive the expiry of an entry that is not on the page, since an engine logs an
    /// expiry later than its time.
    async fn scan(&self, namespace: &Namespace, scan: &Scan) -> Result<Page, StoreError>;

    /// The number of keys that begin with a prefix, from one consistent snapshot, in constant memory.
    /// Where the count has a limit, it reads about so many keys.
    async fn count(&self, namespace: &Namespace, scan: &CountScan) -> Result<Count, StoreError>;

    /// Checks the conditions and, if all hold, executes the operations, atomically and durably: the method returns
    /// after the data is synced.
    ///
    /// A commit that changes anything has one revision, greater than all earlier ones of the namespace, even after all
    /// of its keys were deleted. `author` is the job that is stored in entries and in the log. [`crate::rules`] defines
    /// the effect of each operation.
    ///
    /// # Errors
    /// [`StoreError::PreconditionFailed`], [`StoreError::OtherCount`], [`StoreError::NotANumber`] and
    /// [`StoreError::QuotaExceeded`], after which nothing was changed; or [`StoreError::Unavailable`], whose
    /// [`crate::error::Fate`] says if the commit may have been executed.
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
    /// A reader that always continues from [`Changes::next`] misses no change and receives none twice. If an entry
    /// expired and was overwritten before the engine removed it, only the overwriting is logged.
    ///
    /// # Errors
    /// [`StoreError::Compacted`] if changes after the cursor are no longer kept.
    async fn changes(
        &self,
        namespace: &Namespace,
        prefix: &Prefix,
        after: Cursor,
    ) -> Result<Changes, StoreError>;

    /// The present extent of the log, without waiting for a change.
    async fn extent(&self, namespace: &Namespace) -> Result<Extent, StoreError>;

    /// Starts to listen for changes: the signal comes after a later commit has changed something that the listener
    /// waits for, and readers can see it.
    ///
    /// Read the store after this call and before waiting for the signal; then no change is missed. A signal comes once,
    /// and may come without a change. For an expiry it comes when the store removes the entry, which is later than the
    /// time of expiry. Drop it to stop listening.
    async fn listen(
        &self,
        namespace: &Namespace,
        interest: &Interest,
    ) -> Result<Signal, StoreError>;

    /// The usage of a namespace; zero for one without a write.
    async fn usage(&self, namespace: &Namespace) -> Result<Usage, StoreError>;

    /// Succeeds if the store can answer a read and accept a write at present.
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
