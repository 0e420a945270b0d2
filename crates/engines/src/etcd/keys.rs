//! The keys of the rows in the cluster.
//!
//! | key, after the root | what it holds |
//! | --- | --- |
//! | `/kv/` namespace, 0, key | an entry |
//! | `/head/` namespace, 0 | what the namespace holds, and its latest revision |
//! | `/log/` namespace, 0, revision (8 bytes) | the changes of the commits up to that revision |
//! | `/part/` namespace, 0, ticket (16 bytes), number (4) | changes of one large commit |
//! | `/due/` namespace, 0, instant (8), revision (8) | keys that expire from then on |
//! | `/wake/` instant (8), namespace, 0 | the namespace has keys that expire then |
//! | `/turn/` namespace, 0 | the contention mark: the process that lost with a write |
//! | `/migration` | how far a migration into this root is; not there before and after one |
//!
//! Numbers are big-endian, so that the order of the bytes is the order of the numbers. A
//! namespace can't contain U+0000, so the 0 ends it and none is a prefix of another.

use prominence_core::{Key, Namespace, Prefix, Revision, StoreError, Timestamp};

use super::options::Root;
use super::ticket::Ticket;
use crate::row::{Kind, damaged};

/// The parts of the keys after the root, of all stored rows.
const TABLES: [&[u8]; 7] = [
    b"/kv/", b"/head/", b"/log/", b"/part/", b"/due/", b"/wake/", b"/turn/",
];

/// The end of a namespace.
const END: u8 = 0;

/// A range of keys, its end excluded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) start: Vec<u8>,
    pub(super) end: Vec<u8>,
}

impl Range {
    /// All keys that begin with a prefix, which never ends in 0xff: it ends in text, in a table's
    /// name, or in the end of a namespace.
    fn with_prefix(start: Vec<u8>) -> Self {
        let mut end = start.clone();
        if let Some(last) = end.last_mut() {
            *last = last.saturating_add(1);
        }
        Self { start, end }
    }
}

/// Makes keys under one root.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    root: Vec<u8>,
}

impl Keys {
    pub(super) fn new(root: &Root) -> Self {
        Self {
            root: root.as_str().as_bytes().to_vec(),
        }
    }

    /// A key without a row, for reads that only ask for the revision of the cluster.
    pub(super) fn probe(&self) -> Vec<u8> {
        self.joined(&[b"/probe"])
    }

    /// The row in which a migration notes its progress.
    pub(super) fn migration(&self) -> Vec<u8> {
        self.joined(&[b"/migration"])
    }

    /// The ranges of all stored rows.
    pub(super) fn tables(&self) -> [Range; TABLES.len()] {
        TABLES.map(|table| self.all(table))
    }

    /// The entries of all namespaces.
    pub(super) fn all_entries(&self) -> Range {
        self.all(b"/kv/")
    }

    pub(super) fn head(&self, namespace: &Namespace) -> Vec<u8> {
        self.of(b"/head/", namespace, &[])
    }

    /// All heads after a namespace's, or all of them.
    pub(super) fn heads(&self, after: Option<&Namespace>) -> Range {
        let all = self.all(b"/head/");
        let start = after.map_or(all.start, |after| next(self.head(after)));
        Range { start, ..all }
    }

    pub(super) fn read_head(&self, key: &[u8]) -> Option<Namespace> {
        read_namespace(self.rest(key, b"/head/")?)
    }

    /// The row of the contention mark.
    pub(super) fn contention(&self, namespace: &Namespace) -> Vec<u8> {
        self.of(b"/turn/", namespace, &[])
    }

    pub(super) fn entry(&self, namespace: &Namespace, key: &Key) -> Vec<u8> {
        self.of(b"/kv/", namespace, &[key.as_str().as_bytes()])
    }

    /// The entries under a prefix.
    pub(super) fn entries(&self, namespace: &Namespace, prefix: &Prefix) -> Range {
        Range::with_prefix(self.entries_from(namespace, prefix.as_str().as_bytes()))
    }

    /// The start of the entries whose keys sort from a text on.
    pub(super) fn entries_from(&self, namespace: &Namespace, from: &[u8]) -> Vec<u8> {
        self.of(b"/kv/", namespace, &[from])
    }

    pub(super) fn read_entry(&self, namespace: &Namespace, key: &[u8]) -> Result<Key, StoreError> {
        let start = self.of(b"/kv/", namespace, &[]);
        let text = key.strip_prefix(start.as_slice());
        let read = text.and_then(Key::stored);
        read.ok_or_else(|| damaged(Kind::Entry, key, "has no legal key"))
    }

    pub(super) fn log(&self, namespace: &Namespace, revision: Revision) -> Vec<u8> {
        self.of(b"/log/", namespace, &[&revision.get().to_be_bytes()])
    }

    /// The log from the record of this revision on.
    pub(super) fn log_from(&self, namespace: &Namespace, revision: Revision) -> Range {
        Range {
            start: self.log(namespace, revision),
            ..Range::with_prefix(self.of(b"/log/", namespace, &[]))
        }
    }

    /// The records up to and including that of this revision.
    pub(super) fn log_through(&self, namespace: &Namespace, revision: Revision) -> Range {
        Range {
            start: self.of(b"/log/", namespace, &[]),
            end: next(self.log(namespace, revision)),
        }
    }

    /// The logs of all namespaces.
    pub(super) fn logs(&self) -> Range {
        self.all(b"/log/")
    }

    pub(super) fn read_log(&self, key: &[u8]) -> Option<(Namespace, Revision)> {
        let (rest, revision) = self.rest(key, b"/log/")?.split_last_chunk()?;
        let namespace = read_namespace(rest)?;
        Some((namespace, Revision::new(u64::from_be_bytes(*revision))))
    }

    pub(super) fn part(&self, namespace: &Namespace, ticket: Ticket, number: u32) -> Vec<u8> {
        let number = number.to_be_bytes();
        self.of(b"/part/", namespace, &[&ticket.bytes(), &number])
    }

    /// All parts of the record with this ticket.
    pub(super) fn parts(&self, namespace: &Namespace, ticket: Ticket) -> Range {
        Range {
            start: self.part(namespace, ticket, 0),
            end: next(self.part(namespace, ticket, u32::MAX)),
        }
    }

    pub(super) fn due(
        &self,
        namespace: &Namespace,
        instant: Timestamp,
        revision: Revision,
    ) -> Vec<u8> {
        let instant = instant.as_millis().to_be_bytes();
        let revision = revision.get().to_be_bytes();
        self.of(b"/due/", namespace, &[&instant, &revision])
    }

    /// The commit that wrote a hint.
    pub(super) fn read_due(&self, key: &[u8]) -> Option<Revision> {
        let (_, revision) = self.rest(key, b"/due/")?.split_last_chunk()?;
        Some(Revision::new(u64::from_be_bytes(*revision)))
    }

    /// The hints of keys that expire at an instant or before.
    pub(super) fn due_by(&self, namespace: &Namespace, instant: Timestamp) -> Range {
        let end = instant.as_millis().saturating_add(1).to_be_bytes();
        Range {
            start: self.of(b"/due/", namespace, &[]),
            end: self.of(b"/due/", namespace, &[&end]),
        }
    }

    pub(super) fn wake(&self, instant: Timestamp, namespace: &Namespace) -> Vec<u8> {
        let name = namespace.as_str().as_bytes();
        let instant = instant.as_millis().to_be_bytes();
        self.joined(&[b"/wake/", &instant, name, &[END]])
    }

    /// The namespaces that have keys which expire at an instant or before.
    pub(super) fn wake_by(&self, instant: Timestamp) -> Range {
        let end = instant.as_millis().saturating_add(1).to_be_bytes();
        Range {
            start: self.joined(&[b"/wake/"]),
            end: self.joined(&[b"/wake/", &end]),
        }
    }

    pub(super) fn read_wake(&self, key: &[u8]) -> Option<(Timestamp, Namespace)> {
        let (instant, name) = self.rest(key, b"/wake/")?.split_first_chunk()?;
        let instant = Timestamp::from_millis(u64::from_be_bytes(*instant));
        Some((instant, read_namespace(name)?))
    }

    fn all(&self, table: &[u8]) -> Range {
        Range::with_prefix(self.joined(&[table]))
    }

    fn rest<'k>(&self, key: &'k [u8], table: &[u8]) -> Option<&'k [u8]> {
        key.strip_prefix(self.root.as_slice())?.strip_prefix(table)
    }

    fn of(&self, table: &[u8], namespace: &Namespace, rest: &[&[u8]]) -> Vec<u8> {
        let name = namespace.as_str().as_bytes();
        let start = self.joined(&[table, name, &[END]]);
        [&[start.as_slice()], rest].concat().concat()
    }

    fn joined(&self, parts: &[&[u8]]) -> Vec<u8> {
        [&[self.root.as_slice()], parts].concat().concat()
    }
}

/// The first key after this one.
pub(super) fn next(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

/// The namespace of a name with its end.
fn read_namespace(ended: &[u8]) -> Option<Namespace> {
    let name = ended.strip_suffix(&[END])?;
    Namespace::parse(std::str::from_utf8(name).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Namespace {
        Namespace::parse(name).unwrap()
    }

    fn keys() -> Keys {
        Keys::new(&Root::default())
    }

    fn holds(range: &Range, key: &[u8]) -> bool {
        range.start.as_slice() <= key && key < range.end.as_slice()
    }

    #[test]
    fn every_key_is_read_back() {
        let (keys, space) = (keys(), name("a/b é"));
        let key = Key::parse("/x/ÿ").unwrap();
        let entry = keys.entry(&space, &key);
        assert_eq!(keys.read_entry(&space, &entry).unwrap(), key);
        let revision = Revision::new(258);
        let log = keys.log(&space, revision);
        assert_eq!(keys.read_log(&log), Some((space.clone(), revision)));
        assert_eq!(keys.read_head(&keys.head(&space)), Some(space.clone()));
        let instant = Timestamp::from_millis(1_700_000_000_123);
        let due = keys.due(&space, instant, revision);
        assert_eq!(keys.read_due(&due), Some(revision));
        let wake = keys.wake(instant, &space);
        assert_eq!(keys.read_wake(&wake), Some((instant, space)));
    }

    #[test]
    fn no_namespace_reaches_into_another() {
        let keys = keys();
        let key = Key::parse("/k").unwrap();
        let now = Timestamp::from_secs(1);
        for (one, other) in [("alice", "alice2"), ("a", "a/k"), ("é", "éé")] {
            let (one, other) = (name(one), name(other));
            let entries = keys.entries(&one, &Prefix::everything());
            assert!(!holds(&entries, &keys.entry(&other, &key)));
            let log = keys.log_from(&one, Revision::ZERO);
            assert!(!holds(&log, &keys.log(&other, Revision::new(1))));
            let due = keys.due_by(&one, Timestamp::MAX);
            assert!(!holds(&due, &keys.due(&other, now, Revision::new(1))));
            assert!(keys.read_entry(&one, &keys.entry(&other, &key)).is_err());
        }
    }

    #[test]
    fn ranges_end_where_they_should() {
        let (keys, space) = (keys(), name("alice"));
        let log = |revision| keys.log(&space, Revision::new(revision));
        let through = keys.log_through(&space, Revision::new(256));
        assert!(holds(&through, &log(1)) && holds(&through, &log(256)));
        assert!(!holds(&through, &log(257)));
        let from = keys.log_from(&space, Revision::new(256));
        assert!(!holds(&from, &log(255)) && holds(&from, &log(u64::MAX)));
        let due = keys.due_by(&space, Timestamp::from_millis(5));
        let hint = |millis| keys.due(&space, Timestamp::from_millis(millis), Revision::new(9));
        assert!(holds(&due, &hint(5)) && !holds(&due, &hint(6)));
        let heads = keys.heads(Some(&space));
        assert!(!holds(&heads, &keys.head(&space)));
        assert!(holds(&heads, &keys.head(&name("alice2"))));
        assert!(!holds(
            &keys.heads(None),
            &keys.wake(Timestamp::MAX, &space)
        ));
    }
}
