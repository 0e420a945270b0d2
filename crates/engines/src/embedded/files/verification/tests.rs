//! The formats of fjall that are relied on, and what is told apart.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::embedded::options::Tuning;
use crate::embedded::storage::database::{Database, Table};

/// Bytes of the end of a batch.
const END: usize = 13;

/// Writes batches with these values, one row each, and closes as a crash does: without a word.
fn written(values: &[&[u8]]) -> (tempfile::TempDir, Folder) {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::sync::Arc::new(Folder::take(folder.path()).unwrap());
    let database = Database::open(&taken, Tuning::once(1 << 20)).unwrap();
    for (n, value) in values.iter().enumerate() {
        let mut batch = database.batch();
        batch.put(Table::Entries, format!("k{n}").into_bytes(), value.to_vec());
        assert!(batch.write().is_ok());
    }
    drop(database);
    drop(taken);
    let taken = Folder::take(folder.path()).unwrap();
    (folder, taken)
}

fn journal(folder: &Path) -> PathBuf {
    let mut journals: Vec<_> = fs::read_dir(folder.join("store"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == "jnl"))
        .collect();
    assert_eq!(journals.len(), 1);
    journals.remove(0)
}

/// What was written, without the zeros that are reserved behind it.
fn content(path: &Path) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    bytes.truncate(end);
    bytes
}

/// How many rows of [`written`] are there once the store is open, or why it isn't.
fn rows(folder: Folder) -> Result<usize, OpenError> {
    let database = Database::open(&std::sync::Arc::new(folder), Tuning::once(1 << 20))?;
    let snapshot = database.snapshot();
    let is_there = |n: &usize| {
        let key = format!("k{n}");
        snapshot
            .get(Table::Entries, key.as_bytes())
            .unwrap()
            .is_some()
    };
    Ok((0..10).take_while(is_there).count())
}

fn refused(folder: Folder) -> (String, String) {
    match rows(folder) {
        Err(OpenError::DamagedFile { file, how, .. }) => (file, how),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_journal_is_what_the_scan_takes_it_for() {
    let (folder, taken) = written(&[b"one", &[7; 20_000], b""]);
    let bytes = content(&journal(folder.path()));
    let mut rest = bytes.as_slice();
    let mut batches = Vec::new();
    while let Ok(found) = batch::read(&mut rest, &mut xxhash_rust::xxh3::Xxh3::new()) {
        batches.push(found);
    }
    assert_eq!(rest, b"", "all of it are batches");
    assert_eq!(batches.len(), 3);
    // Start, item without key and value, key, value, end.
    let length = |value: u64| 13 + 21 + 2 + value + END as u64;
    let lengths: Vec<_> = batches.iter().map(|batch| batch.length).collect();
    assert_eq!(lengths, [length(3), length(20_000), length(0)]);
    assert!(batches.is_sorted_by_key(|batch| batch.sequence));
    assert_eq!(rows(taken).unwrap(), 3);
}

#[test]
fn every_flipped_bit_in_the_middle_of_a_journal_is_refused() {
    let (folder, taken) = written(&[b"first", b"second", b"third"]);
    let path = journal(folder.path());
    let whole = content(&path);
    let last = whole.len() - (13 + 21 + 2 + 5 + END);
    let mut folder_of = Some(taken);
    for bit in 0..last * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &bytes).unwrap();
        let taken = folder_of.take().unwrap();
        let result = examine(&taken);
        let in_batch = (bit / 8) % (whole.len() / 3);
        // A step of the sequence number that keeps the order does no harm.
        let is_number = (5..13).contains(&in_batch);
        match result {
            Err(OpenError::DamagedFile { file, .. }) => assert!(file.ends_with(".jnl")),
            Err(other) => panic!("bit {bit}: {other}"),
            Ok(()) => assert!(is_number, "bit {bit} went unnoticed"),
        }
        assert_eq!(
            fs::read(&path).unwrap(),
            bytes,
            "what is refused is left alone"
        );
        folder_of = Some(taken);
    }
}

#[test]
fn the_end_of_a_last_batch_that_a_crash_tore_is_cut_off() {
    let (folder, taken) = written(&[b"first", b"second", &[9; 5_000]]);
    let path = journal(folder.path());
    let whole = content(&path);
    let last = whole.len() - (13 + 21 + 2 + 5_000 + END);
    drop(taken);
    // Cut short after any number of bytes, followed by nothing or by reserved zeros; or with a
    // sector missing.
    let mut torn = Vec::new();
    for length in [last + 1, last + 13, last + 20, last + 600, whole.len() - 1] {
        torn.push(whole[..length].to_vec());
        torn.push([&whole[..length], &[0; 3_000]].concat());
    }
    for sector in (last / 512 + 1)..whole.len() / 512 {
        let mut bytes = whole.clone();
        bytes[sector * 512..(sector + 1) * 512].fill(0);
        torn.push(bytes);
    }
    let mut first = whole.clone();
    first[last..last.next_multiple_of(512)].fill(0);
    torn.push(first);
    for bytes in torn {
        fs::write(&path, &bytes).unwrap();
        examine(&Folder::take(folder.path()).unwrap()).unwrap();
        let left = fs::read(&path).unwrap();
        assert_eq!(content(&path), &whole[..last]);
        assert!(left.len() <= bytes.len());
    }
    assert_eq!(rows(Folder::take(folder.path()).unwrap()).unwrap(), 2);
}

#[test]
fn a_last_batch_of_which_nothing_is_missing_was_not_torn() {
    let (folder, taken) = written(&[b"first", &[9; 5_000]]);
    let path = journal(folder.path());
    let mut bytes = content(&path);
    let at = bytes.len() - 1_000;
    bytes[at] ^= 4;
    fs::write(&path, &bytes).unwrap();
    let (file, how) = refused(taken);
    assert!(file.ends_with(".jnl"));
    assert!(how.contains("fails its checksum"), "{how}");
}

#[test]
fn an_older_journal_is_not_torn_by_a_crash() {
    let (folder, taken) = written(&[b"first", b"second"]);
    let path = journal(folder.path());
    let bytes = content(&path);
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    fs::write(path.with_file_name("99.jnl"), [0; 4_096]).unwrap();
    refused(taken);
}

#[test]
fn in_a_store_that_was_closed_nothing_is_torn() {
    for damage in [0, 1, 2] {
        let (folder, taken) = written(&[b"first", b"second"]);
        note_closed(&taken).unwrap();
        let path = journal(folder.path());
        let bytes = content(&path);
        match damage {
            0 => fs::write(&path, &bytes[..bytes.len() - 1]).unwrap(),
            1 => fs::write(&path, &bytes[..bytes.len() / 2]).unwrap(),
            _ => fs::remove_file(&path).unwrap(),
        }
        refused(taken);
    }
    let (folder, taken) = written(&[b"first", b"second"]);
    note_closed(&taken).unwrap();
    assert_eq!(rows(taken).unwrap(), 2);
    assert!(!folder.path().join("CLOSED").exists(), "it is out of date");
}

#[test]
fn a_note_that_is_damaged_does_not_stop_the_store() {
    let (folder, taken) = written(&[b"first"]);
    note_closed(&taken).unwrap();
    let path = folder.path().join("CLOSED");
    let mut bytes = fs::read(&path).unwrap();
    bytes[12] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(rows(taken).unwrap(), 1);
}

#[test]
fn a_flipped_bit_in_any_byte_of_a_manifest_is_refused() {
    let (folder, taken) = written(&[b"first"]);
    let keyspaces = folder.path().join("store/keyspaces");
    let mut flipped = 0;
    for keyspace in fs::read_dir(keyspaces).unwrap() {
        let keyspace = keyspace.unwrap().path();
        let current = fs::read(keyspace.join("current")).unwrap();
        let manifest = u64::from_le_bytes(*current.first_chunk().unwrap());
        for file in ["current".to_owned(), format!("v{manifest}")] {
            let path = keyspace.join(file);
            let whole = fs::read(&path).unwrap();
            for at in 0..whole.len() {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << (at % 8);
                fs::write(&path, bytes).unwrap();
                let result = examine(&taken);
                assert!(
                    matches!(result, Err(OpenError::DamagedFile { .. })),
                    "byte {at} of {}",
                    path.display()
                );
                flipped += 1;
            }
            fs::write(&path, whole).unwrap();
        }
    }
    assert!(flipped > 500);
    assert_eq!(rows(taken).unwrap(), 1);
}

#[test]
fn a_table_that_is_damaged_or_missing_is_named() {
    let (folder, taken) = written(&[b"first"]);
    let tables = folder.path().join("store/keyspaces/0/tables");
    let table = fs::read_dir(tables)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let file = table
        .strip_prefix(folder.path())
        .unwrap()
        .display()
        .to_string();
    let whole = fs::read(&table).unwrap();
    let mut bytes = whole.clone();
    bytes[whole.len() / 2] ^= 1;
    fs::write(&table, bytes).unwrap();
    let mut found = Vec::new();
    compare_files(&taken, &mut |damaged| found.push(damaged.file)).unwrap();
    assert_eq!(found, std::slice::from_ref(&file));
    fs::remove_file(&table).unwrap();
    assert_eq!(refused(taken).0, file);
}
