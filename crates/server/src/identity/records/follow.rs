//! Keeps what is in memory the same as what is stored, although other servers write to the same store.
//!
//! All records are read before the server listens. From then on their log is followed: a change wakes the follower, and
//! it asks every [`ASK_EVERY`] how far the log reaches, so that a signal that does not come can't hide a revocation. What is
//! in memory counts for [`KNOWN_FOR`] after the last question that was answered; then every token is refused until the
//! store answers again.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use prominence_core::{Cursor, Entry, Item, Key, PageLimit, Prefix, StoreError, Timestamp};
use tokio::sync::mpsc;

use super::quotas::{self, OwnQuota};
use super::revocations::List;
use super::target::{self, Target};
use super::tokens::{Revocation, Used};
use super::{Records, parse};

/// The longest time between two questions about the end of the log.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// The time for which an answer counts: a token that is revoked at another server is accepted here for at most so long.
const KNOWN_FOR: Duration = Duration::from_secs(5);

/// Uses of tokens that wait to be written down. More are left out: each token is noted once a day, and a record that
/// lacks a day is no harm.
const WAITING_USES: usize = 1_024;

/// Follows the log of the records from here on.
pub(crate) struct Follower {
    records: Arc<Records>,
    at: Cursor,
    /// True if other servers write to the store.
    is_shared: bool,
    uses: mpsc::Receiver<Used>,
}

impl Records {
    /// Reads all records. If other servers write to the store as well, what is in memory counts from now on only as long
    /// as the follower confirms it.
    ///
    /// # Errors
    /// The store's; a server that does not know which tokens are revoked must not begin to accept any.
    pub(crate) async fn load(self: &Arc<Self>, is_shared: bool) -> Result<Follower, StoreError> {
        let asked = self.clock.now();
        let at = self.read_all().await?;
        if is_shared {
            self.confirm(asked);
        }
        let (uses, waiting) = mpsc::channel(WAITING_USES);
        // A second follower would be told of no uses.
        let _ = self.uses.set(uses);
        Ok(Follower {
            records: Arc::clone(self),
            at,
            is_shared,
            uses: waiting,
        })
    }

    /// True if the records in memory are not older than they may be.
    pub(crate) fn are_known(&self) -> bool {
        let until = self.known_until.load(Ordering::Acquire);
        // The usual case without a follower costs no look at the clock.
        until == u64::MAX || self.clock.now().as_millis() < until
    }

    fn confirm(&self, asked: Timestamp) {
        let until = asked.after(KNOWN_FOR).as_millis();
        self.known_until.store(until, Ordering::Release);
    }

    /// Replaces what is in memory by what is stored. Answers where the log goes on.
    async fn read_all(&self) -> Result<Cursor, StoreError> {
        // Changes during the scan are read again from the log.
        let at = Cursor::after(self.registry.extent().await?.latest);
        let known = self.revocations.targets();
        let mut found = List::default();
        let revoked = self.entries_below(target::FOLDER).await?;
        for (key, entry) in &revoked {
            if let Some(target) = Target::parse(key) {
                found.add(target, target_before(key, entry)?);
            }
        }
        self.revocations.replace(&known, found);
        let mut quotas = HashMap::new();
        for (key, entry) in &self.entries_below(quotas::FOLDER).await? {
            if let Some(user) = quotas::user_of(key) {
                quotas.insert(user, parse::<OwnQuota>(key, entry)?);
            }
        }
        self.replace_quotas(quotas);
        Ok(at)
    }

    async fn entries_below(&self, folder: &str) -> Result<Vec<(Key, Entry)>, StoreError> {
        let Ok(prefix) = Prefix::parse(&format!("{folder}/")) else {
            return Ok(Vec::new());
        };
        let mut entries = Vec::new();
        let mut after = None;
        loop {
            let page = self.registry.page(&prefix, after, PageLimit::MAX).await?;
            entries.extend(page.items.into_iter().filter_map(|item| match item {
                Item::Entry(key, entry) => Some((key, entry)),
                _ => None,
            }));
            after = page.next;
            if after.is_none() {
                return Ok(entries);
            }
        }
    }

    /// Takes over the present state of a record that has changed, which later changes may have made another one: a
    /// revocation that ended and was made again must not be taken away for a moment.
    async fn take_over(&self, key: &Key) -> Result<(), StoreError> {
        if let Some(target) = Target::parse(key) {
            match self.registry.get(key).await? {
                Some(entry) => self.revocations.add(target, target_before(key, &entry)?),
                None => self.revocations.remove(&target),
            }
        } else if let Some(user) = quotas::user_of(key) {
            let entry = self.registry.get(key).await?;
            let own = entry.map(|entry| parse(key, &entry)).transpose()?;
            self.take_over_quota(user, own);
        }
        Ok(())
    }
}

impl Follower {
    /// Follows until the future is dropped.
    pub(crate) async fn run(mut self) {
        loop {
            let asked = self.records.clock.now();
            let changed = self.records.registry.listen().await;
            match self.catch_up().await {
                Ok(()) if self.is_shared => self.records.confirm(asked),
                Ok(()) => {}
                Err(error) => tracing::warn!(%error, "the list of revoked tokens can't be read"),
            }
            tokio::select! {
                () = tokio::time::sleep(ASK_EVERY) => {}
                () = async { match changed {
                    Ok(signal) => signal.await,
                    // The next question is asked in time all the same.
                    Err(_) => std::future::pending().await,
                } } => {}
                Some(used) = self.uses.recv() => self.note(used).await,
            }
        }
    }

    /// Reads the log to its end.
    async fn catch_up(&mut self) -> Result<(), StoreError> {
        let Self { records, at, .. } = self;
        loop {
            let latest = records.registry.extent().await?.latest;
            if *at >= Cursor::after(latest) {
                return Ok(());
            }
            match records.registry.changes(*at).await {
                Ok(found) => {
                    for change in &found.changes {
                        records.take_over(&change.key).await?;
                    }
                    *at = found.next;
                }
                Err(StoreError::Compacted { .. }) => *at = records.read_all().await?,
                Err(error) => return Err(error),
            }
        }
    }

    async fn note(&self, used: Used) {
        if let Err(failure) = self.records.write_down(used).await {
            let error = failure.message();
            tracing::warn!(error, "the last use of a token could not be written down");
        }
    }
}

/// The instant before which the tokens of a record were issued.
fn target_before(key: &Key, entry: &Entry) -> Result<Timestamp, StoreError> {
    let record: Revocation = parse(key, entry)?;
    Ok(record.before())
}

#[cfg(test)]
mod tests;
