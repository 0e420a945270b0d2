//! Backups and restores of the embedded engine.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use prominence_core::{Lifetime, Namespace, Store, StoreError};
use prominence_engines::EmbeddedStore;
use prominence_engines::embedded::{
    BackupError, BackupReadError, OfflineStore, OpenError, Ranking, RestoreError, restore, verify,
};

use crate::fixture;
use crate::support::{alice, clock, get, key, open, options, put, set};

/// A file in memory that can be looked at after the store has written it.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn backup(store: &EmbeddedStore) -> Vec<u8> {
    let kept = Kept::default();
    let made = store.backup(kept.clone()).await.unwrap();
    let bytes = kept.0.lock().unwrap().clone();
    assert_eq!(verify(bytes.as_slice()).unwrap(), made);
    bytes
}

/// A small backup of every kind of record.
async fn small_backup() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for name in ["alice", "bob"] {
        let space = Namespace::parse(name).unwrap();
        for text in ["/a", "/b"] {
            let commit = set(text, "value", Lifetime::Permanent);
            store.commit(&space, None, commit).await.unwrap();
        }
    }
    backup(&store).await
}

#[tokio::test]
async fn a_restored_store_gives_the_same_backup_again() {
    let place = tempfile::tempdir().unwrap();
    fixture::make(place.path()).await.unwrap();
    let first = std::fs::read(place.path().join("backup")).unwrap();
    let second = Kept::default();
    let restored = OfflineStore::open(&place.path().join("restored")).unwrap();
    restored.backup(fixture::END, second.clone()).unwrap();
    assert!(*second.0.lock().unwrap() == first, "the backups differ");
}

#[tokio::test]
async fn every_change_of_a_byte_in_a_backup_is_noticed() {
    let whole = small_backup().await;
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        let found = verify(damaged.as_slice());
        assert!(found.is_err(), "nobody noticed a change of byte {at}");
    }
}

#[tokio::test]
async fn a_backup_that_ends_early_or_goes_on_is_refused_with_the_place() {
    let whole = small_backup().await;
    for length in 0..whole.len() {
        match verify(&whole[..length]) {
            Err(BackupReadError::Truncated { at }) => assert_eq!(at, length as u64),
            Err(BackupReadError::NotABackup) if length < 8 => {}
            other => panic!("cut at {length}: {other:?}"),
        }
    }
    let mut longer = whole.clone();
    longer.push(0);
    let refused = verify(longer.as_slice()).unwrap_err();
    let end = whole.len() as u64;
    assert!(
        matches!(refused, BackupReadError::Damaged { at, .. } if at == end),
        "{refused}"
    );
}

#[tokio::test]
async fn frames_that_were_swapped_repeated_or_left_out_are_noticed() {
    let whole = small_backup().await;
    let frames = frames(&whole);
    assert!(frames.len() > 8, "there is something to swap");
    let head = &whole[..28];
    let join = |frames: Vec<&[u8]>| [head, &frames.concat()].concat();
    assert!(verify(join(frames.clone()).as_slice()).is_ok());
    for n in 0..frames.len() - 1 {
        let mut swapped = frames.clone();
        swapped.swap(n, n + 1);
        assert!(verify(join(swapped).as_slice()).is_err(), "swapped {n}");
        let mut repeated = frames.clone();
        repeated.insert(n, frames[n]);
        assert!(verify(join(repeated).as_slice()).is_err(), "repeated {n}");
        let mut short = frames.clone();
        short.remove(n);
        assert!(verify(join(short).as_slice()).is_err(), "left out {n}");
    }
}

/// The frames as `docs/backup-format.md` describes them: kind, length, body, checksum.
fn frames(backup: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    let mut rest = &backup[28..];
    while !rest.is_empty() {
        let length = u32::from_be_bytes(rest[1..5].try_into().unwrap());
        let (frame, after) = rest.split_at(5 + usize::try_from(length).unwrap() + 8);
        frames.push(frame);
        rest = after;
    }
    frames
}

#[tokio::test]
async fn a_backup_of_a_later_version_is_refused_with_what_to_do() {
    let mut later = small_backup().await;
    later[11] = 3;
    let refused = verify(later.as_slice()).unwrap_err();
    assert!(matches!(
        refused,
        BackupReadError::LaterVersion { found: 3, .. }
    ));
    assert!(refused.to_string().contains("use the version"), "{refused}");
    let refused = verify(b"PK\x03\x04 something else".as_slice()).unwrap_err();
    assert!(matches!(refused, BackupReadError::NotABackup), "{refused}");
}

#[tokio::test]
async fn a_damaged_backup_makes_no_store_and_can_be_replaced_by_a_good_one() {
    let whole = small_backup().await;
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("new");
    let mut damaged = whole.clone();
    let last = whole.len() - 1;
    damaged[last] ^= 1;
    let refused = restore(&folder, damaged.as_slice()).unwrap_err();
    let RestoreError::Backup(BackupReadError::Damaged { .. }) = refused else {
        panic!("{refused}");
    };
    assert_eq!(names(&folder), ["LOCK"]);
    assert!(matches!(
        OfflineStore::open(&folder),
        Err(OpenError::NoStore { .. })
    ));
    restore(&folder, whole.as_slice()).unwrap();
    assert_eq!(names(&folder), ["FORMAT", "LOCK", "store"]);
    assert_eq!(get(&open(&folder), "/a").await, Some(b"value".to_vec()));
}

#[tokio::test]
async fn only_an_empty_folder_or_one_of_a_broken_off_restore_is_restored_into() {
    let whole = small_backup().await;
    let place = tempfile::tempdir().unwrap();
    let refused = |folder: &Path| restore(folder, whole.as_slice()).unwrap_err();

    let used = place.path().join("used");
    open(&used).close();
    assert!(matches!(refused(&used), RestoreError::IsAStore { .. }));
    assert_eq!(get(&open(&used), "/a").await, None);

    let foreign = place.path().join("foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("thesis.tex"), "").unwrap();
    let error = refused(&foreign);
    assert!(matches!(error, RestoreError::NotEmpty { ref found, .. } if found == "thesis.tex"));
    assert_eq!(names(&foreign), ["thesis.tex"]);

    // What the process leaves that dies just before the last step.
    let broken = place.path().join("broken");
    std::fs::create_dir_all(broken.join("restore.draft/store")).unwrap();
    std::fs::create_dir_all(broken.join("store/index")).unwrap();
    let Err(unfinished) = EmbeddedStore::open(options(&broken), clock()) else {
        panic!("an unfinished restore was opened");
    };
    assert!(matches!(unfinished, OpenError::UnfinishedRestore { .. }));
    restore(&broken, whole.as_slice()).unwrap();
    assert_eq!(names(&broken), ["FORMAT", "LOCK", "store"]);
    assert_eq!(get(&open(&broken), "/b").await, Some(b"value".to_vec()));
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A receiver that takes nothing until it is told to.
struct Slow {
    entered: Sender<()>,
    go_on: Receiver<()>,
    kept: Kept,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // Both fail once the test is through with them, and then nothing waits any more.
        let _ = self.entered.send(());
        let _ = self.go_on.recv();
        self.kept.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_of_one_instant_and_commits_do_not_wait_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path()));
    put(&store, "/before", "1").await.unwrap();
    put(&store, "/changed", "1").await.unwrap();
    let (entered, is_entered) = channel();
    let (go_on, may_go_on) = channel();
    let kept = Kept::default();
    let slow = Slow {
        entered,
        go_on: may_go_on,
        kept: kept.clone(),
    };
    let running = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.backup(slow).await.unwrap() }
    });
    tokio::task::spawn_blocking(move || is_entered.recv().unwrap())
        .await
        .unwrap();
    put(&store, "/changed", "2").await.unwrap();
    put(&store, "/after", "2").await.unwrap();
    drop(go_on);
    assert_eq!(running.await.unwrap().entries, 2);

    let restored = tempfile::tempdir().unwrap();
    restore(restored.path(), kept.0.lock().unwrap().as_slice()).unwrap();
    let restored = open(restored.path());
    assert_eq!(get(&restored, "/before").await, Some(b"1".to_vec()));
    assert_eq!(get(&restored, "/changed").await, Some(b"1".to_vec()));
    assert_eq!(get(&restored, "/after").await, None);
    assert_eq!(restored.usage(&alice()).await.unwrap().revision.get(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_backups_run_at_once_and_another_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path()));
    let mut gates = Vec::new();
    let mut running = Vec::new();
    for _ in 0..2 {
        let (entered, is_entered) = channel();
        let (go_on, may_go_on) = channel();
        let slow = Slow {
            entered,
            go_on: may_go_on,
            kept: Kept::default(),
        };
        let store = Arc::clone(&store);
        running.push(tokio::spawn(async move { store.backup(slow).await }));
        gates.push(go_on);
        tokio::task::spawn_blocking(move || is_entered.recv().unwrap())
            .await
            .unwrap();
    }
    let refused = store.backup(std::io::sink()).await.unwrap_err();
    assert!(
        matches!(refused, BackupError::Store(StoreError::Unavailable { .. })),
        "{refused}"
    );
    put(&store, "/a", "1").await.unwrap();
    drop(gates);
    for backup in running {
        backup.await.unwrap().unwrap();
    }
    store.backup(std::io::sink()).await.unwrap();
}

#[tokio::test]
async fn a_receiver_that_fails_ends_the_backup_with_its_error() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put(&store, "/a", vec![1; 100_000]).await.unwrap();
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let failed = store.backup(full).await.unwrap_err();
    assert!(matches!(failed, BackupError::Write(_)), "{failed}");
}

#[tokio::test]
async fn namespaces_are_ranked_and_counted_however_few_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for n in 1..=20_usize {
        let space = Namespace::parse(&format!("user{n:02}")).unwrap();
        for at in 0..n {
            let value = vec![b'x'; 400 / n];
            let commit = set(&format!("/k{at}"), value, Lifetime::Permanent);
            store.commit(&space, None, commit).await.unwrap();
        }
    }
    let list = async |ranking, limit| {
        let limit = NonZeroUsize::new(limit).unwrap();
        store.namespaces(ranking, limit).await.unwrap()
    };
    let names = |found: &prominence_engines::embedded::Namespaces| -> Vec<String> {
        found
            .first
            .iter()
            .map(|(name, _)| name.to_string())
            .collect()
    };
    let by_keys = list(Ranking::Keys, 3).await;
    assert_eq!(names(&by_keys), ["user20", "user19", "user18"]);
    assert_eq!(names(&list(Ranking::Name, 2).await), ["user01", "user02"]);
    assert_eq!((by_keys.count, by_keys.keys), (20, 210));
    let all = list(Ranking::Bytes, 100).await;
    assert_eq!(all.first.len(), 20);
    let bytes: Vec<_> = all.first.iter().map(|(_, usage)| usage.bytes).collect();
    assert!(bytes.is_sorted_by(|one, next| one >= next), "{bytes:?}");
    assert_eq!(bytes.iter().sum::<u64>(), all.bytes);
    let one = list(Ranking::Name, 1).await.first;
    let space = Namespace::parse("user01").unwrap();
    assert_eq!(one[0].1, store.usage(&space).await.unwrap());
}

#[tokio::test]
async fn an_offline_store_is_there_already_and_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    assert!(matches!(
        OfflineStore::open(&missing),
        Err(OpenError::NoStore { .. })
    ));
    assert!(!missing.exists(), "nothing was made");
    let data = folder.path().join("data");
    let store = open(&data);
    put(&store, "/a", "1").await.unwrap();
    assert!(matches!(
        OfflineStore::open(&data),
        Err(OpenError::Locked { .. })
    ));
    drop(store);
    let offline = OfflineStore::open(&data).unwrap();
    let kept = Kept::default();
    assert_eq!(offline.backup(fixture::END, kept).unwrap().entries, 1);
    assert!(matches!(
        EmbeddedStore::open(options(&data), clock()),
        Err(OpenError::Locked { .. })
    ));
    drop(offline);
    let store = open(&data);
    assert!(store.get(&alice(), &key("/a")).await.unwrap().is_some());
}
