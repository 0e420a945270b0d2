//! Opening and closing a store.

use prominence_core::error::Fate;
use prominence_core::{Store, StoreError};
use prominence_engines::EmbeddedStore;
use prominence_engines::embedded::OpenError;

use crate::support::{SmallDisk, alice, clock, get, open, options, put};

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
    std::fs::write(folder.path().join("store/version"), "nonsense").unwrap();
    let Err(refused) = EmbeddedStore::open(options(folder.path()), clock()) else {
        panic!("a damaged database was opened");
    };
    assert!(
        matches!(refused, OpenError::DamagedFile { ref file, .. } if file == "store/version"),
        "{refused}"
    );
}
