//! What one writer knows of its namespace: all of it as of one head.
//!
//! Every commit replaces the head, so whatever was read stays true for as long as the head is the
//! same, which each write compares.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use etcd_client::{KeyValue, TxnOp};
use prominence_core::entry::Metadata;
use prominence_core::{Entry, Key, Namespace, Prefix, Revision, StoreError};

use super::kept::{Kept, Room};
use super::keys::{Keys, Range};
use super::members::{Found, Read, RowContent, Wanted, range, row};
use super::records::{Content, Head, Logged, Record};
use crate::claim_index::ClaimIndex;
use crate::row;

/// Rows that are read at once to find work. Values come with them, so this is some MiB at most.
const CLAIM_CHUNK: usize = 128;

/// Records of the log that are read to learn what others wrote. Where there are more, looking for
/// work starts again.
const MAX_CAUGHT_UP: usize = 128;

/// Keys that are read in one transaction, with which come at most three more questions. etcd
/// takes 128.
const MAX_KEYS_AT_ONCE: usize = 120;

/// What is known of a namespace.
pub(super) struct Known {
    /// `None` before the first read, and after a write of which nothing is known.
    head: Option<(i64, Head)>,
    kept: Kept,
    chunk: Option<Chunk>,
    /// Whether the head was read, and not only remembered.
    is_fresh: bool,
}

/// Stored keys in order from a place on, as far as they were read.
pub(super) struct Chunk {
    prefix: Prefix,
    from: String,
    pub(super) entries: BTreeMap<Key, Metadata>,
    /// Whether there are more behind them.
    is_cut: bool,
}

/// What has to be read before a group can be planned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) keys: Vec<Key>,
    /// Work under a prefix, from a place on.
    pub(super) work: Option<(Prefix, String)>,
}

impl Need {
    /// In parts that fit into one transaction each; at least one.
    pub(super) fn parts(&self) -> Vec<Need> {
        let mut parts: Vec<_> = self
            .keys
            .chunks(MAX_KEYS_AT_ONCE)
            .map(|keys| Need {
                keys: keys.to_vec(),
                work: None,
            })
            .collect();
        match parts.last_mut() {
            Some(last) => last.work = self.work.clone(),
            None => parts.push(self.clone()),
        }
        parts
    }
}

impl Chunk {
    /// What to ask for to read the same again.
    pub(super) fn need(&self) -> (Prefix, String) {
        (self.prefix.clone(), self.from.clone())
    }

    /// Whether it tells what comes first from a place on.
    pub(super) fn tells_from(&self, prefix: &Prefix, from: &str) -> bool {
        let is_before_end = self.cut().is_none_or(|cut| from < cut.as_str());
        self.prefix == *prefix && self.from.as_str() <= from && is_before_end
    }

    /// The last of its keys where there are more behind it.
    pub(super) fn cut(&self) -> Option<&Key> {
        let (last, _) = self.entries.last_key_value().filter(|_| self.is_cut)?;
        Some(last)
    }

    /// Whether a key is, or would be, one of those that were read.
    fn reaches(&self, key: &Key) -> bool {
        let is_within = self.cut().is_none_or(|cut| key <= cut);
        self.prefix.matches(key) && self.from.as_str() <= key.as_str() && is_within
    }

    /// Takes in how a key stands now; says whether the rest can still be told by it.
    fn note(&mut self, key: &Key, metadata: Option<&Metadata>) -> bool {
        if !self.reaches(key) {
            return true;
        }
        match metadata {
            Some(metadata) => self.entries.insert(key.clone(), metadata.clone()),
            None if self.cut() == Some(key) => return false,
            None => self.entries.remove(key),
        };
        self.entries.len() <= 2 * CLAIM_CHUNK
    }
}

impl Known {
    /// Nothing yet.
    pub(super) fn new(room: Arc<Room>) -> Self {
        Self {
            head: None,
            kept: Kept::new(room),
            chunk: None,
            is_fresh: false,
        }
    }

    /// The head, and the cluster's revision that wrote it.
    pub(super) fn head(&self) -> Option<(i64, Head)> {
        self.head
    }

    /// An entry, or that there is none; `None` where it has to be read.
    pub(super) fn entry(&self, key: &Key) -> Option<Option<&Entry>> {
        self.kept.entry(key)
    }

    /// The same of an entry's metadata, which may be known where its value is not.
    pub(super) fn metadata(&self, key: &Key) -> Option<Option<&Metadata>> {
        self.kept.metadata(key)
    }

    pub(super) fn chunk(&self) -> Option<&Chunk> {
        self.chunk.as_ref()
    }

    /// Whether the head was read since [`Known::age`].
    pub(super) fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// Says that something new begins: what is known may have been outdated by others, and what was
    /// read for the last that came of nothing is no more worth keeping than anything else.
    pub(super) fn age(&mut self) {
        self.is_fresh = false;
        self.kept.settle();
    }

    /// Lets go of everything but the head and what is known of keys without their values.
    pub(super) fn rest(&mut self) {
        self.chunk = None;
        self.kept.rest();
    }

    pub(super) fn forget(&mut self) {
        self.head = None;
        self.kept.clear();
        self.chunk = None;
        self.is_fresh = false;
    }

    /// What has to be asked to learn the head, what others wrote, and what is needed.
    pub(super) fn questions(&self, keys: &Keys, namespace: &Namespace, need: &Need) -> Vec<TxnOp> {
        let mut questions = self.questions_of_others(keys, namespace);
        for key in &need.keys {
            questions.push(row(keys.entry(namespace, key), 0));
        }
        if let Some((prefix, from)) = &need.work {
            let rows = Range {
                start: keys.entries_from(namespace, from.as_bytes()),
                end: keys.entries(namespace, prefix).end,
            };
            let wanted = Wanted {
                limit: CLAIM_CHUNK,
                ..Wanted::default()
            };
            questions.push(range(&rows, wanted));
        }
        questions
    }

    /// The two questions that come first: for the head, and for what others wrote since.
    fn questions_of_others(&self, keys: &Keys, namespace: &Namespace) -> Vec<TxnOp> {
        let known = self
            .head
            .map_or(Revision::ZERO, |(_, head)| head.usage.revision);
        let (limit, content) = match self.head {
            Some(_) => (MAX_CAUGHT_UP, RowContent::All),
            None => (1, RowContent::Keys),
        };
        let since = keys.log_from(namespace, known.next());
        let wanted = Wanted {
            limit,
            content,
            revision: 0,
        };
        vec![row(keys.head(namespace), 0), range(&since, wanted)]
    }

    /// Takes in the answers to [`Known::questions`]. Gives the records that others wrote since the
    /// head that was known, as far as they were read.
    pub(super) fn learn(
        &mut self,
        keys: &Keys,
        namespace: &Namespace,
        need: &Need,
        read: Read,
        claim_index: &ClaimIndex,
    ) -> Result<Vec<Record>, StoreError> {
        let mut found = read.found.into_iter();
        let (head, log) = (
            found.next().unwrap_or_default(),
            found.next().unwrap_or_default(),
        );
        let records = self.learn_head(keys, namespace, head, log, claim_index)?;
        for key in &need.keys {
            let row_key = keys.entry(namespace, key);
            let row = found.next().and_then(|found| found.rows.into_iter().next());
            let entry = row.map(|row| decode_entry(&row_key, row)).transpose()?;
            self.kept.insert(key.clone(), entry);
        }
        if let (Some((prefix, from)), Some(rows)) = (&need.work, found.next()) {
            let mut entries = BTreeMap::new();
            for row in rows.rows {
                let row_key = row.key().to_vec();
                let key = keys
                    .read_entry(namespace, &row_key)
                    .ok_or_else(|| row::damaged(row::Kind::Entry, &row_key, "has no legal key"))?;
                let entry = decode_entry(&row_key, row)?;
                entries.insert(key.clone(), entry.metadata.clone());
                self.kept.insert(key, Some(entry));
            }
            self.chunk = Some(Chunk {
                prefix: prefix.clone(),
                from: from.clone(),
                entries,
                is_cut: rows.is_cut,
            });
        }
        Ok(records)
    }

    fn learn_head(
        &mut self,
        keys: &Keys,
        namespace: &Namespace,
        found: Found,
        log: Found,
        claim_index: &ClaimIndex,
    ) -> Result<Vec<Record>, StoreError> {
        let key = keys.head(namespace);
        let head = match found.rows.first() {
            Some(row) => (row.mod_revision(), Head::decode(&key, row.value())?),
            None => (0, Head::default()),
        };
        self.is_fresh = true;
        let Some((before, known)) = self.head.replace(head) else {
            // Nothing says whether what is remembered of work is still true.
            claim_index.forget(namespace);
            self.kept.clear();
            self.chunk = None;
            return Ok(Vec::new());
        };
        if before == head.0 {
            return Ok(Vec::new());
        }
        let mut records = Vec::new();
        for row in &log.rows {
            records.push(Record::decode(row.key(), row.value())?);
        }
        let changed = changes_between(known.usage.revision, head.1.usage.revision, &records);
        match changed {
            Some(changes) => {
                for change in &changes {
                    self.kept.forget(&change.key);
                    self.chunk.take_if(|chunk| chunk.reaches(&change.key));
                }
                let states = changes
                    .iter()
                    .map(|change| (&change.key, change.claim_state));
                claim_index.update(namespace, states);
            }
            None => {
                self.kept.clear();
                self.chunk = None;
                claim_index.forget(namespace);
            }
        }
        Ok(records)
    }

    /// Takes in what this writer wrote: the new head, and how the keys stand.
    pub(super) fn wrote(
        &mut self,
        revision: i64,
        head: Head,
        written: impl IntoIterator<Item = (Key, Option<Entry>)>,
    ) {
        self.head = Some((revision, head));
        for (key, entry) in written {
            let metadata = entry.as_ref().map(|entry| &entry.metadata);
            self.chunk.take_if(|chunk| !chunk.note(&key, metadata));
            self.kept.insert(key, entry);
        }
        self.kept.settle();
    }
}

/// What was changed after one revision and up to another, where the records tell of all of it.
fn changes_between(known: Revision, now: Revision, records: &[Record]) -> Option<Vec<&Logged>> {
    let mut told = known;
    let mut changes = Vec::new();
    for record in records {
        let Content::Here(commits) = &record.content else {
            return None;
        };
        for commit in commits {
            if commit.revision != told.next() {
                return None;
            }
            told = commit.revision;
            changes.extend(&commit.changes);
        }
    }
    (told == now).then_some(changes)
}

/// The entry in a row. Its value shares its bytes with the row.
pub(super) fn decode_entry(key: &[u8], row: KeyValue) -> Result<Entry, StoreError> {
    let (_, value) = row.into_key_value();
    row::decode_entry(key, &Bytes::from(value))
}

#[cfg(test)]
mod tests {
    use prominence_core::{Timestamp, Value};

    use super::*;

    // A caller whose conditions fail has every key read and nothing written.
    #[test]
    fn what_is_read_for_nothing_is_not_kept_for_ever() {
        let mut known = Known::new(Arc::default());
        let key = |number| Key::parse(&format!("/{number}")).unwrap();
        let value = Value::stored(vec![b'v'; 1_000].into());
        let metadata = Metadata {
            revision: Revision::new(1),
            created: Timestamp::from_secs(1),
            modified: Timestamp::from_secs(1),
            expires: None,
            job: None,
            claimed_until: None,
            claims: 0,
            claimed_by: None,
            write_id: None,
            size: value.len(),
        };
        let entry = Entry { value, metadata };
        for number in 0..1_000 {
            known.kept.insert(key(number), Some(entry.clone()));
            known.age();
        }
        let whole = (0..1_000).filter(|number| known.entry(&key(*number)).is_some());
        assert!(whole.count() < 300);
        assert!((0..1_000).all(|number| known.metadata(&key(number)).is_some()));
    }
}
