//! Opening and closing a store.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use prominence_core::clock::ManualClock;
use prominence_core::error::{Fate, Mismatch};
use prominence_core::{
    Clock as _, Commit, Condition, CountScan, Depth, Lifetime, Operation, Order, PageLimit,
    Precondition, Prefix, Projection, Scan, Store, StoreError, Visibility,
};
use prominence_engines::EmbeddedStore;
use prominence_engines::embedded::OpenError;

use crate::layout;
use crate::support::{
    START, SmallDisk, alice, clock, everything, get, key, open, options, put, set,
};

#[tokio::test]
async fn what_was_committed_is_there_after_close_and_reopen() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for n in 0..100 {
        put(&store, &format!("/k{n}"), vec![n; 1_000])
            .await
            .unwrap();
    }
    let usage = store.usage(&alice()).await.unwrap();
    store.close();

    let store = open(folder.path());
    assert_eq!(store.usage(&alice()).await.unwrap(), usage);
    for n in 0..100 {
        assert_eq!(get(&store, &format!("/k{n}")).await, Some(vec![n; 1_000]));
    }
    let next = put(&store, "/k0", "new").await.unwrap();
    assert!(next.revision > usage.revision);
}

#[tokio::test]
async fn a_closed_store_refuses_everything_and_frees_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put(&store, "/a", "1").await.unwrap();
    store.close();
    store.close();
    let refused = put(&store, "/a", "2").await.unwrap_err();
    assert!(matches!(
        refused,
        StoreError::Unavailable {
            fate: Fate::NotApplied,
            ..
        }
    ));
    assert!(store.usage(&alice()).await.is_err());
    assert!(store.ready().await.is_err());

    let again = open(folder.path());
    assert_eq!(get(&again, "/a").await, Some(b"1".to_vec()));
}

#[tokio::test]
async fn a_waiting_watcher_is_told_that_the_store_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(open(folder.path()));
    let seen = put(&store, "/a", "1").await.unwrap().revision;
    let watcher = tokio::spawn({
        let store = store.clone();
        async move {
            let after = prominence_core::Cursor::after(seen);
            let everything = crate::support::everything();
            store.changes(&alice(), &everything, after).await
        }
    });
    tokio::task::yield_now().await;
    tokio::task::spawn_blocking(move || store.close())
        .await
        .unwrap();
    assert!(watcher.await.unwrap().is_err());
}

#[tokio::test]
async fn a_second_opener_is_refused_and_told_who_has_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let Err(refused) = EmbeddedStore::open(options(folder.path()), clock()) else {
        panic!("two stores have one folder");
    };
    assert!(matches!(
        refused,
        OpenError::Locked { pid: Some(pid), .. } if pid == std::process::id()
    ));
    drop(store);
    open(folder.path());
}

#[test]
fn a_store_of_a_later_format_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).close();
    let format = folder.path().join("FORMAT");
    std::fs::write(&format, "prominence-kv 999\n").unwrap();
    let Err(refused) = EmbeddedStore::open(options(folder.path()), clock()) else {
        panic!("a later format was opened");
    };
    assert!(matches!(refused, OpenError::LaterFormat { found: 999, .. }));
    assert_eq!(
        std::fs::read_to_string(format).unwrap(),
        "prominence-kv 999\n"
    );
}

#[tokio::test]
async fn a_store_is_not_taken_for_a_new_one_of_another_format_where_a_bit_of_its_number_flipped() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put(&store, "/a", "1").await.unwrap();
    store.close();
    let format = folder.path().join("FORMAT");
    let right = std::fs::read(&format).unwrap();
    let mut flipped = right.clone();
    // Format 2 becomes 3, and 3 becomes 2.
    flipped[right.len() - 2] ^= 1;
    std::fs::write(&format, &flipped).unwrap();
    for _ in 0..2 {
        let Err(refused) = EmbeddedStore::open(options(folder.path()), clock()) else {
            panic!("another format was opened");
        };
        let OpenError::DamagedFile { file, .. } = refused else {
            panic!("{refused}");
        };
        assert_eq!(file, "FORMAT");
    }
    std::fs::write(&format, right).unwrap();
    assert_eq!(get(&open(folder.path()), "/a").await, Some(b"1".to_vec()));
}

#[test]
fn a_read_only_file_system_is_refused_with_its_name() {
    let disk = SmallDisk::new(96);
    let folder = disk.path().join("data");
    open(&folder).close();
    disk.make_read_only();
    for path in [folder, disk.path().join("other")] {
        let Err(refused) = EmbeddedStore::open(options(&path), clock()) else {
            panic!("a read-only file system was opened");
        };
        assert!(matches!(refused, OpenError::ReadOnly { .. }), "{refused}");
        assert!(refused.to_string().contains(path.to_str().unwrap()));
    }
}

#[test]
fn a_damaged_database_is_refused_as_such() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).close();
    let first = layout::FIRST_READ;
    std::fs::write(folder.path().join(first), "nonsense").unwrap();
    let Err(refused) = EmbeddedStore::open(options(folder.path()), clock()) else {
        panic!("a damaged database was opened");
    };
    assert!(
        matches!(refused, OpenError::DamagedFile { ref file, .. } if file == first),
        "{refused}"
    );
}

/// How somebody learns that `/lent` is gone.
async fn see_that_it_is_gone(store: &EmbeddedStore, look: usize) {
    match look {
        0 => assert_eq!(get(store, "/lent").await, None),
        1 => {
            let counted = store
                .count(&alice(), &CountScan::whole(everything(), Visibility::All))
                .await;
            assert_eq!(counted.unwrap().keys, 1);
        }
        2 => {
            let scan = Scan {
                prefix: Prefix::everything(),
                after: None,
                limit: PageLimit::MAX,
                order: Order::Ascending,
                depth: Depth::All,
                projection: Projection::Keys,
            };
            let page = store.scan(&alice(), &scan).await.unwrap();
            assert_eq!(page.items.len(), 1);
        }
        3 => assert_eq!(store.usage(&alice()).await.unwrap().keys, 1),
        _ => {
            let condition = Condition {
                key: key("/lent"),
                expect: Precondition::Present,
            };
            let delete = Operation::Delete { key: key("/lent") };
            let commit = Commit::single(Some(condition), delete);
            let refused = store.commit(&alice(), None, commit).await.unwrap_err();
            let StoreError::PreconditionFailed { reason, .. } = refused else {
                panic!("{refused}");
            };
            assert_eq!(reason, Mismatch::Missing);
        }
    }
}

#[tokio::test]
async fn what_was_seen_to_have_expired_is_not_back_after_a_crash_and_a_clock_that_was_set_back() {
    for look in 0..5 {
        let parent = tempfile::tempdir().unwrap();
        let (folder, crashed) = (parent.path().join("store"), parent.path().join("crashed"));
        let clock = clock();
        let store = EmbeddedStore::open(options(&folder), clock.clone()).unwrap();
        put(&store, "/kept", "1").await.unwrap();
        let lent = set("/lent", "1", Lifetime::For(Duration::from_secs(30)));
        store.commit(&alice(), None, lent).await.unwrap();
        clock.advance(Duration::from_secs(30));
        see_that_it_is_gone(&store, look).await;
        // As a process that is killed now leaves the folder.
        let mut copy = Command::new("cp");
        let copied = copy.arg("-r").arg(&folder).arg(&crashed).status();
        assert!(copied.unwrap().success());
        std::fs::remove_file(crashed.join("LOCK")).unwrap();
        let set_back = Arc::new(ManualClock::new(START));
        let store = EmbeddedStore::open(options(&crashed), set_back.clone()).unwrap();
        assert_eq!(get(&store, "/lent").await, None, "seen by way {look}");
        assert_eq!(get(&store, "/kept").await, Some(b"1".to_vec()));
        assert_eq!(set_back.now(), START.after(Duration::from_secs(30)));
    }
}

#[tokio::test]
async fn time_goes_on_after_a_clean_end_although_the_clock_was_set_back() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock();
    let store = EmbeddedStore::open(options(folder.path()), clock.clone()).unwrap();
    clock.advance(Duration::from_secs(600));
    store.close();
    let set_back = Arc::new(ManualClock::new(START));
    let _store = EmbeddedStore::open(options(folder.path()), set_back.clone()).unwrap();
    assert_eq!(set_back.now(), clock.now());
    // A later clock is not touched.
    drop(_store);
    let later = START.after(Duration::from_secs(700));
    let ahead = Arc::new(ManualClock::new(later));
    let _store = EmbeddedStore::open(options(folder.path()), ahead.clone()).unwrap();
    assert_eq!(ahead.now(), later);
}

/// Tells the process, which is this test once more as another user, which folder to open.
const FOLDER_OF_ANOTHER: &str = "PROMINENCE_TEST_FOLDER_OF_ANOTHER";

/// The user of other people's files.
const NOBODY: u32 = 65_534;

/// Opens a store whose files are another user's in a process of NOBODY.
fn open_as_nobody(folder: &Path) -> std::process::Output {
    let test = "opening::files_of_another_owner_are_refused_as_such_and_left_alone";
    let mut process = Command::new(std::env::current_exe().unwrap());
    process
        .args(["--exact", test])
        .env(FOLDER_OF_ANOTHER, folder);
    process.uid(NOBODY).gid(NOBODY).output().unwrap()
}

/// All files and folders below one, itself included.
fn everything_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(everything_below(&path)),
            false => found.push(path),
        }
    }
    found
}

#[tokio::test]
async fn files_of_another_owner_are_refused_as_such_and_left_alone() {
    if let Some(folder) = std::env::var_os(FOLDER_OF_ANOTHER) {
        match EmbeddedStore::open(options(Path::new(&folder)), clock()) {
            Err(OpenError::NoPermission { .. }) => return,
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("it was opened"),
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(layout::small(folder.path()), clock()).unwrap();
    for n in 0..200 {
        put(&store, &format!("/k{n}"), vec![7; 2_000])
            .await
            .unwrap();
    }
    store.close();
    let all = everything_below(folder.path());
    let own = |path: &Path, uid| {
        let owned = std::os::unix::fs::chown(path, Some(uid), Some(uid));
        owned.expect("this test has to be run as root");
    };
    all.iter().for_each(|path| own(path, NOBODY));
    let store = folder.path().join("store");
    let files = all
        .iter()
        .filter(|path| path.is_file() && path.starts_with(&store));
    let mut refused = 0;
    for file in files {
        let before = std::fs::read(file).unwrap();
        own(file, 0);
        std::fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
        let output = open_as_nobody(folder.path());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}: {said}", file.display());
        assert_eq!(std::fs::read(file).unwrap(), before);
        own(file, NOBODY);
        refused += 1;
    }
    assert!(refused > 10, "{refused}");
    all.iter().for_each(|path| own(path, 0));
    assert_eq!(get(&open(folder.path()), "/k0").await, Some(vec![7; 2_000]));
}
