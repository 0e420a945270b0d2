//! Damage in the files of the trees, and how it is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::embedded::options::Tuning;
use crate::embedded::storage::database::{Database, Table};

/// A store with one row in the files of each of two trees, that is closed.
fn written() -> (tempfile::TempDir, Folder) {
    let folder = tempfile::tempdir().unwrap();
    let taken = Arc::new(Folder::take(folder.path()).unwrap());
    let database = Database::open(&taken, Tuning::once(1 << 20)).unwrap();
    let mut batch = database.batch();
    for table in [Table::Expiry, Table::Namespaces] {
        batch.put(table, b"key".to_vec(), b"row".to_vec());
    }
    assert!(batch.write().is_ok());
    database.settle().unwrap();
    database.close();
    drop(taken);
    let taken = Folder::take(folder.path()).unwrap();
    (folder, taken)
}

/// True if the row is there once the store is open, or why it can't be opened.
fn row(folder: Folder) -> Result<bool, OpenError> {
    let database = Database::open(&Arc::new(folder), Tuning::once(1 << 20))?;
    let found = database.snapshot().get(Table::Namespaces, b"key").unwrap();
    Ok(found.is_some())
}

fn trees(folder: &Path) -> Vec<PathBuf> {
    let trees = fs::read_dir(folder.join("store/index")).unwrap();
    trees.map(|tree| tree.unwrap().path()).collect()
}

#[test]
fn a_flipped_bit_in_any_byte_of_a_manifest_is_refused() {
    let (folder, taken) = written();
    let mut flipped = 0;
    for tree in trees(folder.path()) {
        let current = fs::read(tree.join("current")).unwrap();
        let manifest = u64::from_le_bytes(*current.first_chunk().unwrap());
        for file in ["current".to_owned(), format!("v{manifest}")] {
            let path = tree.join(file);
            let whole = fs::read(&path).unwrap();
            for at in 0..whole.len() {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << (at % 8);
                fs::write(&path, bytes).unwrap();
                let result = examine_index(&taken);
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
    assert!(row(taken).unwrap());
}

#[test]
fn a_manifest_that_is_missing_is_named() {
    let (folder, taken) = written();
    fs::remove_file(folder.path().join("store/index/expiry/current")).unwrap();
    match row(taken) {
        Err(OpenError::DamagedFile { file, how, .. }) => {
            assert_eq!(file, "store/index/expiry/current");
            assert!(how.contains("missing"), "{how}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_table_that_is_damaged_or_missing_is_named() {
    let (folder, taken) = written();
    let tables = folder.path().join("store/index/namespaces/tables");
    let table = fs::read_dir(tables).unwrap().next().unwrap().unwrap();
    let table = table.path();
    let file = table.strip_prefix(folder.path()).unwrap();
    let file = file.display().to_string();
    let whole = fs::read(&table).unwrap();
    let mut bytes = whole.clone();
    bytes[whole.len() / 2] ^= 1;
    fs::write(&table, bytes).unwrap();
    let mut found = Vec::new();
    compare_files(&taken, &mut |damaged| found.push(damaged.file)).unwrap();
    assert_eq!(found, std::slice::from_ref(&file));
    fs::remove_file(&table).unwrap();
    match row(taken) {
        Err(OpenError::DamagedFile { file: named, .. }) => assert_eq!(named, file),
        other => panic!("{other:?}"),
    }
}
