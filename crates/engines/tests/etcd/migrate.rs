//! Migrations of a whole store into another, and back.

mod existing;
mod formats;
mod refusals;
mod resuming;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prominence_cluster::etcd::Cluster;
use prominence_core::clock::ManualClock;
use prominence_core::conformance::START;
use prominence_core::{
    Commit, Cursor, Job, Key, Lifetime, Namespace, Operation, Prefix, Quota, Store, Timestamp,
    Value,
};
use prominence_engines::embedded::{self, OfflineStore};
use prominence_engines::etcd::Options;
use prominence_engines::migrate::{MigrateError, Outcome, Place, Source, Start, Step, migrate};
use prominence_engines::{EmbeddedStore, EtcdStore, Retention};
use tokio::runtime::Runtime;

use crate::support::{cluster, options};

/// Keys that expire at one instant: several hints of the same.
const EXPIRING: usize = 350;

/// Keys that one deletion removes: more than a record of etcd's log takes.
const DELETED: usize = 1_200;

/// A folder, and a root in a cluster, that can be migrated into each other.
struct Stage {
    runtime: Runtime,
    folder: tempfile::TempDir,
    options: Options,
    _cluster: Arc<Cluster>,
}

impl Stage {
    fn new() -> Self {
        let cluster = cluster();
        Self {
            runtime: Runtime::new().unwrap(),
            folder: tempfile::tempdir().unwrap(),
            options: options(&cluster),
            _cluster: cluster,
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn folder(&self, name: &str) -> Place {
        Place::Folder(self.path(name))
    }

    fn cluster(&self) -> Place {
        Place::Cluster(Box::new(self.options.clone()))
    }

    /// Works on the embedded store of this name.
    fn embedded(&self, name: &str, retention: Retention, work: impl AsyncFnOnce(&EmbeddedStore)) {
        let options = embedded::Options {
            quotas: Quota::UNLIMITED.into(),
            min_free_disk: 0,
            upkeep_every: Duration::from_hours(1),
            retention,
            ..embedded::Options::new(self.path(name))
        };
        let store = EmbeddedStore::open(options, clock(START)).unwrap();
        self.runtime.block_on(work(&store));
        store.close();
    }

    /// Works on the store in the cluster, at an instant.
    fn etcd(&self, at: Timestamp, work: impl AsyncFnOnce(&EtcdStore)) {
        self.runtime.block_on(async {
            let store = EtcdStore::open(self.options.clone(), clock(at)).unwrap();
            work(&store).await;
            store.close().await;
        });
    }

    /// A store with everything that there can be.
    fn fill(&self, name: &str) {
        self.embedded(name, Retention::default(), async |store| fill(store).await);
    }
}

fn clock(at: Timestamp) -> Arc<ManualClock> {
    Arc::new(ManualClock::new(at))
}

fn space(name: &str) -> Namespace {
    Namespace::parse(name).unwrap()
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn set(name: &str, value: impl Into<Vec<u8>>, lifetime: Lifetime) -> Operation {
    Operation::Set {
        key: key(name),
        value: Value::stored(value.into().into()),
        lifetime,
    }
}

async fn commit(store: &dyn Store, namespace: &str, operations: Vec<Operation>) {
    let job = Job::parse("17").ok();
    let commit = Commit::new(Vec::new(), operations).unwrap();
    let done = store.commit(&space(namespace), job.as_ref(), commit).await;
    done.unwrap();
}

/// Values of all kinds, claims, lifetimes, deletions; and one that has nothing left but its
/// revision.
async fn fill(store: &dyn Store) {
    let forever = Lifetime::Permanent;
    let first = vec![
        set("/a", "1", forever),
        set("/empty", "", forever),
        set("/bytes/é", [0, 255, 10], forever),
        set("/_internal_/x", "hidden", forever),
    ];
    commit(store, "alice", first).await;
    let large = set("/large", vec![7; 1 << 20], forever);
    commit(store, "alice", vec![large]).await;
    let numbers: Vec<_> = (0..EXPIRING).collect();
    for some in numbers.chunks(100) {
        let hour = Lifetime::For(Duration::from_secs(3_600));
        let sets = some.iter().map(|n| set(&format!("/ttl/{n}"), "soon", hour));
        commit(store, "alice", sets.collect()).await;
    }
    let prefix = Prefix::parse("/bytes/").unwrap();
    let hold = Duration::from_secs(60);
    commit(store, "alice", vec![Operation::Claim { prefix, hold }]).await;
    for some in (0..DELETED).collect::<Vec<_>>().chunks(100) {
        let sets = some
            .iter()
            .map(|n| set(&format!("/gone/{n}"), "x", forever));
        commit(store, "alice/lab", sets.collect()).await;
    }
    let prefix = Prefix::parse("/gone/").unwrap();
    commit(store, "alice/lab", vec![Operation::delete_prefix(prefix)]).await;
    commit(store, "bob é", vec![set("/a", "of bob", forever)]).await;
    commit(store, "bob é", vec![Operation::Delete { key: key("/a") }]).await;
    commit(store, "bob é", vec![set("/a", "of bob again", forever)]).await;
}

fn backup(folder: &Path) -> Vec<u8> {
    let store = OfflineStore::open(folder).unwrap();
    let mut bytes = Vec::new();
    store.backup(START, &mut bytes).unwrap();
    bytes
}

#[track_caller]
fn moved(from: Place, to: &Place) -> Outcome {
    migrate(&Source::Store(from), to, START, &mut |_| {}).unwrap()
}

fn is_fresh(outcome: Outcome) -> bool {
    let fresh = Start::Fresh;
    matches!(outcome, Outcome::Done { start, .. } if start == fresh)
}

#[test]
fn everything_comes_back_from_a_cluster_as_it_went_there() {
    let stage = Stage::new();
    stage.fill("first");
    let before = backup(&stage.path("first"));
    assert!(is_fresh(moved(stage.folder("first"), &stage.cluster())));
    assert!(is_fresh(moved(stage.cluster(), &stage.folder("second"))));
    assert!(backup(&stage.path("second")) == before, "something is lost");
    assert!(backup(&stage.path("first")) == before, "the source changed");
}

#[test]
fn what_was_migrated_is_found_changed_and_expires_like_anything_else() {
    let stage = Stage::new();
    stage.fill("first");
    moved(stage.folder("first"), &stage.cluster());
    let alice = space("alice");
    stage.etcd(START, async |store| {
        let claimed = store.get(&alice, &key("/bytes/é")).await.unwrap().unwrap();
        assert!(claimed.metadata.claimed_until.is_some());
        assert_eq!(claimed.metadata.claims, 1);
        assert_eq!(claimed.metadata.claimed_by, Job::parse("17").ok());
        assert_eq!(claimed.metadata.job, Job::parse("17").ok());
        let lab = space("alice/lab");
        let everything = Prefix::everything();
        let changes = store.changes(&lab, &everything, Cursor::START).await;
        assert_eq!(changes.unwrap().changes.len(), 1_000);
        let extent = store.extent(&lab).await.unwrap();
        assert_eq!(extent.latest.get(), 13);
        commit(
            store,
            "alice/lab",
            vec![set("/new", "1", Lifetime::Permanent)],
        )
        .await;
        let new = store.get(&lab, &key("/new")).await.unwrap().unwrap();
        assert_eq!(new.metadata.revision.get(), 14, "no revision comes again");
    });
    stage.etcd(START.after(Duration::from_hours(2)), async |store| {
        let before = store.usage(&alice).await.unwrap();
        store.sweep().await.unwrap();
        let after = store.usage(&alice).await.unwrap();
        assert_eq!((before.keys, before.bytes), (after.keys, after.bytes));
        assert_eq!(after.keys, 5);
        assert!(after.revision > before.revision, "nothing was removed");
    });
    // What a cluster's server wrote goes back to a folder too.
    assert!(is_fresh(moved(stage.cluster(), &stage.folder("second"))));
}

#[test]
fn a_log_that_was_trimmed_begins_with_a_whole_commit() {
    let stage = Stage::new();
    let few = Retention {
        changes: 150,
        ..Retention::default()
    };
    stage.embedded("first", few, async |store| {
        for round in 0..3 {
            let sets = (0..100).map(|n| set(&format!("/{round}/{n}"), "x", Lifetime::Permanent));
            commit(store, "alice", sets.collect()).await;
        }
        store.sweep().await.unwrap();
        let oldest = store.extent(&space("alice")).await.unwrap().oldest;
        assert!(!oldest.is_past(oldest.revision), "no commit is cut");
    });
    moved(stage.folder("first"), &stage.cluster());
    stage.etcd(START, async |store| {
        let extent = store.extent(&space("alice")).await.unwrap();
        // Of three commits of 100 changes the first goes, and the others stay whole.
        assert_eq!((extent.oldest.revision.get(), extent.latest.get()), (1, 3));
    });
    moved(stage.cluster(), &stage.folder("second"));
}

#[test]
fn a_second_run_finds_nothing_to_do_and_a_difference_is_told_by_its_key() {
    let stage = Stage::new();
    stage.fill("first");
    moved(stage.folder("first"), &stage.cluster());
    let again = moved(stage.folder("first"), &stage.cluster());
    assert!(matches!(again, Outcome::NothingToDo(found) if found.namespaces == 3));
    stage.etcd(START, async |store| {
        commit(
            store,
            "bob é",
            vec![set("/a", "planted", Lifetime::Permanent)],
        )
        .await;
    });
    let from = Source::Store(stage.folder("first"));
    let refused = migrate(&from, &stage.cluster(), START, &mut |_| {}).unwrap_err();
    let MigrateError::NotEmpty { differences, .. } = refused else {
        panic!("{refused}");
    };
    let told: Vec<_> = differences.first.iter().map(ToString::to_string).collect();
    assert!(
        told.contains(&"bob é /a: its value is another".to_owned()),
        "{told:?}"
    );
    assert!(
        differences
            .first
            .iter()
            .all(|one| one.namespace == space("bob é"))
    );
    // Its latest revision, its value, and one more change.
    assert_eq!(differences.count, 3);
}

#[test]
fn a_difference_that_comes_up_while_it_is_compared_leaves_the_destination_unfinished() {
    let stage = Stage::new();
    stage.fill("first");
    let from = Source::Store(stage.folder("first"));
    let mut plant = |step| {
        if let Step::Comparing(_) = step {
            stage.etcd(START, async |store| {
                commit(store, "bob é", vec![Operation::Delete { key: key("/a") }]).await;
            });
        }
    };
    let refused = migrate(&from, &stage.cluster(), START, &mut plant).unwrap_err();
    let MigrateError::Different(differences) = refused else {
        panic!("{refused}");
    };
    let told: Vec<_> = differences.first.iter().map(ToString::to_string).collect();
    assert!(
        told.contains(&"bob é /a: it is missing".to_owned()),
        "{told:?}"
    );
    stage.etcd(START, async |store| {
        let said = store.ready().await.unwrap_err().to_string();
        assert!(said.contains("migration"), "{said}");
    });
}
