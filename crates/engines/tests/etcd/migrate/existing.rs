//! Keys `/NAME/PATH` with values in base64.

use std::sync::Arc;

use prominence_cluster::etcd::{Cluster, Options};
use prominence_core::conformance::START;
use prominence_core::{Store, Timestamp};
use prominence_engines::etcd::{self, Endpoints};
use prominence_engines::migrate::{
    Layout, MigrateError, Outcome, Owners, Place, Problems, Source, Unfit, Unowned, migrate,
};

use super::{Stage, key, space};

/// A cluster of its own for the existing service, as its keys are not below a root.
struct Existing {
    cluster: Cluster,
}

impl Existing {
    fn holding(rows: &[(&str, &str)]) -> Self {
        let options = Options {
            nodes: 1,
            ..Options::default()
        };
        let cluster = Cluster::start(&options).unwrap();
        for (key, value) in rows {
            cluster.ask(&["put", key, "--", value]).unwrap();
        }
        Self { cluster }
    }

    fn options(&self) -> etcd::Options {
        let endpoints = self.cluster.endpoints().join(",");
        etcd::Options::new(Endpoints::parse(&endpoints).unwrap())
    }

    fn layout(&self, users: Option<&str>, unowned: Unowned) -> Source {
        Source::Existing(Layout {
            options: Box::new(self.options()),
            owners: users.map(|users| Owners::parse(users).unwrap()),
            unowned,
        })
    }
}

fn import(from: &Source, to: &Place, now: Timestamp) -> Result<Outcome, MigrateError> {
    migrate(from, to, now, &mut |_| {})
}

#[track_caller]
fn problems(done: Result<Outcome, MigrateError>) -> Problems {
    match done {
        Err(MigrateError::Unfit(Unfit::Problems(found) | Unfit::Ambiguous(found))) => found,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it is imported"),
    }
}

/// `1`, in base64.
const ONE: &str = "MQ==";

#[test]
fn names_that_begin_like_others_get_their_own_keys_into_either_engine() {
    let existing = Existing::holding(&[
        ("/alice/lab/x/y", "AAH/"),
        ("/alice/lab", ONE),
        ("/alice/_internal_/x", ONE),
        ("/alice2/a", "Mg=="),
        ("/old/empty", ""),
    ]);
    let users = "alice\nalice/lab\nalice2\nold=new name\n";
    let from = existing.layout(Some(users), Unowned::Refuse);
    let stage = Stage::new();
    for place in [stage.cluster(), stage.folder("imported")] {
        let done = import(&from, &place, START).unwrap();
        assert!(matches!(done, Outcome::Done { copied, .. } if copied.entries == 5));
        // Later, so that it would be other times.
        let later = START.after(std::time::Duration::from_secs(9));
        let again = import(&from, &place, later).unwrap();
        assert!(matches!(again, Outcome::NothingToDo(_)));
    }
    stage.etcd(START, async |store| {
        let value = async |name: &str, path: &str| {
            let found = store.get(&space(name), &key(path)).await.unwrap();
            found.map(|entry| entry.value.as_bytes().to_vec())
        };
        assert_eq!(value("alice/lab", "/x/y").await, Some(vec![0, 1, 255]));
        assert_eq!(value("alice", "/lab").await, Some(b"1".to_vec()));
        assert_eq!(value("alice", "/_internal_/x").await, Some(b"1".to_vec()));
        assert_eq!(value("alice", "/lab/x/y").await, None);
        assert_eq!(value("alice2", "/a").await, Some(b"2".to_vec()));
        assert_eq!(value("new name", "/empty").await, Some(Vec::new()));
        assert_eq!(store.usage(&space("old")).await.unwrap().keys, 0);
    });
}

#[test]
fn everything_that_can_not_be_imported_is_told_before_anything_is() {
    let large = "A".repeat(4 * 6_000);
    let existing = Existing::holding(&[
        ("/alice/good", ONE),
        ("/alice/bad", "plain text"),
        ("/alice//empty", ONE),
        ("/alice/large", &large),
        ("/mallory/x", ONE),
    ]);
    let stage = Stage::new();
    let from = existing.layout(Some("alice"), Unowned::Refuse);
    let found = problems(import(&from, &stage.cluster(), START));
    let told: Vec<_> = found.first.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "/alice//empty: the key has an empty segment",
            "/alice/bad: the value is not base64",
            "/alice/large: the value has 18000 bytes; the limit is 16384",
            "/mallory/x: it belongs to no user",
        ]
    );
    assert_eq!(found.count, 4);
    let from = existing.layout(Some("alice"), Unowned::Leave);
    assert_eq!(
        problems(import(&from, &stage.folder("none"), START)).count,
        3
    );
    assert!(!stage.path("none").exists());
    for key in ["/alice//empty", "/alice/bad", "/alice/large"] {
        existing.cluster.ask(&["del", key]).unwrap();
    }
    let done = import(&from, &stage.cluster(), START).unwrap();
    assert!(matches!(done, Outcome::Done { copied, .. } if copied.entries == 1));
}

#[test]
fn names_are_asked_for_where_they_can_be_read_in_two_ways() {
    let existing = Existing::holding(&[("/alice/a", ONE), ("/bob/a", ONE)]);
    let stage = Stage::new();
    let from = existing.layout(None, Unowned::Refuse);
    let done = import(&from, &stage.cluster(), START).unwrap();
    assert!(matches!(done, Outcome::Done { copied, .. } if copied.namespaces == 2));
    existing.cluster.ask(&["put", "/bob/lab/x", ONE]).unwrap();
    let found = problems(import(&from, &stage.folder("none"), START));
    assert_eq!(found.count, 1);
    assert!(found.first[0].what.contains("bob"), "{}", found.first[0]);
    assert!(!stage.path("none").exists());
}

#[test]
fn the_same_cluster_can_hold_both() {
    let existing = Arc::new(Existing::holding(&[("/alice/a", ONE)]));
    let from = existing.layout(None, Unowned::Refuse);
    let to = Place::Cluster(Box::new(existing.options()));
    for is_first in [true, false] {
        let done = import(&from, &to, START).unwrap();
        assert_eq!(matches!(done, Outcome::Done { .. }), is_first);
    }
    let found = existing
        .cluster
        .ask(&["get", "/alice/a", "--print-value-only"]);
    assert_eq!(found.unwrap().trim(), ONE);
}
