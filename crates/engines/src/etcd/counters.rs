//! Counters of the work of a store over a cluster.

use std::sync::atomic::{AtomicU64, Ordering};

/// The work of a store over a cluster since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Commits that were planned, refused ones included.
    pub commits: u64,
    /// Transactions that were sent to the cluster, the store's own upkeep included.
    pub transactions: u64,
    /// Transactions that were planned again: another process wrote first, or a key existed that
    /// was expected to be new.
    pub conflicts: u64,
    /// Reads that had to come before a transaction.
    pub reads: u64,
    /// Restarts of the watch of the logs.
    pub watches: u64,
    /// Changes to another member of the cluster.
    pub failovers: u64,
    /// Reads of the log for callers who wait for changes.
    pub log_reads: u64,
    /// Signals to callers who listened.
    pub signals: u64,
    /// Commits that found the last one of another process far ahead of this process's clock.
    pub clock_skews: u64,
    /// Entries that were scanned for claims.
    pub claim_scans: u64,
    /// Keys that were read for callers.
    pub gets: u64,
    /// Transactions in which they were read.
    pub get_transactions: u64,
}

/// A counter that several tasks increase.
#[derive(Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of [`Counters`] that the parts of the engine increase.
#[derive(Default)]
pub(super) struct LiveCounters {
    pub(super) commits: Counter,
    pub(super) transactions: Counter,
    pub(super) conflicts: Counter,
    pub(super) reads: Counter,
    pub(super) watches: Counter,
    pub(super) log_reads: Counter,
    pub(super) signals: Counter,
    pub(super) clock_skews: Counter,
    pub(super) gets: Counter,
    pub(super) get_transactions: Counter,
}
