//! The writer's cache of its namespace: all of it as of one head.
//!
//! Every commit replaces the head, so whatever was read with a head stays true for as long as the
//! head is the same, which each write compares. Changes of other processes come in from the records
//! of the log, so that the rest of the cache survives them.

use std::collections::BTreeMap;
use std::sync::Arc;

use prominence_core::entry::Metadata;
use prominence_core::{ChangeKind, Entry, Key, Namespace, Prefix, Revision, StoreError};

use super::entry_cache::{EntryCache, MemoryBudget};
use crate::claim_index::{ClaimIndex, ClaimState, ScannedTo};
use crate::etcd::keys::{Keys, NamespaceKeys, Range};
use crate::etcd::query::{Answers, Found, RangeQuery};
use crate::etcd::records::{Content, Head, Record, decode_entry};

/// Rows that are read at once to find a claim. Values come with them, so this is some MiB at most.
const CANDIDATE_ROWS: usize = 128;

/// Records of the log that are read to learn what other processes wrote. Where there are more, the
/// cache is cleared.
const MAX_RECORDS: usize = 128;

/// Keys that are read in one transaction, with which come at most three more queries. etcd takes
/// 128.
const MAX_KEYS_AT_ONCE: usize = 120;

/// The cache of one writer.
pub(super) struct NamespaceCache {
    keys: Keys,
    pub(super) namespace: Namespace,
    pub(super) claim_index: ClaimIndex,
    /// The head, and the cluster's revision that wrote it; `None` before the first read, and after
    /// a write whose fate is unknown.
    head: Option<(i64, Head)>,
    entries: EntryCache,
    /// True if the head was read since [`NamespaceCache::mark_stale`].
    is_fresh: bool,
}

/// Reads that have to come before a group can be planned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MissingReads {
    pub(super) keys: Vec<Key>,
    /// The keys under a prefix, from a place on, for a claim.
    pub(super) candidates: Option<(Prefix, String)>,
}

/// The changes of a transaction, once it is done.
pub(super) struct HeadChange {
    pub(super) head: Head,
    pub(super) entries: ChangedEntries,
    /// True if the head's ticket is in the log as well.
    pub(super) is_logged: bool,
}

/// The entries that a transaction changes.
pub(super) enum ChangedEntries {
    /// Each changed key with its new entry, or without one.
    Some(BTreeMap<Key, Option<Entry>>),
    /// More than are worth listing.
    Many,
}

impl MissingReads {
    pub(super) fn of_keys(keys: Vec<Key>) -> Self {
        Self {
            keys,
            candidates: None,
        }
    }

    /// In parts that fit into one transaction each; at least one.
    pub(super) fn parts(&self) -> Vec<Self> {
        let chunks = self.keys.chunks(MAX_KEYS_AT_ONCE);
        let mut parts: Vec<_> = chunks.map(|keys| Self::of_keys(keys.to_vec())).collect();
        match parts.last_mut() {
            Some(last) => last.candidates = self.candidates.clone(),
            None => parts.push(self.clone()),
        }
        parts
    }
}

impl NamespaceCache {
    pub(super) fn new(
        keys: Keys,
        namespace: Namespace,
        claim_index: ClaimIndex,
        budget: Arc<MemoryBudget>,
    ) -> Self {
        Self {
            keys,
            namespace,
            claim_index,
            head: None,
            entries: EntryCache::new(budget),
            is_fresh: false,
        }
    }

    pub(super) fn keys(&self) -> NamespaceKeys<'_> {
        self.keys.of(&self.namespace)
    }

    /// The head, and the cluster's revision that wrote it.
    pub(super) fn head(&self) -> Option<(i64, Head)> {
        self.head
    }

    /// An entry, or that there is none; `None` where it has to be read.
    pub(super) fn entry(&self, key: &Key) -> Option<Option<&Entry>> {
        self.entries.entry(key)
    }

    /// The metadata of an entry, which may be known where its value is not.
    pub(super) fn metadata(&self, key: &Key) -> Option<Option<&Metadata>> {
        self.entries.metadata(key)
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// Begins a new request: other processes may have written since the last read, and entries
    /// that were read for the last request get no longer life than any others.
    pub(super) fn mark_stale(&mut self) {
        self.is_fresh = false;
        self.entries.evict();
    }

    /// Drops all but the head and the metadata of keys.
    pub(super) fn shrink(&mut self) {
        self.entries.shrink();
    }

    /// Drops everything. The next read clears the claim index as well.
    pub(super) fn clear(&mut self) {
        self.head = None;
        self.is_fresh = false;
        self.clear_entries();
    }

    fn clear_entries(&mut self) {
        self.entries.clear();
        self.claim_index.forget(&self.namespace);
    }

    /// The queries for the head, for what others wrote since, and for what is missing.
    pub(super) fn queries(&self, missing: &MissingReads) -> Vec<RangeQuery> {
        let keys = self.keys();
        let known = self.head.map(|(_, head)| head.usage.revision);
        let since = keys.log_from(known.unwrap_or(Revision::ZERO).next());
        let log = RangeQuery::range(&since);
        let mut queries = vec![
            RangeQuery::row(keys.head()),
            match known {
                Some(_) => log.limit(MAX_RECORDS),
                // Without a head there is nothing to bring up to date.
                None => log.limit(1).keys_only(),
            },
        ];
        let rows = missing.keys.iter().map(|key| keys.entry(key));
        queries.extend(rows.map(RangeQuery::row));
        queries.extend(missing.candidates.iter().map(|(prefix, from)| {
            let rows = Range {
                start: keys.entries_from(from.as_bytes()),
                end: keys.entries(prefix).end,
            };
            RangeQuery::range(&rows).limit(CANDIDATE_ROWS)
        }));
        queries
    }

    /// Takes in the answers to [`NamespaceCache::queries`]. Returns the records that others wrote
    /// since the head that was known, as far as they were read.
    pub(super) fn learn(
        &mut self,
        missing: &MissingReads,
        answers: &mut Answers,
    ) -> Result<Vec<Record>, StoreError> {
        let records = self.learn_head(answers)?;
        for key in &missing.keys {
            let row_key = self.keys().entry(key);
            let row = answers.next_row();
            let entry = row.map(|row| decode_entry(&row_key, row)).transpose()?;
            self.entries.insert(key.clone(), entry);
        }
        if let Some((prefix, from)) = &missing.candidates {
            let page = answers.next();
            self.learn_candidates(prefix, from, page)?;
        }
        Ok(records)
    }

    fn learn_head(&mut self, answers: &mut Answers) -> Result<Vec<Record>, StoreError> {
        let head_key = self.keys().head();
        let row = answers.next_row();
        let written = row.as_ref().map_or(0, |row| row.mod_revision());
        let head = Head::of_row(&head_key, row)?;
        let log = answers.next();
        self.is_fresh = true;
        let Some((written_before, before)) = self.head.replace((written, head)) else {
            // The changes since the cache and the claim index were filled are not known.
            self.clear_entries();
            return Ok(Vec::new());
        };
        if written_before == written {
            return Ok(Vec::new());
        }
        let records = log.rows.iter();
        let records = records.map(|row| Record::decode(row.key(), row.value()));
        let records: Vec<_> = records.collect::<Result<_, _>>()?;
        match states_between(before.usage.revision, head.usage.revision, &records) {
            Some(states) => {
                for (key, _) in &states {
                    self.entries.remove(key);
                }
                self.claim_index.update(&self.namespace, states.into_iter());
            }
            None => self.clear_entries(),
        }
        Ok(records)
    }

    fn learn_candidates(
        &mut self,
        prefix: &Prefix,
        from: &str,
        page: Found,
    ) -> Result<(), StoreError> {
        let mut states = Vec::with_capacity(page.rows.len());
        for row in page.rows {
            let row_key = row.key().to_vec();
            let key = self.keys().read_entry(&row_key)?;
            let entry = decode_entry(&row_key, row)?;
            states.push((key.clone(), ClaimState::of(&entry.metadata)));
            self.entries.insert(key, Some(entry));
        }
        // The last key of a page that is cut belongs to the next page.
        let last = states.pop_if(|_| page.is_cut);
        let end = last.map_or(ScannedTo::End, |(key, _)| ScannedTo::Before(key));
        // A key that the prefix hides is never claimed through it.
        states.retain(|(key, _)| prefix.shows(key));
        let namespace = &self.namespace;
        self.claim_index
            .extend(namespace, prefix, from, states, end);
        Ok(())
    }

    /// Takes in what a transaction of this writer changed.
    pub(super) fn apply(&mut self, revision: i64, change: Option<HeadChange>) {
        let Some(change) = change else {
            return;
        };
        self.head = Some((revision, change.head));
        let ChangedEntries::Some(changed) = change.entries else {
            self.clear_entries();
            return;
        };
        let state = |entry: &Entry| ClaimState::of(&entry.metadata);
        let states = changed.iter();
        let states = states.map(|(key, entry)| (key, entry.as_ref().map(state)));
        self.claim_index.update(&self.namespace, states);
        for (key, entry) in changed {
            self.entries.insert(key, entry);
        }
        self.entries.evict();
    }
}

/// The keys that were changed after one revision and up to another, each with its claim state
/// afterwards or without one, where the records hold all of these changes and states.
fn states_between(
    known: Revision,
    now: Revision,
    records: &[Record],
) -> Option<Vec<(&Key, Option<ClaimState>)>> {
    let mut last = known;
    let mut states = Vec::new();
    for record in records {
        let Content::Inline(commits) = &record.content else {
            return None;
        };
        for commit in commits {
            if commit.revision != last.next() {
                return None;
            }
            last = commit.revision;
            for change in &commit.changes {
                let state = match &change.kind {
                    ChangeKind::Put(put) => Some(ClaimState::of_put(put.state.as_ref()?)),
                    ChangeKind::Delete | ChangeKind::Expire => None,
                };
                states.push((&change.key, state));
            }
        }
    }
    (last == now).then_some(states)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etcd::options::Root;
    use crate::row::tests::entry;

    // A caller whose conditions fail has every key read and nothing written.
    #[test]
    fn entries_that_were_read_for_nothing_are_evicted() {
        let namespace = Namespace::parse("alice").unwrap();
        let keys = Keys::new(&Root::default());
        let mut cache = NamespaceCache::new(keys, namespace, ClaimIndex::default(), Arc::default());
        let key = |number| Key::parse(&format!("/{number}")).unwrap();
        for number in 0..1_000 {
            cache.entries.insert(key(number), Some(entry(1_000)));
            cache.mark_stale();
        }
        let whole = (0..1_000).filter(|number| cache.entry(&key(*number)).is_some());
        assert!(whole.count() < 300);
        assert!((0..1_000).all(|number| cache.metadata(&key(number)).is_some()));
    }
}
