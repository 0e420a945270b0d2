//! Stores of earlier formats become stores of the latest one, whatever interrupts that.

use std::fs;
use std::path::Path;

use prominence_engines::embedded::check::check_folder;
use prominence_engines::embedded::{OpenError, UpgradeError, Upgraded, upgrade};

use crate::fixture::{END, open};
use crate::formats::{content, copy, formats};

/// The line of the latest format.
const LATEST: &str = "prominence-kv 3\n";

/// A copy of a store of an earlier format, and what is in it.
fn earlier() -> Vec<(tempfile::TempDir, String)> {
    let earlier = formats().into_iter().map(|format| {
        let place = tempfile::tempdir().unwrap();
        copy(&format.join("written"), place.path());
        let content = fs::read_to_string(format.join("content.txt")).unwrap();
        (place, content)
    });
    earlier.collect()
}

fn line(folder: &Path) -> String {
    fs::read_to_string(folder.join("FORMAT")).unwrap()
}

#[tokio::test]
async fn a_store_of_every_earlier_format_is_upgraded_with_all_that_it_holds() {
    for (place, expected) in earlier() {
        let mut steps = 0;
        let Upgraded::Now(copied) = upgrade(place.path(), END, &mut || steps += 1).unwrap() else {
            panic!("it is said to have the latest format");
        };
        assert_eq!(copied.entries, steps);
        assert_eq!(line(place.path()), LATEST);
        assert!(!place.path().join("store.upgraded").exists());
        assert!(!place.path().join("store/keyspaces").exists());
        let checked = check_folder(place.path(), &mut |_| {}).unwrap();
        assert_eq!(checked.findings, []);
        assert_eq!(content(place.path()).await, expected);
        let again = upgrade(place.path(), END, &mut || {}).unwrap();
        assert_eq!(again, Upgraded::Before);
        assert_eq!(content(place.path()).await, expected);
    }
}

#[tokio::test]
async fn an_upgrade_that_was_interrupted_before_its_end_leaves_the_old_store() {
    for (place, expected) in earlier() {
        let before = line(place.path());
        let draft = place.path().join("store.upgraded/store/log");
        fs::create_dir_all(&draft).unwrap();
        fs::write(draft.join("manifest"), "half of it").unwrap();
        assert_eq!(line(place.path()), before);
        assert_eq!(content(place.path()).await, expected);
        upgrade(place.path(), END, &mut || {}).unwrap();
        assert_eq!(content(place.path()).await, expected);
    }
}

/// The moments after the new store is the store, and before its files are in their place.
#[tokio::test]
async fn an_upgrade_that_was_interrupted_at_its_end_is_finished_when_the_store_is_opened() {
    for (place, expected) in earlier() {
        let old = tempfile::tempdir().unwrap();
        copy(place.path(), old.path());
        upgrade(place.path(), END, &mut || {}).unwrap();
        let upgraded = place.path().join("store.upgraded");
        for is_old_removed in [false, true] {
            fs::create_dir(&upgraded).unwrap();
            fs::rename(place.path().join("store"), upgraded.join("store")).unwrap();
            if !is_old_removed {
                copy(&old.path().join("store"), &place.path().join("store"));
            }
            assert_eq!(content(place.path()).await, expected);
            assert!(!upgraded.exists());
        }
        // All is done but the removal of an empty folder.
        fs::create_dir(&upgraded).unwrap();
        assert_eq!(content(place.path()).await, expected);
        assert!(!upgraded.exists());
    }
}

#[tokio::test]
async fn a_store_that_is_damaged_or_open_or_missing_is_not_upgraded() {
    let empty = tempfile::tempdir().unwrap();
    let refused = upgrade(empty.path(), END, &mut || {}).unwrap_err();
    assert!(
        matches!(refused, UpgradeError::Open(OpenError::NoStore { .. })),
        "{refused}"
    );
    let (place, expected) = earlier().remove(0);
    let store = open(place.path(), END).unwrap();
    let refused = upgrade(place.path(), END, &mut || {}).unwrap_err();
    assert!(
        matches!(refused, UpgradeError::Open(OpenError::Locked { .. })),
        "{refused}"
    );
    store.close();
    assert_eq!(content(place.path()).await, expected);
    fs::write(place.path().join("store/keyspaces/1/current"), "nothing").unwrap();
    let refused = upgrade(place.path(), END, &mut || {}).unwrap_err();
    let is_damaged = matches!(refused, UpgradeError::Open(OpenError::DamagedFile { .. }));
    assert!(is_damaged, "{refused}");
    assert_ne!(line(place.path()), LATEST);
}
