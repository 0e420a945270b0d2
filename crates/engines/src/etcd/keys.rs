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

/// Makes the keys of one namespace.
#[derive(Clone, Copy, Debug)]
pub(super) struct NamespaceKeys<'a> {
    keys: &'a Keys,
    namespace: &'a Namespace,
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

    /// The keys of one namespace.
    pub(super) fn of<'a>(&'a self, namespace: &'a Namespace) -> NamespaceKeys<'a> {
        NamespaceKeys {
            keys: self,
            namespace,
        }
    }

    /// The entries of all namespaces.
    pub(super) fn all_entries(&self) -> Range {
        self.all(b"/kv/")
    }

    /// All heads after a namespace's, or all of them.
    pub(super) fn heads(&self, after: Option<&Namespace>) -> Range {
        let all = self.all(b"/head/");
        let start = after.map_or(all.start, |after| next(self.of(after).head()));
        Range { start, ..all }
    }

    pub(super) fn read_head(&self, key: &[u8]) -> Option<Namespace> {
        read_namespace(self.rest(key, b"/head/")?)
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

    /// The commit that wrote a hint.
    pub(super) fn read_due(&self, key: &[u8]) -> Option<Revision> {
        let (_, revision) = self.rest(key, b"/due/")?.split_last_chunk()?;
        Some(Revision::new(u64::from_be_bytes(*revision)))
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

    fn joined(&self, parts: &[&[u8]]) -> Vec<u8> {
        [&[self.root.as_slice()], parts].concat().concat()
    }
}

impl NamespaceKeys<'_> {
    pub(super) fn head(self) -> Vec<u8> {
        self.of(b"/head/", &[])
    }

    /// The row of the contention mark.
    pub(super) fn contention(self) -> Vec<u8> {
        self.of(b"/turn/", &[])
    }

    pub(super) fn entry(self, key: &Key) -> Vec<u8> {
        self.of(b"/kv/", &[key.as_str().as_bytes()])
    }

    /// The entries under a prefix.
    pub(super) fn entries(self, prefix: &Prefix) -> Range {
        Range::with_prefix(self.entries_from(prefix.as_str().as_bytes()))
    }

    /// The start of the entries whose keys sort from a text on.
    pub(super) fn entries_from(self, from: &[u8]) -> Vec<u8> {
        self.of(b"/kv/", &[from])
    }

    pub(super) fn read_entry(self, key: &[u8]) -> Result<Key, StoreError> {
        let start = self.of(b"/kv/", &[]);
        let text = key.strip_prefix(start.as_slice());
        let read = text.and_then(Key::stored);
        read.ok_or_else(|| damaged(Kind::Entry, key, "has no legal key"))
    }

    pub(super) fn log(self, revision: Revision) -> Vec<u8> {
        self.of(b"/log/", &[&revision.get().to_be_bytes()])
    }

    /// The log from the record of this revision on.
    pub(super) fn log_from(self, revision: Revision) -> Range {
        Range {
            start: self.log(revision),
            ..Range::with_prefix(self.of(b"/log/", &[]))
        }
    }

    /// The records up to and including that of this revision.
    pub(super) fn log_through(self, revision: Revision) -> Range {
        Range {
            start: self.of(b"/log/", &[]),
            end: next(self.log(revision)),
        }
    }

    pub(super) fn part(self, ticket: Ticket, number: u32) -> Vec<u8> {
        let number = number.to_be_bytes();
        self.of(b"/part/", &[&ticket.bytes(), &number])
    }

    /// All parts of the record with this ticket.
    pub(super) fn parts(self, ticket: Ticket) -> Range {
        Range {
            start: self.part(ticket, 0),
            end: next(self.part(ticket, u32::MAX)),
        }
    }

    pub(super) fn due(self, instant: Timestamp, revision: Revision) -> Vec<u8> {
        let instant = instant.as_millis().to_be_bytes();
        let revision = revision.get().to_be_bytes();
        self.of(b"/due/", &[&instant, &revision])
    }

    /// The hints of keys that expire at an instant or before.
    pub(super) fn due_by(self, instant: Timestamp) -> Range {
        let end = instant.as_millis().saturating_add(1).to_be_bytes();
        Range {
            start: self.of(b"/due/", &[]),
            end: self.of(b"/due/", &[&end]),
        }
    }

    pub(super) fn wake(self, instant: Timestamp) -> Vec<u8> {
        let name = self.namespace.as_str().as_bytes();
        let instant = instant.as_millis().to_be_bytes();
        self.keys.joined(&[b"/wake/", &instant, name, &[END]])
    }

    fn of(self, table: &[u8], rest: &[&[u8]]) -> Vec<u8> {
        let name = self.namespace.as_str().as_bytes();
        let start = self.keys.joined(&[table, name, &[END]]);
        [&[start.as_slice()], rest].concat().concat()
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
    Namespace::stored(std::str::from_utf8(name).ok()?).ok()
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
        let entry = keys.of(&space).entry(&key);
        assert_eq!(keys.of(&space).read_entry(&entry).unwrap(), key);
        let revision = Revision::new(258);
        let log = keys.of(&space).log(revision);
        assert_eq!(keys.read_log(&log), Some((space.clone(), revision)));
        assert_eq!(keys.read_head(&keys.of(&space).head()), Some(space.clone()));
        let instant = Timestamp::from_millis(1_700_000_000_123);
        let due = keys.of(&space).due(instant, revision);
        assert_eq!(keys.read_due(&due), Some(revision));
        let wake = keys.of(&space).wake(instant);
        assert_eq!(keys.read_wake(&wake), Some((instant, space)));
    }

    #[test]
    fn no_namespace_reaches_into_another() {
        let keys = keys();
        let key = Key::parse("/k").unwrap();
        let now = Timestamp::from_secs(1);
        for (one, other) in [("alice", "alice2"), ("a", "a/k"), ("é", "éé")] {
            let (one, other) = (name(one), name(other));
            let (one, other) = (keys.of(&one), keys.of(&other));
            let entries = one.entries(&Prefix::everything());
            assert!(!holds(&entries, &other.entry(&key)));
            let log = one.log_from(Revision::ZERO);
            assert!(!holds(&log, &other.log(Revision::new(1))));
            let due = one.due_by(Timestamp::MAX);
            assert!(!holds(&due, &other.due(now, Revision::new(1))));
            assert!(one.read_entry(&other.entry(&key)).is_err());
        }
    }

    #[test]
    fn ranges_end_where_they_should() {
        let (all, space) = (keys(), name("alice"));
        let keys = all.of(&space);
        let log = |revision| keys.log(Revision::new(revision));
        let through = keys.log_through(Revision::new(256));
        assert!(holds(&through, &log(1)) && holds(&through, &log(256)));
        assert!(!holds(&through, &log(257)));
        let from = keys.log_from(Revision::new(256));
        assert!(!holds(&from, &log(255)) && holds(&from, &log(u64::MAX)));
        let due = keys.due_by(Timestamp::from_millis(5));
        let hint = |millis| keys.due(Timestamp::from_millis(millis), Revision::new(9));
        assert!(holds(&due, &hint(5)) && !holds(&due, &hint(6)));
        let heads = all.heads(Some(&space));
        assert!(!holds(&heads, &keys.head()));
        assert!(holds(&heads, &all.of(&name("alice2")).head()));
        assert!(!holds(&all.heads(None), &keys.wake(Timestamp::MAX)));
    }
}
