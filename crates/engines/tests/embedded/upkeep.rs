//! What the store does by itself: expiry, trimming of logs, and counting what it holds.

use std::time::Duration;

use prominence_core::{
    ChangeKind, Commit, Cursor, Depth, Item, Lifetime, Operation, Order, PageLimit, Prefix,
    Projection, Revision, Scan, Store, StoreError, Usage,
};
use prominence_engines::EmbeddedStore;
use prominence_engines::Retention;
use prominence_engines::embedded::Options;

use crate::support::{alice, clock, eventually, everything, get, key, open, options, put, set};

/// How many changes can be read from the beginning, if any are forgotten.
async fn oldest_kept(store: &EmbeddedStore) -> Option<Revision> {
    match store.changes(&alice(), &everything(), Cursor::START).await {
        Ok(_) => None,
        Err(StoreError::Compacted { oldest }) => Some(oldest),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn the_log_keeps_as_many_changes_as_it_should() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    options.retention.changes = 10;
    let store = EmbeddedStore::open(options, clock()).unwrap();
    for n in 0..10 {
        put(&store, &format!("/{n}"), "").await.unwrap();
    }
    assert_eq!(oldest_kept(&store).await, None);
    for n in 10..25 {
        put(&store, &format!("/{n}"), "").await.unwrap();
    }
    store.sweep().await.unwrap();
    assert_eq!(oldest_kept(&store).await, Some(Revision::new(15)));
    let after = Cursor::after(Revision::new(15));
    let kept = store.changes(&alice(), &everything(), after).await.unwrap();
    let revisions: Vec<_> = kept.changes.iter().map(|c| c.at.revision.get()).collect();
    assert_eq!(revisions, (16..=25).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_log_can_be_trimmed_in_the_middle_of_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    options.retention.changes = 5;
    let store = EmbeddedStore::open(options, clock()).unwrap();
    for _ in 0..2 {
        let operations = (0..8)
            .map(|n| Operation::Add {
                key: key(&n.to_string()),
                by: 1,
            })
            .collect();
        let commit = Commit::new(vec![], operations).unwrap();
        store.commit(&alice(), None, commit).await.unwrap();
    }
    store.sweep().await.unwrap();
    let oldest = store.extent(&alice()).await.unwrap().oldest;
    // Changes that share a row are kept as long as one of them has to be.
    assert_eq!((oldest.revision.get(), oldest.index), (1, 7));
    let before = Cursor {
        index: oldest.index - 1,
        ..oldest
    };
    let lost = store.changes(&alice(), &everything(), before).await;
    assert!(matches!(lost, Err(StoreError::Compacted { oldest: at }) if at == oldest.revision));
    let found = store.changes(&alice(), &everything(), oldest).await;
    assert_eq!(found.unwrap().changes.len(), 8);
}

#[tokio::test]
async fn changes_are_forgotten_when_they_are_old() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock();
    let age = Duration::from_secs(3_600);
    let options = Options {
        retention: Retention {
            changes: 1_000_000,
            age,
        },
        ..options(folder.path())
    };
    let store = EmbeddedStore::open(options, clock.clone()).unwrap();
    put(&store, "/old", "").await.unwrap();
    clock.advance(age / 2);
    let young = put(&store, "/young", "").await.unwrap().revision;
    clock.advance(age / 2 - Duration::from_millis(1));
    store.sweep().await.unwrap();
    assert_eq!(oldest_kept(&store).await, None);
    clock.advance(Duration::from_millis(1));
    store.sweep().await.unwrap();
    assert_eq!(oldest_kept(&store).await, Some(Revision::new(1)));
    let after = Cursor::after(Revision::new(1));
    let kept = store.changes(&alice(), &everything(), after).await.unwrap();
    assert_eq!(kept.changes.len(), 1);
    assert_eq!(kept.changes[0].at.revision, young);
}

#[tokio::test]
async fn a_watcher_that_waits_for_one_key_outlives_the_trimming_of_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    options.retention.changes = 5;
    let store = std::sync::Arc::new(EmbeddedStore::open(options, clock()).unwrap());
    let seen = put(&store, "/mine", "0").await.unwrap().revision;
    let mine = Prefix::parse("/mine").unwrap();
    let watcher = tokio::spawn({
        let store = store.clone();
        async move { store.changes(&alice(), &mine, Cursor::after(seen)).await }
    });
    eventually(async || {
        (store.counters().looks == 1)
            .then_some(())
            .ok_or("it has not looked")
    })
    .await;
    for n in 0..50 {
        put(&store, &format!("/other/{n}"), "").await.unwrap();
    }
    store.sweep().await.unwrap();
    let wanted = put(&store, "/mine", "1").await.unwrap().revision;
    let changes = watcher.await.unwrap().unwrap();
    assert_eq!(changes.changes.len(), 1);
    assert_eq!(changes.changes[0].at.revision, wanted);
}

#[tokio::test]
async fn more_expired_entries_than_one_pass_takes_are_all_removed_and_logged() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock();
    let store = EmbeddedStore::open(options(folder.path()), clock.clone()).unwrap();
    let lifetime = Lifetime::For(Duration::from_secs(1));
    for batch in 0..25 {
        let operations = (0..100)
            .map(|n| Operation::Set {
                key: key(&format!("/{batch}/{n}")),
                value: prominence_core::Value::stored("v".into()),
                lifetime,
            })
            .collect();
        let commit = Commit::new(vec![], operations).unwrap();
        store.commit(&alice(), None, commit).await.unwrap();
    }
    put(&store, "/stays", "").await.unwrap();
    clock.advance(Duration::from_secs(1));
    let before = store.usage(&alice()).await.unwrap();
    assert_eq!(before.keys, 1);
    store.sweep().await.unwrap();
    let after = store.usage(&alice()).await.unwrap();
    assert_eq!((after.keys, after.bytes), (1, "/stays".len() as u64));

    let mut expired = 0;
    let mut cursor = Cursor::after(before.revision);
    while cursor < Cursor::after(after.revision) && expired < 2_500 {
        let changes = store.changes(&alice(), &everything(), cursor).await;
        let changes = changes.unwrap();
        assert!(changes.changes.iter().all(|c| c.kind == ChangeKind::Expire));
        expired += changes.changes.len();
        cursor = changes.next;
    }
    assert_eq!(expired, 2_500);
}

#[tokio::test]
async fn an_entry_that_is_born_expired_is_swept_although_later_ones_were_before() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock();
    let store = EmbeddedStore::open(options(folder.path()), clock.clone()).unwrap();
    let write = async |name: &str, lifetime| {
        let commit = set(name, "v", lifetime);
        store.commit(&alice(), None, commit).await
    };
    let lifetime = Lifetime::For(Duration::from_secs(5));
    write("/late", lifetime).await.unwrap();
    clock.advance(Duration::from_secs(10));
    store.sweep().await.unwrap();
    let long_ago = Lifetime::Until(crate::support::START);
    write("/born", long_ago).await.unwrap();
    assert_eq!(get(&store, "/born").await, None);
    assert_eq!(store.usage(&alice()).await.unwrap().keys, 0);
    let before = store.usage(&alice()).await.unwrap().revision;
    store.sweep().await.unwrap();
    let after = store.usage(&alice()).await.unwrap();
    assert_eq!((after.keys, after.bytes), (0, 0));
    assert!(after.revision > before);
}

#[tokio::test]
async fn the_store_removes_what_has_expired_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock();
    let options = Options {
        upkeep_every: Duration::from_millis(5),
        ..options(folder.path())
    };
    let store = EmbeddedStore::open(options, clock.clone()).unwrap();
    let lifetime = Lifetime::For(Duration::from_secs(1));
    let commit = set("/a", "v", lifetime);
    let written = store.commit(&alice(), None, commit).await.unwrap();
    clock.advance(Duration::from_secs(1));
    let after = Cursor::after(written.revision);
    let changes = store.changes(&alice(), &everything(), after).await.unwrap();
    assert_eq!(changes.changes[0].kind, ChangeKind::Expire);
}

/// A small generator (xorshift64*, Vigna 2016), so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % sides
    }
}

async fn recount(store: &EmbeddedStore) -> (u64, u64) {
    let mut counted = (0, 0);
    let mut after = None;
    loop {
        let scan = Scan {
            prefix: everything(),
            after,
            limit: PageLimit::new(7).unwrap(),
            order: Order::Ascending,
            depth: Depth::All,
            projection: Projection::Entries,
        };
        let page = store.scan(&alice(), &scan).await.unwrap();
        for item in &page.items {
            let Item::Entry(key, entry) = item else {
                panic!("a listing of entries holds {item:?}");
            };
            counted.0 += 1;
            counted.1 += (key.as_str().len() + entry.value.len()) as u64;
        }
        after = page.next;
        if after.is_none() {
            return counted;
        }
    }
}

#[tokio::test]
async fn usage_is_what_a_recount_finds_after_any_operations() {
    for seed in 1..=4 {
        let folder = tempfile::tempdir().unwrap();
        let clock = clock();
        let store = EmbeddedStore::open(options(folder.path()), clock.clone()).unwrap();
        let mut dice = Dice(seed);
        for _ in 0..300 {
            let name = format!("/{}/{}", dice.roll(4), dice.roll(8));
            let operation = match dice.roll(10) {
                0..=4 => Operation::Set {
                    key: key(&name),
                    value: prominence_core::Value::stored(
                        "x".repeat(usize::try_from(dice.roll(40)).unwrap()).into(),
                    ),
                    lifetime: match dice.roll(3) {
                        0 => Lifetime::For(Duration::from_secs(dice.roll(5))),
                        _ => Lifetime::Permanent,
                    },
                },
                5 => Operation::Delete { key: key(&name) },
                6 => Operation::delete_prefix(Prefix::parse(&name[..2]).unwrap()),
                7 => Operation::Claim {
                    prefix: everything(),
                    hold: Duration::from_secs(2),
                },
                8 => {
                    clock.advance(Duration::from_secs(dice.roll(3)));
                    continue;
                }
                _ => {
                    store.sweep().await.unwrap();
                    continue;
                }
            };
            let commit = Commit::single(None, operation);
            store.commit(&alice(), None, commit).await.unwrap();
            let Usage { keys, bytes, .. } = store.usage(&alice()).await.unwrap();
            assert_eq!((keys, bytes), recount(&store).await, "seed {seed}");
        }
        let usage = store.usage(&alice()).await.unwrap();
        drop(store);
        assert_eq!(
            open(folder.path()).usage(&alice()).await.unwrap().revision,
            usage.revision
        );
    }
}

#[tokio::test]
async fn every_place_within_revision_zero_is_the_beginning_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put(&store, "/a", "").await.unwrap();
    let within_zero = Cursor {
        revision: Revision::ZERO,
        index: 0,
    };
    let changes = store.changes(&alice(), &everything(), within_zero).await;
    assert_eq!(changes.unwrap().changes.len(), 1);
}
