//! Stores of every released format go into a cluster and back, with what their log does not tell.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use prominence_core::{Commit, Cursor, Key, Operation, Outcome, Prefix, Store as _, Timestamp};
use prominence_engines::embedded::restore;

use super::{Stage, moved, space};

/// When the claims in the fixtures have run out.
const LATER: Timestamp = Timestamp::from_secs(1_700_003_600);

#[test]
fn a_store_of_every_format_migrates_into_a_cluster_and_back() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut seen = 0;
    for format in fs::read_dir(fixtures).unwrap() {
        let backup = format.unwrap().path().join("backup");
        let stage = Stage::new();
        restore(&stage.path("first"), File::open(backup).unwrap()).unwrap();
        // Each migration compares both sides when it is done.
        moved(stage.folder("first"), &stage.cluster());
        moved(stage.cluster(), &stage.folder("second"));
        stage.etcd(LATER, async |store| {
            let alice = space("alice");
            let extent = store.extent(&alice).await.unwrap();
            let place = Key::parse("/many/10").unwrap();
            let before = store.get(&alice, &place).await.unwrap().unwrap();
            let claim = Operation::Claim {
                prefix: Prefix::parse("/many/10").unwrap(),
                hold: Duration::from_mins(1),
            };
            let commit = Commit::single(None, claim);
            let claimed = store.commit(&alice, None, commit).await.unwrap();
            let [Outcome::Claimed(_, entry)] = &claimed.outcomes[..] else {
                panic!("{claimed:?}");
            };
            assert_eq!(entry.metadata.claims, before.metadata.claims + 1);
            let after = Cursor::after(extent.latest);
            let changes = store.changes(&alice, &Prefix::everything(), after).await;
            assert_eq!(changes.unwrap().changes.len(), 1);
        });
        seen += 1;
    }
    assert!(seen >= 2, "there are fixtures of each format");
}
