//! Folders of the latest format, and backups of all, are read as they were written.
//!
//! `tests/fixtures` has a folder for each format that was ever released; `upgrade.rs` has the tests of
//! earlier ones. When one of these tests fails, people's data is at stake: the program needs a
//! migration, not the fixture a change. A new format gets a new folder; `examples/fixture.rs` says how.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use prominence_engines::embedded::check::check_folder;
use prominence_engines::embedded::{restore, verify};

use crate::fixture::{END, describe, open};

pub(crate) fn formats() -> Vec<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut formats: Vec<_> = fs::read_dir(all)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    formats.sort();
    assert!(formats.len() >= 3, "there are fixtures of each format");
    formats
}

/// The fixture of the format that new stores have.
fn latest() -> PathBuf {
    formats().pop().unwrap()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
            // Git keeps no empty folders.
            let parent = to.parent().unwrap();
            if parent.ends_with("keyspaces") || parent.ends_with("index") {
                fs::create_dir_all(to.join("tables")).unwrap();
            }
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

pub(crate) async fn content(folder: &Path) -> String {
    let store = open(folder, END).unwrap();
    let content = describe(&store).await.unwrap();
    store.close();
    content
}

#[tokio::test]
async fn a_store_of_the_latest_format_opens_and_serves_all_that_was_written() {
    let format = latest();
    let expected = fs::read_to_string(format.join("content.txt")).unwrap();
    for folder in ["written", "restored"] {
        let place = tempfile::tempdir().unwrap();
        copy(&format.join(folder), place.path());
        let checked = check_folder(place.path(), &mut |_| {}).unwrap();
        assert_eq!(checked.findings, []);
        let found = content(place.path()).await;
        assert_eq!(found, expected, "{}/{folder}", format.display());
    }
}

#[tokio::test]
async fn a_backup_of_every_format_restores_all_that_was_written() {
    for format in formats() {
        let expected = fs::read_to_string(format.join("content.txt")).unwrap();
        let place = tempfile::tempdir().unwrap();
        let backup = || File::open(format.join("backup")).unwrap();
        let restored = restore(place.path(), backup()).unwrap();
        assert_eq!(verify(backup()).unwrap(), restored);
        assert_eq!(restored.made, END);
        assert_eq!(
            content(place.path()).await,
            expected,
            "{}",
            format.display()
        );
    }
}

#[tokio::test]
async fn what_expired_in_an_old_store_is_removed_and_logged_by_the_new_program() {
    for format in formats() {
        let place = tempfile::tempdir().unwrap();
        restore(place.path(), File::open(format.join("backup")).unwrap()).unwrap();
        let store = open(place.path(), END).unwrap();
        store.sweep().await.unwrap();
        let after = describe(&store).await.unwrap();
        let expired = after.lines().filter(|line| line.contains("kind: Expire"));
        // One in each namespace but that in which everything was deleted.
        assert_eq!(expired.count(), 2, "{}", format.display());
    }
}
