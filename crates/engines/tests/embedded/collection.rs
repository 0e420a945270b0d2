//! Segments of the log are collected while the store is used.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use prominence_core::error::Fate;
use prominence_core::{
    Commit, Depth, Item, Operation, Order, PageLimit, Prefix, Projection, Scan, Store, StoreError,
};
use prominence_engines::EmbeddedStore;
use prominence_engines::embedded::{Options, restore};

use crate::layout;
use crate::support::{SmallDisk, alice, clock, eventually, get, key, open, put};

const KEYS: usize = 60;

/// Bytes of a value: it stands in the log alone.
const VALUE: usize = 4_000;

/// How long a folder must not change until nothing is at work in it: the background threads look for
/// something to do every second.
const QUIET: Duration = Duration::from_millis(300);

/// Copies that are made as a killed process leaves the folder.
const KILLS: usize = 8;

fn path(number: usize) -> String {
    format!("/k{number}")
}

/// A value that can't be compressed, of a key in a round.
fn value(number: usize, round: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(round << 32 | number as u64);
    std::iter::repeat_with(|| random.u8(..))
        .take(VALUE)
        .collect()
}

fn small_log(folder: &Path) -> EmbeddedStore {
    EmbeddedStore::open(layout::small(folder), clock()).unwrap()
}

fn segments(folder: &Path) -> Vec<u32> {
    layout::manifest(folder).unwrap().segments
}

async fn write_all(store: &EmbeddedStore, round: u64) {
    for number in 0..KEYS {
        put(store, &path(number), value(number, round))
            .await
            .unwrap();
    }
}

async fn assert_all(store: &EmbeddedStore, round: u64) {
    for number in 0..KEYS {
        let found = get(store, &path(number)).await;
        assert!(
            found == Some(value(number, round)),
            "{} in round {round}",
            path(number)
        );
    }
}

/// Writes all keys again until the first segments are gone, and answers the last round.
async fn write_until_collected(store: &EmbeddedStore, folder: &Path, first: u64) -> u64 {
    let before = segments(folder);
    for round in first..first + 1_000 {
        write_all(store, round).await;
        let left = segments(folder);
        if before
            .iter()
            .all(|segment| *segment == *before.last().unwrap() || !left.contains(segment))
        {
            return round;
        }
    }
    panic!("nothing is collected");
}

/// Takes what a backup writes, once it is let through.
#[derive(Clone)]
struct SlowReceiver {
    begun: Sender<()>,
    let_through: Arc<Mutex<Option<Receiver<()>>>>,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Write for SlowReceiver {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(wait) = self.let_through.lock().unwrap().take() {
            self.begun.send(()).unwrap();
            wait.recv().unwrap();
        }
        self.written.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_takes_long_has_what_stood_in_segments_that_were_removed_meanwhile() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("store");
    let store = Arc::new(small_log(&folder));
    write_all(&store, 1).await;
    let (begun, has_begun) = channel();
    let (let_through, wait) = channel();
    let receiver = SlowReceiver {
        begun,
        let_through: Arc::new(Mutex::new(Some(wait))),
        written: Arc::default(),
    };
    let backup = tokio::spawn({
        let (store, receiver) = (Arc::clone(&store), receiver.clone());
        async move { store.backup(receiver).await.unwrap() }
    });
    tokio::task::spawn_blocking(move || has_begun.recv().unwrap())
        .await
        .unwrap();
    let last = write_until_collected(&store, &folder, 2).await;
    let_through.send(()).unwrap();
    backup.await.unwrap();
    assert_all(&store, last).await;

    let restored = place.path().join("restored");
    restore(&restored, receiver.written.lock().unwrap().as_slice()).unwrap();
    assert_all(&open(&restored), 1).await;
}

#[tokio::test]
async fn what_is_left_in_collected_segments_is_there_and_also_after_the_store_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = small_log(folder.path());
    // Every tenth key is never written again, so that it has to be moved, again and again.
    let lasting = |number: usize| number.is_multiple_of(10);
    write_all(&store, 1).await;
    let first = segments(folder.path());
    let mut round = 1;
    while segments(folder.path())
        .iter()
        .any(|left| *left <= first.last().unwrap() + 20)
    {
        round += 1;
        for number in (0..KEYS).filter(|number| !lasting(*number)) {
            put(&store, &path(number), value(number, round))
                .await
                .unwrap();
        }
        assert!(round < 1_000, "nothing is collected");
    }
    let check = async |store: &EmbeddedStore| {
        for number in 0..KEYS {
            let round = if lasting(number) { 1 } else { round };
            let found = get(store, &path(number)).await;
            assert!(found == Some(value(number, round)), "{}", path(number));
        }
        assert!(store.check(&mut |_| {}).unwrap().is_clean());
    };
    check(&store).await;
    store.close();
    check(&open(folder.path())).await;
}

/// Every file below a folder with its length and the time of its last change.
fn files(folder: &Path) -> BTreeMap<PathBuf, (u64, SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if let Ok(metadata) = path.metadata() {
            found.insert(path, (metadata.len(), metadata.modified().unwrap()));
        }
    }
    found
}

/// Copies a folder once nothing changes in it any more, as a process that is killed then leaves it.
async fn copy_when_quiet(folder: &Path) -> tempfile::TempDir {
    let mut before = BTreeMap::new();
    loop {
        let now = files(folder);
        if now == before {
            break;
        }
        before = now;
        tokio::time::sleep(QUIET).await;
    }
    let copy = tempfile::tempdir().unwrap();
    let mut cp = Command::new("cp");
    cp.args(["--recursive", "--no-target-directory"]);
    assert!(cp.arg(folder).arg(copy.path()).status().unwrap().success());
    copy
}

#[tokio::test]
async fn what_waits_for_the_next_commit_to_be_moved_is_there_if_the_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let store = small_log(folder.path());
    write_all(&store, 1).await;
    let lasting = |number: usize| number.is_multiple_of(4);
    let mut latest = 1;
    for _ in 0..KILLS {
        for round in latest + 1..latest + 3 {
            for number in (0..KEYS).filter(|number| !lasting(*number)) {
                put(&store, &path(number), value(number, round))
                    .await
                    .unwrap();
            }
        }
        latest += 2;
        let copy = copy_when_quiet(folder.path()).await;
        let killed = open(copy.path());
        for number in 0..KEYS {
            let round = if lasting(number) { 1 } else { latest };
            let found = get(&killed, &path(number)).await;
            assert!(found == Some(value(number, round)), "{}", path(number));
        }
    }
    let segments = segments(folder.path());
    assert!(segments[0] > 5, "segments were collected: {segments:?}");
}

/// The values below a prefix, by way of the index.
async fn list(store: &EmbeddedStore, prefix: &str) -> Vec<Vec<u8>> {
    let scan = Scan {
        prefix: Prefix::parse(prefix).unwrap(),
        after: None,
        limit: PageLimit::MAX,
        order: Order::Ascending,
        depth: Depth::All,
        projection: Projection::Entries,
    };
    let page = store.scan(&alice(), &scan).await.unwrap();
    let values = page.items.into_iter().map(|item| match item {
        Item::Entry(_, entry) => entry.value.as_bytes().to_vec(),
        other => panic!("{other:?}"),
    });
    values.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_while_its_segment_is_collected_is_not_overwritten_by_what_was_there() {
    const WRITERS: usize = 4;
    const OWN: usize = 8;
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        // So much is read at once that it is written over meanwhile.
        segment_bytes: 256 << 10,
        ..layout::small(folder.path())
    };
    let store = Arc::new(EmbeddedStore::open(options, clock()).unwrap());
    let writers = (0..WRITERS).map(|writer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut latest = vec![Vec::new(); OWN];
            for round in 0..800 {
                let own = round % OWN;
                latest[own] = value(writer * OWN + own, round as u64);
                let path = format!("/w{writer}/{own}");
                put(&store, &path, latest[own].clone()).await.unwrap();
                let written = latest.iter().filter(|value| !value.is_empty());
                let listed = list(&store, &format!("/w{writer}/")).await;
                assert!(
                    listed.iter().eq(written),
                    "writer {writer} in round {round}"
                );
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let segments = segments(folder.path());
    assert!(segments[0] > 5, "segments were collected: {segments:?}");
}

fn free(disk: &SmallDisk) -> u64 {
    let stat = rustix::fs::statvfs(disk.path()).unwrap();
    stat.f_bavail * stat.f_frsize
}

#[tokio::test]
async fn on_a_full_disk_deletions_are_taken_and_collecting_makes_room_for_writes() {
    fill_and_delete(64 << 10).await;
}

/// Deletions take little memory, and memtables would not be written out for long.
#[tokio::test]
async fn on_a_full_disk_collecting_makes_room_although_memtables_are_far_from_full() {
    fill_and_delete(32 << 20).await;
}

async fn fill_and_delete(memtable_bytes: u64) {
    let disk = SmallDisk::new(96);
    let folder = disk.path().join("data");
    let options = Options {
        min_free_disk: 32 << 20,
        memtable_bytes,
        segment_bytes: 1 << 20,
        ..layout::small(&folder)
    };
    let store = EmbeddedStore::open(options, clock()).unwrap();
    let is_full = |error: &StoreError| {
        matches!(error, StoreError::Unavailable { reason, fate: Fate::NotApplied, .. }
            if reason == "the disk is full")
    };
    let mut written = 0;
    for _ in 0..3 {
        // Until the disk is full.
        let first = written;
        loop {
            match put(&store, &path(written), vec![b'v'; 16_000]).await {
                Ok(_) => written += 1,
                Err(error) => break assert!(is_full(&error), "{error}"),
            }
        }
        let before = free(&disk);
        assert!(before > 16 << 20, "the store leaves room for its own work");
        for number in first..written {
            let delete = Operation::Delete {
                key: key(&path(number)),
            };
            store
                .commit(&alice(), None, Commit::single(None, delete))
                .await
                .unwrap();
        }
        // What the segments held comes back, also where nobody writes.
        eventually(async || {
            store.sweep().await.map_err(|error| error.to_string())?;
            match free(&disk) > before + (8 << 20) {
                true => Ok(()),
                false => Err("there is no more room than before".to_owned()),
            }
        })
        .await;
        store.ready().await.unwrap();
    }
    assert!(written > 3 * 1_000, "{written}");
    assert!(store.check(&mut |_| {}).unwrap().is_clean());
}
