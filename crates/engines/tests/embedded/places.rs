//! Gets of values that are in the log alone: by the places of those that were read before, from memory
//! and from the disk.

use std::collections::HashMap;
use std::fs::{self, File};

use prominence_core::{Commit, Operation, Store as _};
use prominence_engines::EmbeddedStore;

use crate::layout;
use crate::support::{alice, clock, get, key, open, put};

/// Bytes of the smallest value that is in the log alone.
const LARGE: usize = 512;

async fn delete(store: &EmbeddedStore, name: &str) {
    let operation = Operation::Delete { key: key(name) };
    let commit = Commit::single(None, operation);
    store.commit(&alice(), None, commit).await.unwrap();
}

#[tokio::test]
async fn what_is_read_again_is_what_was_written_last_while_segments_are_collected() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(layout::small(folder.path()), clock()).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let mut expected = HashMap::new();
    for number in 0..3_000_u32 {
        let name = format!("/k{}", random.u8(..40));
        match random.u8(..10) {
            0 => {
                delete(&store, &name).await;
                expected.remove(&name);
            }
            1..6 => {
                let value = [
                    number.to_be_bytes().to_vec(),
                    vec![7; random.usize(0..2 * LARGE)],
                ]
                .concat();
                put(&store, &name, value.clone()).await.unwrap();
                expected.insert(name.clone(), value);
            }
            _ => {}
        }
        // The second time by its place, the third time perhaps from the cache of entries.
        for _ in 0..3 {
            let found = get(&store, &name).await;
            // Values are too long to be shown.
            assert!(
                found.as_ref() == expected.get(&name),
                "{name} after {number}"
            );
        }
    }
}

#[tokio::test]
async fn a_value_that_is_on_the_disk_alone_is_waited_for_elsewhere() {
    // Not where temporary files are: they may be in memory, which can't be taken from there.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let store = open(folder.path());
    let value = vec![b'v'; 2 * LARGE];
    for n in 0..100 {
        put(&store, &format!("/k{n}"), value.clone()).await.unwrap();
    }
    let name = key("/k50");
    assert!(store.get_at_once(&alice(), &name).is_some());
    for entry in fs::read_dir(folder.path().join("store/log")).unwrap() {
        let file = File::open(entry.unwrap().path()).unwrap();
        file.sync_all().unwrap();
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    }
    assert!(store.get_at_once(&alice(), &name).is_none());
    assert_eq!(get(&store, "/k50").await, Some(value));
    assert!(
        store.get_at_once(&alice(), &name).is_some(),
        "it is in memory now"
    );
}
