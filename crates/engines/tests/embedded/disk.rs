//! A disk that is full, and has room again.

use std::fs;

use prominence_core::error::Fate;
use prominence_core::{
    Commit, Cursor, Depth, Operation, Order, PageLimit, Projection, Revision, Scan, Store,
    StoreError,
};
use prominence_engines::EmbeddedStore;
use prominence_engines::embedded::Options;

use crate::support::{
    SmallDisk, alice, clock, eventually, everything, get, key, open, options, put,
};

/// Writes until a write is refused, and says how many were acknowledged and what the first
/// refusal was.
async fn write_until_refused(store: &EmbeddedStore, bytes: usize) -> (usize, StoreError) {
    let mut acknowledged = 0;
    loop {
        // It can't be compressed, so that files of trees take as much room as what is in them.
        let mut random = fastrand::Rng::with_seed(acknowledged as u64);
        let value: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
            .take(bytes)
            .collect();
        match put(store, &format!("/full/{acknowledged}"), value).await {
            Ok(_) => acknowledged += 1,
            Err(refused) => return (acknowledged, refused),
        }
        assert!(acknowledged < 100_000, "the disk does not fill up");
    }
}

fn unavailable(error: &StoreError) -> (&str, Fate) {
    match error {
        StoreError::Unavailable { reason, fate, .. } => (reason, *fate),
        other => panic!("{other}"),
    }
}

async fn list(store: &EmbeddedStore) -> usize {
    let scan = Scan {
        prefix: everything(),
        after: None,
        limit: PageLimit::MAX,
        order: Order::Ascending,
        depth: Depth::All,
        projection: Projection::Keys,
    };
    store.scan(&alice(), &scan).await.unwrap().items.len()
}

#[tokio::test]
async fn writes_are_refused_before_the_disk_is_full_and_taken_when_there_is_room_again() {
    let disk = SmallDisk::new(96);
    let folder = disk.path().join("data");
    let kept_free = 8 << 20;
    let options = Options {
        min_free_disk: kept_free,
        ..options(&folder)
    };
    let store = EmbeddedStore::open(options, clock()).unwrap();
    put(&store, "/before", "1").await.unwrap();
    let filler = disk.fill(kept_free + (1 << 20));
    let (acknowledged, refused) = write_until_refused(&store, 16_384).await;
    assert_eq!(
        unavailable(&refused),
        ("the disk is full", Fate::NotApplied)
    );
    assert!(store.ready().await.is_err());
    assert_eq!(get(&store, "/before").await, Some(b"1".to_vec()));
    assert_eq!(list(&store).await, 1 + acknowledged);

    // What makes room is taken all the same, and says nothing about the rest.
    let removal = Operation::Delete {
        key: key("/before"),
    };
    let removal = Commit::single(None, removal);
    store.commit(&alice(), None, removal).await.unwrap();
    assert_eq!(list(&store).await, acknowledged);
    assert!(put(&store, "/refused", vec![b'v'; 16_384]).await.is_err());
    assert!(store.ready().await.is_err());

    fs::remove_file(filler).unwrap();
    put(&store, "/after", "2").await.unwrap();
    store.ready().await.unwrap();
    assert_eq!(list(&store).await, 1 + acknowledged);
}

#[tokio::test]
async fn a_store_whose_writes_failed_goes_on_reading_and_comes_back_by_itself() {
    let disk = SmallDisk::new(96);
    let folder = disk.path().join("data");
    let store = EmbeddedStore::open(options(&folder), clock()).unwrap();
    put(&store, "/before", "1").await.unwrap();
    let filler = disk.fill(1 << 20);
    let (acknowledged, failed) = write_until_refused(&store, 16_384).await;
    assert_eq!(unavailable(&failed), ("the disk is full", Fate::Unknown));
    let refused = put(&store, "/refused", "").await.unwrap_err();
    assert_eq!(
        unavailable(&refused),
        ("the disk is full", Fate::NotApplied)
    );
    assert!(store.ready().await.is_err());
    assert_eq!(get(&store, "/before").await, Some(b"1".to_vec()));
    assert_eq!(list(&store).await, 1 + acknowledged);

    fs::remove_file(filler).unwrap();
    let written = eventually(async || put(&store, "/after", "2").await).await;
    store.ready().await.unwrap();
    check_acknowledged(&store, acknowledged, 16_384).await;
    assert_eq!(get(&store, "/refused").await, None);
    let latest = store.usage(&alice()).await.unwrap().revision;
    assert_eq!(latest, written.revision);
    drop(store);
    check_acknowledged(&open(&folder), acknowledged, 16_384).await;
}

#[tokio::test]
async fn a_store_whose_background_work_failed_comes_back_by_itself() {
    let disk = SmallDisk::new(192);
    let folder = disk.path().join("data");
    // Small enough to be in the index.
    let value_bytes = 400;
    let options = Options {
        memtable_bytes: 2 << 20,
        ..options(&folder)
    };
    let store = EmbeddedStore::open(options, clock()).unwrap();
    put(&store, "/before", "1").await.unwrap();
    // Room for the commits that are kept in memory, but not for writing that out. On a busy machine the
    // commits may come to the end of the room first, and then this is done again.
    let (acknowledged, filler) = loop {
        let filler = disk.fill(2_500 << 10);
        let (acknowledged, refused) = write_until_refused(&store, value_bytes).await;
        match unavailable(&refused) {
            ("the disk is full", Fate::NotApplied) => break (acknowledged, filler),
            ("the disk is full", Fate::Unknown) => {}
            other => panic!("{other:?}"),
        }
        fs::remove_file(filler).unwrap();
        eventually(async || put(&store, "/between", "1").await).await;
    };
    check_acknowledged(&store, acknowledged, value_bytes).await;

    fs::remove_file(filler).unwrap();
    eventually(async || put(&store, "/after", "2").await).await;
    check_acknowledged(&store, acknowledged, value_bytes).await;
    drop(store);
    check_acknowledged(&open(&folder), acknowledged, value_bytes).await;
}

#[tokio::test]
async fn a_watcher_goes_on_over_a_failure_of_the_disk() {
    let disk = SmallDisk::new(96);
    let store = EmbeddedStore::open(options(&disk.path().join("data")), clock()).unwrap();
    let seen = put(&store, "/before", "1").await.unwrap().revision;
    let mut cursor = Cursor::after(seen);
    let filler = disk.fill(64 << 10);
    let (acknowledged, _) = write_until_refused(&store, 16_384).await;
    fs::remove_file(filler).unwrap();
    let last = eventually(async || put(&store, "/after", "2").await)
        .await
        .revision;
    let mut seen = Vec::new();
    while cursor < Cursor::after(Revision::new(last.get() - 1)) || seen.is_empty() {
        let changes = store.changes(&alice(), &everything(), cursor).await;
        let changes = changes.unwrap();
        seen.extend(changes.changes.iter().map(|change| change.at.revision));
        cursor = changes.next;
    }
    assert!(seen.is_sorted());
    assert!(seen.len() > acknowledged);
    assert_eq!(seen.last(), Some(&last));
}

async fn check_acknowledged(store: &EmbeddedStore, acknowledged: usize, bytes: usize) {
    assert_eq!(get(store, "/before").await, Some(b"1".to_vec()));
    for n in 0..acknowledged {
        let found = get(store, &format!("/full/{n}")).await;
        assert_eq!(found.map(|value| value.len()), Some(bytes), "/full/{n}");
    }
}
