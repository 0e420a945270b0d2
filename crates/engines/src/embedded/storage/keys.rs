//! The keys of the stored rows.
//!
//! | keyspace | key |
//! | --- | --- |
//! | entries | namespace, 0, key |
//! | log | namespace, 0, revision (8 bytes), index (4 bytes) |
//! | expiry | instant (8 bytes), namespace, 0, key |
//! | namespaces | namespace, 0; and one row under [`EXPIRY_FLOOR`] |
//!
//! Numbers are big-endian, so that the order of the bytes is the order of the numbers. A
//! namespace can't contain U+0000, so the 0 ends it and none is a prefix of another.

use prominence_core::{Cursor, Key, Namespace, Prefix, Revision, Timestamp};

/// The key of the expiry floor. No namespace begins with U+0000.
pub(in crate::embedded) const EXPIRY_FLOOR: &[u8] = b"\0expiry floor";

/// The key of the progress of a deletion in pieces.
pub(in crate::embedded) const DELETION: &[u8] = b"\0deletion";

/// Sorts after every key of the `namespaces` keyspace that is not a namespace's.
pub(in crate::embedded) const FIRST_NAMESPACE: &[u8] = b"\x01";

/// The end of a namespace.
const END: u8 = 0;

/// A namespace's row, and the start of all its entries and changes.
pub(in crate::embedded) fn namespace(namespace: &Namespace) -> Vec<u8> {
    joined(namespace, b"")
}

/// An entry's row.
pub(in crate::embedded) fn entry(namespace: &Namespace, key: &Key) -> Vec<u8> {
    joined(namespace, key.as_str().as_bytes())
}

/// The start of the rows of all entries under a prefix.
pub(in crate::embedded) fn entries(namespace: &Namespace, prefix: &Prefix) -> Vec<u8> {
    joined(namespace, prefix.as_str().as_bytes())
}

/// A change's row.
pub(in crate::embedded) fn change(namespace: &Namespace, at: Cursor) -> Vec<u8> {
    let mut key = joined(namespace, &at.revision.get().to_be_bytes());
    key.extend_from_slice(&at.index.to_be_bytes());
    key
}

/// The row in the expiry index.
pub(in crate::embedded) fn expiry(instant: Timestamp, namespace: &Namespace, key: &Key) -> Vec<u8> {
    let mut row = instant_start(instant).to_vec();
    row.extend_from_slice(&entry(namespace, key));
    row
}

/// The start of all rows of one instant in the expiry index.
pub(in crate::embedded) fn instant_start(instant: Timestamp) -> [u8; 8] {
    instant.as_millis().to_be_bytes()
}

/// The first key after all that begin with `prefix`; `None` where there is none.
pub(in crate::embedded) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

/// The key in an entry's row.
pub(in crate::embedded) fn read_entry(namespace: &Namespace, row: &[u8]) -> Option<Key> {
    let key = row.strip_prefix(namespace.as_str().as_bytes())?;
    Key::stored(key.strip_prefix(&[END])?)
}

/// The place in a change's row.
pub(in crate::embedded) fn read_change(row: &[u8]) -> Option<Cursor> {
    let (rest, index) = row.split_last_chunk()?;
    let (_, revision) = rest.split_last_chunk()?;
    Some(Cursor {
        revision: Revision::new(u64::from_be_bytes(*revision)),
        index: u32::from_be_bytes(*index),
    })
}

/// The instant and the key in a row of the expiry index.
pub(in crate::embedded) fn read_expiry(row: &[u8]) -> Option<(Timestamp, Namespace, Key)> {
    let (instant, rest) = row.split_first_chunk()?;
    let end = rest.iter().position(|byte| *byte == END)?;
    let namespace = read_namespace(&rest[..=end])?;
    let key = Key::stored(&rest[end + 1..])?;
    let instant = Timestamp::from_millis(u64::from_be_bytes(*instant));
    Some((instant, namespace, key))
}

/// The namespace in a namespace's row.
pub(in crate::embedded) fn read_namespace(row: &[u8]) -> Option<Namespace> {
    let name = std::str::from_utf8(row.strip_suffix(&[END])?).ok()?;
    Namespace::stored(name).ok()
}

/// The bytes in the place of a namespace's name in a row of any table but the expiry index.
pub(in crate::embedded) fn name_of(row: &[u8]) -> &[u8] {
    let end = row.iter().position(|byte| *byte == END);
    &row[..end.unwrap_or(row.len())]
}

fn joined(namespace: &Namespace, rest: &[u8]) -> Vec<u8> {
    let name = namespace.as_str().as_bytes();
    let mut row = Vec::with_capacity(name.len() + 1 + rest.len());
    row.extend_from_slice(name);
    row.push(END);
    row.extend_from_slice(rest);
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Namespace {
        Namespace::parse(name).unwrap()
    }

    #[test]
    fn every_row_key_is_read_back() {
        let space = name("a/b é");
        let key = Key::parse("/x/ÿ").unwrap();
        let at = Cursor {
            revision: Revision::new(258),
            index: 3,
        };
        let instant = Timestamp::from_millis(1_700_000_000_123);
        assert_eq!(
            read_entry(&space, &entry(&space, &key)).as_ref(),
            Some(&key)
        );
        assert_eq!(read_change(&change(&space, at)), Some(at));
        assert_eq!(read_namespace(&namespace(&space)).as_ref(), Some(&space));
        let row = expiry(instant, &space, &key);
        assert_eq!(read_expiry(&row), Some((instant, space, key)));
    }

    #[test]
    fn no_namespace_reaches_into_another() {
        let key = Key::parse("/k").unwrap();
        for (one, other) in [("alice", "alice2"), ("a", "a/k"), ("é", "éé")] {
            let all = namespace(&name(one));
            assert!(!entry(&name(other), &key).starts_with(&all));
            assert_eq!(read_entry(&name(one), &entry(&name(other), &key)), None);
        }
    }

    #[test]
    fn changes_sort_by_revision_and_index() {
        let space = name("alice");
        let row = |revision, index| {
            let revision = Revision::new(revision);
            change(&space, Cursor { revision, index })
        };
        let sorted = [row(0, 5), row(1, 0), row(1, 256), row(256, 1), row(257, 0)];
        assert!(sorted.is_sorted());
    }

    #[test]
    fn the_key_after_a_prefix_follows_everything_under_it() {
        assert_eq!(after_prefix(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(after_prefix(b"a\xff\xff"), Some(b"b".to_vec()));
        assert_eq!(after_prefix(b"\xff"), None);
    }

    #[test]
    fn a_key_stored_in_another_form_is_not_accepted() {
        let space = name("alice");
        assert_eq!(read_entry(&space, b"alice\0/a//b"), None);
        assert_eq!(read_entry(&space, b"alice\0a"), None);
        assert_eq!(read_entry(&space, b"alice\0/\xff"), None);
    }
}
