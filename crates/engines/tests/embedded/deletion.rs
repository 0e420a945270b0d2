//! Deleting a prefix of so many keys that it is done in pieces.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prominence_core::{
    ChangeKind, Commit, Committed, Condition, CountScan, Cursor, Key, Lifetime, Namespace,
    Operation, Outcome, Precondition, Prefix, Revision, Store, StoreError, Usage, Value,
    Visibility,
};
use prominence_engines::EmbeddedStore;

use crate::support::{alice, clock, everything, get, key, open, options, put, set};

/// Several pieces, the last of them not full.
const MANY: u64 = 5_500;

fn folder_a() -> Prefix {
    Prefix::parse("/a/").unwrap()
}

fn name(number: u64) -> String {
    format!("/a/{number:05}")
}

/// Stores [`MANY`] keys in `/a/`, and one on either side.
async fn fill(store: &EmbeddedStore) {
    put(store, "/Z", "before").await.unwrap();
    put(store, "/a0", "after").await.unwrap();
    let numbers: Vec<_> = (0..MANY).collect();
    for part in numbers.chunks(100) {
        let operations = part.iter().map(|number| Operation::Set {
            key: key(&name(*number)),
            value: Value::stored(number.to_string().into()),
            lifetime: Lifetime::Permanent,
        });
        let commit = Commit::new(vec![], operations.collect()).unwrap();
        store.commit(&alice(), None, commit).await.unwrap();
    }
}

fn deletion() -> Operation {
    Operation::delete_prefix(folder_a())
}

async fn delete(store: &EmbeddedStore) -> Result<Committed, StoreError> {
    let commit = Commit::single(None, deletion());
    store.commit(&alice(), None, commit).await
}

async fn count(store: &EmbeddedStore) -> u64 {
    let counted = store
        .count(&alice(), &CountScan::whole(folder_a(), Visibility::All))
        .await;
    counted.unwrap().keys
}

/// The keys that are deleted, in the order of the log, and the places of the first and the last.
async fn deletions(store: &EmbeddedStore, from: Cursor) -> Vec<(Cursor, Key)> {
    let mut found = Vec::new();
    let mut after = from;
    while (found.len() as u64) < MANY {
        let part = store.changes(&alice(), &everything(), after).await.unwrap();
        after = part.next;
        let deleted = part.changes.into_iter();
        let deleted = deleted.filter(|change| change.kind == ChangeKind::Delete);
        found.extend(deleted.map(|change| (change.at, change.key)));
    }
    found
}

async fn demand_all_deleted(store: &EmbeddedStore, revision: Revision) {
    assert_eq!(count(store).await, 0);
    assert_eq!(get(store, "/Z").await.unwrap(), b"before");
    assert_eq!(get(store, "/a0").await.unwrap(), b"after");
    let usage = Usage {
        keys: 2,
        bytes: (2 + 6) + (3 + 5),
        revision,
    };
    assert_eq!(store.usage(&alice()).await.unwrap(), usage);
    let expected: Vec<_> = (0..)
        .zip(0..MANY)
        .map(|(index, number)| (Cursor { revision, index }, key(&name(number))))
        .collect();
    let logged = deletions(store, Cursor::START).await;
    let differing = expected
        .iter()
        .zip(&logged)
        .find(|(one, other)| one != other);
    assert_eq!((differing, logged.len()), (None, expected.len()));
    // From a place within a piece.
    let after = expected[1_234].0;
    let part = store.changes(&alice(), &everything(), after).await.unwrap();
    assert_eq!(part.changes[0].key, expected[1_235].1);
}

#[tokio::test]
async fn many_keys_are_deleted_by_one_commit() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    fill(&store).await;
    let before = store.usage(&alice()).await.unwrap().revision;
    let committed = delete(&store).await.unwrap();
    assert_eq!(committed.outcomes, [Outcome::Deleted(MANY)]);
    assert_eq!(committed.revision, before.next());
    demand_all_deleted(&store, committed.revision).await;
    assert_eq!(get(&store, &name(0)).await, None);

    let again = delete(&store).await.unwrap();
    assert_eq!(again.outcomes, [Outcome::Deleted(0)]);
    assert_eq!(again.revision, committed.revision);
    drop(store);
    demand_all_deleted(&open(folder.path()), committed.revision).await;
}

#[tokio::test]
async fn what_is_written_after_a_large_deletion_is_listed_and_deleted_like_anything_else() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    fill(&store).await;
    delete(&store).await.unwrap();
    for number in [7, 3, 5_000] {
        put(&store, &name(number), "new").await.unwrap();
        put(&store, "/a1", "beside").await.unwrap();
    }
    assert_eq!(count(&store).await, 3);
    assert_eq!(get(&store, &name(7)).await.unwrap(), b"new");
    let committed = delete(&store).await.unwrap();
    assert_eq!(committed.outcomes, [Outcome::Deleted(3)]);
    assert_eq!(count(&store).await, 0);
    let all = store
        .count(&alice(), &CountScan::whole(everything(), Visibility::All))
        .await;
    assert_eq!(all.unwrap().keys, 3, "the neighbours");
}

#[tokio::test]
async fn a_condition_that_does_not_hold_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    fill(&store).await;
    let condition = Condition {
        key: key("/Z"),
        expect: Precondition::Absent,
    };
    let commit = Commit::single(Some(condition), deletion());
    let refused = store.commit(&alice(), None, commit).await;
    assert!(matches!(
        refused,
        Err(StoreError::PreconditionFailed { .. })
    ));
    assert_eq!(count(&store).await, MANY);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_all_of_the_keys_or_none_and_others_write_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path()));
    fill(&store).await;
    let done = Arc::new(AtomicBool::new(false));

    let reader = tokio::spawn({
        let (store, done) = (Arc::clone(&store), Arc::clone(&done));
        async move {
            let mut seen_gone = false;
            while !done.load(Ordering::SeqCst) {
                // The last key, so that a deletion in pieces would be caught.
                let first = get(&store, &name(0)).await.is_some();
                let counted = count(&store).await;
                let last = get(&store, &name(MANY - 1)).await.is_some();
                let usage = store.usage(&alice()).await.unwrap().keys;
                assert!(counted == 0 || counted == MANY, "{counted} of {MANY} keys");
                // One more where the commit that waits has been done.
                let whole = usage == MANY + 2 || usage == MANY + 3;
                assert!(whole || usage == 2 || usage == 3, "a usage of {usage} keys");
                let gone = [!first, counted == 0, !last, !whole];
                // Once it was seen gone by one read, no later one sees it.
                assert!(gone.is_sorted(), "{gone:?}");
                assert!(!seen_gone || gone[0]);
                seen_gone = gone[3];
            }
        }
    });
    let writer = tokio::spawn({
        let (store, done) = (Arc::clone(&store), Arc::clone(&done));
        async move {
            let bob = Namespace::parse("bob").unwrap();
            let mut written = 0;
            while !done.load(Ordering::SeqCst) {
                let commit = set("/x", "x", Lifetime::Permanent);
                store.commit(&bob, None, commit).await.unwrap();
                written += 1;
            }
            written
        }
    });
    let own = tokio::spawn({
        let store = Arc::clone(&store);
        async move { put(&store, "/b", "new").await.unwrap() }
    });
    let committed = delete(&store).await.unwrap();
    let own = own.await.unwrap();
    done.store(true, Ordering::SeqCst);
    reader.await.unwrap();
    assert!(writer.await.unwrap() > 1, "others had to wait for the end");
    assert_ne!(own.revision, committed.revision);
    assert_eq!(count(&store).await, 0);
    assert_eq!(store.usage(&alice()).await.unwrap().keys, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_deletion_is_not_held_up_by_others_that_never_stop() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path()));
    fill(&store).await;
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..256)
        .map(|number| {
            let (store, done) = (Arc::clone(&store), Arc::clone(&done));
            tokio::spawn(async move {
                let bob = Namespace::parse("bob").unwrap();
                while !done.load(Ordering::SeqCst) {
                    let commit = set(&format!("/x/{number}"), "x", Lifetime::Permanent);
                    store.commit(&bob, None, commit).await.unwrap();
                }
            })
        })
        .collect();
    let syncs = store.counters().syncs;
    let committed = delete(&store).await.unwrap();
    let syncs = store.counters().syncs - syncs;
    done.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(committed.outcomes, [Outcome::Deleted(MANY)]);
    // At the slowest, 64 entries are read in a piece. Each is read and written, and after either
    // others have one group.
    let pieces = MANY / 64 + 1;
    println!("{syncs} syncs");
    assert!(syncs <= 3 * pieces + 10, "{syncs} syncs");
}

#[tokio::test]
async fn what_has_expired_is_left_to_the_sweeper() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock();
    let store = EmbeddedStore::open(options(folder.path()), clock.clone()).unwrap();
    fill(&store).await;
    let short = set("/a/short", "x", Lifetime::For(Duration::from_secs(1)));
    store.commit(&alice(), None, short).await.unwrap();
    let long = set("/a/x", "x", Lifetime::For(Duration::from_secs(9)));
    store.commit(&alice(), None, long).await.unwrap();
    clock.advance(Duration::from_secs(2));
    let committed = delete(&store).await.unwrap();
    assert_eq!(committed.outcomes, [Outcome::Deleted(MANY + 1)]);
    store.sweep().await.unwrap();
    clock.advance(Duration::from_secs(20));
    store.sweep().await.unwrap();
    let after = Cursor::after(committed.revision);
    let rest = store.changes(&alice(), &everything(), after).await.unwrap();
    let rest: Vec<_> = rest
        .changes
        .iter()
        .map(|change| (&change.key, change.kind.clone()))
        .collect();
    assert_eq!(rest, [(&key("/a/short"), ChangeKind::Expire)]);
    assert_eq!(store.usage(&alice()).await.unwrap().keys, 2);
}

/// What a crash leaves at this moment: every piece is synced, so it is what stands in the files.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_was_interrupted_is_finished_when_the_store_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let store = Arc::new(open(&data));
    fill(&store).await;
    let syncs = store.counters().syncs;
    let deleting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { delete(&store).await.unwrap() }
    });
    // Copies are made as fast as can be while it is at work; several fall between pieces.
    let mut copies = 0;
    while !deleting.is_finished() {
        copy(&data, &folder.path().join(copies.to_string()));
        copies += 1;
    }
    let committed = deleting.await.unwrap();
    assert!(store.counters().syncs >= syncs + MANY / 1_000);
    let mut finished = 0;
    for number in 0..copies {
        let store = open(&folder.path().join(number.to_string()));
        match count(&store).await {
            MANY => {}
            _ => {
                demand_all_deleted(&store, committed.revision).await;
                finished += 1;
            }
        }
    }
    println!("{finished} of {copies} copies had begun");
}
