//! Rows are read back as they were written, and damage to them is noticed.

use prominence_core::{Job, Key, Namespace};

use bytes::Bytes;
use prominence_core::entry::{Entry, Metadata};
use prominence_core::{Value, WriteId};

use prominence_core::change::{Put, PutState};

use super::*;
use crate::row::{VERSION, states};

fn key() -> Vec<u8> {
    let namespace = Namespace::parse("alice").unwrap();
    keys::entry(&namespace, &Key::parse("/a/b").unwrap())
}

fn entry() -> Entry {
    let value = Value::stored(Bytes::from_static(b"\0some bytes\xff"));
    Entry {
        metadata: Metadata {
            revision: Revision::new(77),
            created: Timestamp::from_millis(1_000),
            modified: Timestamp::from_millis(2_000),
            expires: Some(Timestamp::from_millis(3_000)),
            job: Some(Job::parse("job-7").unwrap()),
            claimed_until: Some(Timestamp::from_millis(4_000)),
            claims: 3,
            claimed_by: Some(Job::parse("worker-3").unwrap()),
            write_id: Some(WriteId::parse(b"0123456789abcdef").unwrap()),
            size: value.len(),
        },
        value,
    }
}

fn change() -> (Vec<u8>, Change) {
    let at = Cursor {
        revision: Revision::new(9),
        index: 2,
    };
    let change = Change {
        at,
        key: Key::parse("/a").unwrap(),
        kind: put(12, states(&Job::parse("job-7").unwrap()).pop()),
        job: Some(Job::parse("job-7").unwrap()),
        time: Timestamp::from_millis(5),
    };
    let namespace = Namespace::parse("alice").unwrap();
    (keys::change(&namespace, at), change)
}

fn put(size: usize, state: Option<PutState>) -> ChangeKind {
    ChangeKind::Put(Put { size, state })
}

fn space() -> NamespaceRow {
    NamespaceRow {
        usage: Usage {
            keys: 1,
            bytes: 2,
            revision: Revision::new(3),
        },
        log_rows: 4,
        log_floor: Cursor {
            revision: Revision::new(5),
            index: 6,
        },
    }
}

/// Every row that differs from `row` in one bit, and every beginning of it.
fn damages(row: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let flips = (0..row.len() * 8).map(|bit| {
        let mut damaged = row.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        damaged
    });
    let cuts = (0..row.len()).map(|length| row[..length].to_vec());
    flips.chain(cuts)
}

fn is_corrupt<T>(read: &Result<T, StoreError>) -> bool {
    matches!(read, Err(StoreError::Corrupt { .. }))
}

#[test]
fn an_entry_is_read_back_with_and_without_its_optional_fields() {
    let full = entry();
    for fields in 0..64 {
        let mut entry = full.clone();
        if fields & 1 == 0 {
            entry.metadata.expires = None;
        }
        if fields & 2 == 0 {
            entry.metadata.claimed_until = None;
        }
        if fields & 4 == 0 {
            entry.metadata.job = None;
        }
        if fields & 8 == 0 {
            entry.metadata.claims = 0;
        }
        if fields & 16 == 0 {
            entry.metadata.claimed_by = None;
        }
        if fields & 32 == 0 {
            entry.metadata.write_id = None;
        }
        let row = Bytes::from(encode_entry(&key(), &entry));
        assert_eq!(decode_entry(&key(), &row).unwrap(), entry);
    }
}

#[test]
fn an_empty_value_is_read_back() {
    let mut entry = entry();
    entry.value = Value::stored(Bytes::new());
    entry.metadata.size = 0;
    let row = Bytes::from(encode_entry(&key(), &entry));
    assert_eq!(decode_entry(&key(), &row).unwrap(), entry);
}

#[test]
fn every_flipped_bit_and_every_cut_of_an_entry_is_noticed() {
    let row = encode_entry(&key(), &entry());
    for damaged in damages(&row) {
        assert!(is_corrupt(&decode_entry(&key(), &Bytes::from(damaged))));
    }
}

#[test]
fn an_entry_under_another_key_is_noticed() {
    let row = Bytes::from(encode_entry(&key(), &entry()));
    for other in damages(&key()) {
        assert!(is_corrupt(&decode_entry(&other, &row)));
    }
}

#[test]
fn changes_of_every_kind_are_read_back() {
    let (key, change) = change();
    let states = states(&Job::parse("job-7").unwrap());
    let puts = states.into_iter().map(|state| put(0, Some(state)));
    let others = [put(16_384, None), ChangeKind::Delete, ChangeKind::Expire];
    for kind in puts.chain(others) {
        for job in [None, change.job.clone()] {
            let change = Change {
                kind: kind.clone(),
                job,
                ..change.clone()
            };
            let row = encode_change(&key, &change);
            assert_eq!(decode_changes(&key, &row).unwrap(), [change]);
        }
    }
}

#[test]
fn many_deletions_are_read_back_from_one_row() {
    let (_, change) = change();
    let at = |index| Cursor { index, ..change.at };
    let key = keys::change(&Namespace::parse("alice").unwrap(), at(6));
    let deleted: Vec<_> = ["/a", "/b/c", "/é"]
        .map(|key| Key::parse(key).unwrap())
        .into();
    for job in [None, change.job.clone()] {
        let row = encode_deletions(&key, job.as_ref(), change.time, &deleted);
        let changes = decode_changes(&key, &row).unwrap();
        assert_eq!(changes.len(), 3);
        for ((index, key), found) in (4..).zip(&deleted).zip(changes) {
            assert_eq!(found.at, at(index));
            assert_eq!(&found.key, key);
            assert_eq!(found.kind, ChangeKind::Delete);
            assert_eq!((found.job, found.time), (job.clone(), change.time));
        }
        for damaged in damages(&row) {
            assert!(is_corrupt(&decode_changes(&key, &damaged)));
        }
    }
    // More than there is room for before their place.
    let early = keys::change(&Namespace::parse("alice").unwrap(), at(1));
    let row = encode_deletions(&early, None, change.time, &deleted);
    assert!(is_corrupt(&decode_changes(&early, &row)));
}

#[test]
fn the_state_of_a_deletion_is_read_back() {
    let progress = Progress {
        namespace: Namespace::parse("alice").unwrap(),
        prefix: Prefix::parse("/a/").unwrap(),
        author: change().1.job,
        time: Timestamp::from_millis(3),
        revision: Revision::new(4),
        keys: 5,
        bytes: 6,
    };
    let row = encode_progress(&progress);
    assert_eq!(decode_progress(&row).unwrap(), progress);
    assert!(
        damages(&row)
            .into_iter()
            .all(|damaged| is_corrupt(&decode_progress(&damaged)))
    );
}

#[test]
fn every_flipped_bit_and_every_cut_of_the_other_rows_is_noticed() {
    let (key, change) = change();
    for damaged in damages(&encode_change(&key, &change)) {
        assert!(is_corrupt(&decode_changes(&key, &damaged)));
    }
    for damaged in damages(&encode_namespace(b"alice\0", &space())) {
        assert!(is_corrupt(&decode_namespace(b"alice\0", &damaged)));
    }
    for damaged in damages(&encode_expiry(b"row", 8)) {
        assert!(is_corrupt(&decode_expiry(b"row", &damaged)));
    }
    let floor = Timestamp::from_millis(123);
    for damaged in damages(&encode_expiry_floor(floor)) {
        assert!(is_corrupt(&decode_expiry_floor(&damaged)));
    }
}

#[test]
fn the_small_rows_are_read_back() {
    let row = encode_namespace(b"alice\0", &space());
    assert_eq!(decode_namespace(b"alice\0", &row).unwrap(), space());
    let row = encode_expiry(b"row", 8);
    assert_eq!(decode_expiry(b"row", &row).unwrap(), 8);
    let floor = Timestamp::from_millis(123);
    let row = encode_expiry_floor(floor);
    assert_eq!(decode_expiry_floor(&row).unwrap(), floor);
}

#[test]
fn a_row_of_another_kind_or_version_is_not_taken_for_one_of_this() {
    let as_expiry = encode_expiry(keys::EXPIRY_FLOOR, 123);
    assert!(is_corrupt(&decode_expiry_floor(&as_expiry)));
    let mut row = Row(vec![VERSION + 1]);
    row.u64(1);
    let row = row.finish(Kind::Expiry, b"row");
    let read = decode_expiry(b"row", &row);
    assert!(read.unwrap_err().to_string().contains("version"));
}
