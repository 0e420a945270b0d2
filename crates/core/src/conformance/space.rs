//! One namespace of a store, as the cases use it.
//!
//! The methods of a [`Space`] take text, and fail the test if the store returns an error; [`Space::attempt`] returns
//! the error.

use std::num::NonZero;
use std::time::Duration;

use bytes::Bytes;

use super::Subject;
use super::shorthand::{add, delete, job, key, prefix, scan, set, set_for, when, write_id};
use crate::change::{Change, Cursor, Interest, Signal};
use crate::commit::{Commit, Committed, Condition, Lifetime, Operation, Outcome, Precondition};
use crate::entry::Entry;
use crate::error::StoreError;
use crate::limits::{MAX_CHANGES, MAX_COMMIT_OPERATIONS};
use crate::namespace::{Job, Namespace};
use crate::revision::Revision;
use crate::scan::{Count, CountScan, Depth, Order, Page, Scan, Visibility};
use crate::store::{Store, Usage};

/// The key that [`Space::history`] writes to recognize the end of the log.
const END_MARK: &str = "~end";

/// One namespace of a store, and the job that writes to it.
pub(super) struct Space<'a> {
    store: &'a dyn Store,
    namespace: Namespace,
    author: Option<Job>,
}

/// The namespace that most cases use.
pub(super) fn alice(subject: &dyn Subject) -> Space<'_> {
    space(subject, "alice")
}

pub(super) fn space<'a>(subject: &'a dyn Subject, namespace: &str) -> Space<'a> {
    Space {
        store: subject.store(),
        namespace: Namespace::parse(namespace).unwrap(),
        author: None,
    }
}

impl Space<'_> {
    /// The same namespace, used by a job.
    pub(super) fn by(&self, id: &str) -> Self {
        Self {
            store: self.store,
            namespace: self.namespace.clone(),
            author: Some(job(id)),
        }
    }

    pub(super) async fn attempt(
        &self,
        conditions: Vec<Condition>,
        operations: Vec<Operation>,
    ) -> Result<Committed, StoreError> {
        let commit = Commit::new(conditions, operations).unwrap();
        self.store
            .commit(&self.namespace, self.author.as_ref(), commit)
            .await
    }

    /// Sets a value with a condition and a write id.
    pub(super) async fn set_once(
        &self,
        id: &str,
        expect: Precondition,
        name: &str,
        bytes: impl Into<Bytes>,
    ) -> Result<Committed, StoreError> {
        let commit = Commit::new(vec![when(name, expect)], vec![set(name, bytes)]).unwrap();
        let commit = commit.identified_by(write_id(id)).unwrap();
        self.store
            .commit(&self.namespace, self.author.as_ref(), commit)
            .await
    }

    pub(super) async fn commit(&self, operations: Vec<Operation>) -> Committed {
        self.attempt(vec![], operations).await.unwrap()
    }

    /// Executes one operation, and returns its outcome.
    pub(super) async fn apply(&self, operation: Operation) -> Outcome {
        let committed = self.commit(vec![operation]).await;
        let [outcome] = committed.outcomes.try_into().unwrap();
        outcome
    }

    pub(super) async fn set(&self, name: &str, bytes: impl Into<Bytes>) -> Revision {
        self.commit(vec![set(name, bytes)]).await.revision
    }

    /// Sets a value that expires after this time.
    pub(super) async fn lend(&self, name: &str, bytes: impl Into<Bytes>, ttl: Duration) {
        self.apply(set_for(name, bytes, Lifetime::For(ttl))).await;
    }

    /// Sets each key to its own name, a hundred keys in a commit.
    pub(super) async fn fill(&self, keys: &[String]) {
        for some in keys.chunks(MAX_COMMIT_OPERATIONS) {
            let operations = some.iter().map(|name| set(name, name.clone())).collect();
            self.commit(operations).await;
        }
    }

    pub(super) async fn add(&self, name: &str, by: i64) -> i64 {
        match self.apply(add(name, by)).await {
            Outcome::Added(sum) => sum,
            other => panic!("an addition returned {other:?}"),
        }
    }

    pub(super) async fn delete(&self, name: &str) -> u64 {
        match self.apply(delete(name)).await {
            Outcome::Deleted(keys) => keys,
            other => panic!("a deletion returned {other:?}"),
        }
    }

    pub(super) async fn delete_prefix(&self, text: &str) -> u64 {
        let prefix = prefix(text);
        match self.apply(Operation::delete_prefix(prefix)).await {
            Outcome::Deleted(keys) => keys,
            other => panic!("a deletion of a prefix returned {other:?}"),
        }
    }

    pub(super) async fn claim(&self, text: &str, hold: Duration) -> Option<(String, Entry)> {
        let prefix = prefix(text);
        match self.apply(Operation::Claim { prefix, hold }).await {
            Outcome::Claimed(key, entry) => Some((key.to_string(), entry)),
            Outcome::NoneFree { .. } => None,
            other => panic!("a claim returned {other:?}"),
        }
    }

    /// Claims a key, and returns its name.
    pub(super) async fn claim_name(&self, text: &str, hold: Duration) -> Option<String> {
        self.claim(text, hold).await.map(|(name, _)| name)
    }

    pub(super) async fn get(&self, name: &str) -> Option<Entry> {
        let (namespace, key) = (&self.namespace, key(name));
        let found = self.store.get(namespace, &key).await.unwrap();
        // An entry that is returned at once is the same, or a newer one if others write meanwhile.
        if let Some(at_once) = self.store.get_at_once(namespace, &key) {
            let revision = at_once.metadata.revision;
            let before = found.as_ref().map(|entry| entry.metadata.revision);
            assert!(
                Some(revision) >= before,
                "{name}: {revision} after {before:?}"
            );
            if Some(revision) == before {
                assert_eq!(Some(&at_once), found.as_ref(), "{name} at once");
            }
        }
        found
    }

    /// An entry that must exist.
    pub(super) async fn entry(&self, name: &str) -> Entry {
        let found = self.get(name).await;
        found.unwrap_or_else(|| panic!("{name} is absent"))
    }

    /// The bytes of a value.
    pub(super) async fn read(&self, name: &str) -> Option<Bytes> {
        self.get(name).await.map(|entry| entry.value.into_bytes())
    }

    pub(super) async fn page(&self, scan: &Scan) -> Page {
        self.store.scan(&self.namespace, scan).await.unwrap()
    }

    pub(super) async fn listen(&self, interest: &Interest) -> Signal {
        self.store.listen(&self.namespace, interest).await.unwrap()
    }

    /// All pages of a scan, in order.
    pub(super) async fn pages(&self, mut scan: Scan) -> Vec<Page> {
        let mut pages = Vec::new();
        loop {
            let page = self.page(&scan).await;
            let goes_on = match (&page.next, &scan.after) {
                (Some(next), Some(after)) if scan.order == Order::Descending => next < after,
                (Some(next), Some(after)) => next > after,
                (None, _) | (_, None) => true,
            };
            assert!(goes_on, "{:?} leads to {:?}", scan.after, page.next);
            scan.after = page.next.clone();
            pages.push(page);
            if scan.after.is_none() {
                return pages;
            }
        }
    }

    /// The names on all pages of a scan.
    pub(super) async fn names(&self, scan: Scan) -> Vec<String> {
        let pages = self.pages(scan).await;
        let items = pages.iter().flat_map(|page| &page.items);
        items.map(|item| item.name().to_owned()).collect()
    }

    /// The keys that a prefix shows.
    pub(super) async fn list(&self, text: &str) -> Vec<String> {
        self.names(scan(text)).await
    }

    /// The keys and folders on the level of a prefix.
    pub(super) async fn level(&self, text: &str) -> Vec<String> {
        let depth = Depth::OneLevel;
        let scan = Scan {
            depth,
            ..scan(text)
        };
        self.names(scan).await
    }

    pub(super) async fn count(&self, text: &str, visibility: Visibility) -> u64 {
        let scan = CountScan::whole(prefix(text), visibility);
        let count = self.store.count(&self.namespace, &scan).await;
        count.unwrap().keys
    }

    /// The number of keys that a prefix shows, with the revision of the count.
    pub(super) async fn counted(&self, text: &str) -> Count {
        let scan = CountScan::whole(prefix(text), Visibility::Listed);
        self.store.count(&self.namespace, &scan).await.unwrap()
    }

    /// The number of keys up to a limit, and whether there are more.
    pub(super) async fn counted_up_to(
        &self,
        text: &str,
        visibility: Visibility,
        at_most: u64,
    ) -> (u64, bool) {
        let scan = CountScan {
            prefix: prefix(text),
            visibility,
            at_most: NonZero::new(at_most),
        };
        let count = self.store.count(&self.namespace, &scan).await.unwrap();
        (count.keys, count.more)
    }

    pub(super) async fn usage(&self) -> Usage {
        self.store.usage(&self.namespace).await.unwrap()
    }

    /// The next part of the log, checked against the promises for every part.
    pub(super) async fn changes(&self, text: &str, after: Cursor) -> (Vec<Change>, Cursor) {
        let part = self
            .store
            .changes(&self.namespace, &prefix(text), after)
            .await
            .unwrap();
        assert!(!part.changes.is_empty(), "a part of the log is never empty");
        assert!(part.changes.len() <= MAX_CHANGES.get());
        let mut last = after;
        for change in &part.changes {
            assert!(change.at > last, "{change:?} comes after {last:?}");
            assert!(prefix(text).shows(&change.key), "{text} hides {change:?}");
            last = change.at;
        }
        assert!(part.next >= last, "{:?} is before {last:?}", part.next);
        (part.changes, part.next)
    }

    /// All changes in the log after a cursor and under a prefix.
    ///
    /// Reading waits at the end of the log, so a key is written first that marks the end.
    pub(super) async fn history(&self, text: &str, after: Cursor) -> Vec<Change> {
        let mark = key(&format!("{text}{END_MARK}"));
        let marked = self.set(mark.as_str(), "").await;
        let mut history = Vec::new();
        let mut cursor = after;
        loop {
            let (changes, next) = self.changes(text, cursor).await;
            cursor = next;
            let ended = changes.iter().any(|change| change.at.revision == marked);
            history.extend(changes.into_iter().filter(|change| change.key != mark));
            if ended {
                return history;
            }
        }
    }
}
