//! What a power cut leaves, in the smallest cases.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use prominence_engines::EmbeddedStore;
use prominence_engines::embedded::OpenError;

use crate::layout;
use crate::support::{clock, get, open, options, put};

/// Bytes of a value: several sectors.
const VALUE: usize = 4_000;

fn journal(folder: &Path) -> PathBuf {
    folder.join(layout::FIRST_COMMITS)
}

fn used(folder: &Path) -> usize {
    let bytes = fs::read(journal(folder)).unwrap();
    bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1)
}

/// A store as a killed process leaves it, in another folder; its commits' ends in the journal.
async fn killed(keys: &[&str]) -> (tempfile::TempDir, Vec<usize>) {
    let (live, left) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(live.path());
    let mut ends = Vec::new();
    for key in keys {
        put(&store, key, vec![b'v'; VALUE]).await.unwrap();
        ends.push(used(live.path()));
    }
    let copied = std::process::Command::new("cp")
        .args(["--recursive", "--sparse=always", "--no-target-directory"])
        .args([live.path(), left.path()])
        .status();
    assert!(copied.unwrap().success());
    store.close();
    (left, ends)
}

fn overwrite(folder: &Path, at: usize, bytes: &[u8]) {
    let file = OpenOptions::new()
        .write(true)
        .open(journal(folder))
        .unwrap();
    file.write_all_at(bytes, at as u64).unwrap();
}

#[tokio::test]
async fn a_last_commit_that_lacks_a_sector_in_its_midst_is_left_out() {
    let (folder, ends) = killed(&["/acknowledged", "/torn"]).await;
    let sector = ends[0].next_multiple_of(512) + 1_024;
    assert!(sector + 512 < ends[1]);
    overwrite(folder.path(), sector, &[0; 512]);

    let store = open(folder.path());
    assert_eq!(get(&store, "/acknowledged").await, Some(vec![b'v'; VALUE]));
    assert_eq!(get(&store, "/torn").await, None);
    put(&store, "/later", "1").await.unwrap();
    store.close();
    assert_eq!(
        get(&open(folder.path()), "/later").await,
        Some(b"1".to_vec())
    );
}

#[tokio::test]
async fn a_commit_that_lacks_a_sector_and_has_another_behind_it_is_damage() {
    let (folder, ends) = killed(&["/damaged", "/acknowledged"]).await;
    overwrite(
        folder.path(),
        ends[0].next_multiple_of(512) - 1_536,
        &[0; 512],
    );

    let Err(refused) = EmbeddedStore::open(options(folder.path()), clock()) else {
        panic!("an acknowledged commit was left out in silence");
    };
    let OpenError::DamagedFile { file, .. } = refused else {
        panic!("{refused}");
    };
    assert_eq!(file, layout::FIRST_COMMITS);
}

#[tokio::test]
async fn a_store_that_was_half_made_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).close();
    fs::rename(folder.path().join("store"), folder.path().join("store.new")).unwrap();
    let missing = layout::FIRST_READ;
    let missing = missing.replacen("store", "store.new", 1);
    fs::remove_file(folder.path().join(missing)).unwrap();

    put(&open(folder.path()), "/x", "1").await.unwrap();
    assert!(!folder.path().join("store.new").exists());
}

#[tokio::test]
async fn the_last_commits_are_written_again_after_an_end_that_was_not_clean_and_only_then() {
    let (folder, _) = killed(&["/x"]).await;
    let state = || layout::renewal(folder.path());
    let left = state();
    open(folder.path()).close();
    let renewed = state();
    assert_ne!(renewed, left);
    open(folder.path()).close();
    assert_eq!(state(), renewed);
}
