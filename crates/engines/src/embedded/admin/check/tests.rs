//! One test for each thing that can be wrong, each with rows damaged by hand.

use std::time::Duration;

use prominence_core::clock::ManualClock;
use prominence_core::{
    Commit, Cursor, Entry, Key, Lifetime, Operation, Quota, Revision, Store, Timestamp, Value,
};

mod agreement;
mod rows;

use super::*;
use crate::embedded::Options;
use crate::embedded::storage::format;

const START: Timestamp = Timestamp::from_secs(1_700_000_000);

/// A store with three namespaces: some keys overwritten, some deleted, some that expire.
struct Damaged {
    store: EmbeddedStore,
    _folder: tempfile::TempDir,
}

fn name(name: &str) -> Namespace {
    Namespace::parse(name).unwrap()
}

fn key(key: &str) -> Key {
    Key::parse(key).unwrap()
}

fn place(revision: u64, index: u32) -> Cursor {
    Cursor {
        revision: Revision::new(revision),
        index,
    }
}

fn set(text: &str, value: &str, lifetime: Lifetime) -> Operation {
    Operation::Set {
        key: key(text),
        value: Value::stored(value.to_owned().into_bytes().into()),
        lifetime,
    }
}

impl Damaged {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let runtime = runtime();
        for space in ["alice", "alice2", "bob é"] {
            let hour = Lifetime::For(Duration::from_hours(1));
            let commits = [
                vec![set("/a", "1", Lifetime::Permanent), set("/b/c", "22", hour)],
                vec![set("/a", "333", Lifetime::Permanent)],
                vec![set("/d", "4", Lifetime::Permanent), set("/e", "5", hour)],
                vec![Operation::Delete { key: key("/d") }],
            ];
            for operations in commits {
                let commit = Commit::new(Vec::new(), operations).unwrap();
                runtime
                    .block_on(store.commit(&name(space), None, commit))
                    .unwrap();
            }
        }
        Self {
            store,
            _folder: folder,
        }
    }

    fn put(&self, table: Table, key: Vec<u8>, row: Vec<u8>) {
        let database = self.store.shared.slot.open().unwrap();
        let mut batch = database.batch();
        batch.put(table, key, row);
        assert!(batch.write().is_ok());
    }

    fn remove(&self, table: Table, key: Vec<u8>) {
        let database = self.store.shared.slot.open().unwrap();
        let mut batch = database.batch();
        batch.remove(table, key);
        assert!(batch.write().is_ok());
    }

    fn get(&self, table: Table, key: &[u8]) -> Vec<u8> {
        let database = self.store.shared.slot.open().unwrap();
        database
            .snapshot()
            .get(table, key)
            .unwrap()
            .unwrap()
            .to_vec()
    }

    fn entry(&self, text: &str) -> Entry {
        let row_key = keys::entry(&name("alice"), &key(text));
        let row = self.get(Table::Entries, &row_key).into();
        format::decode_entry(&row_key, &row).unwrap()
    }

    fn put_entry(&self, text: &str, entry: &Entry) {
        let row_key = keys::entry(&name("alice"), &key(text));
        let row = format::encode_entry(&row_key, entry);
        self.put(Table::Entries, row_key, row);
    }

    fn change_space(&self, change: impl FnOnce(&mut format::NamespaceRow)) {
        let row_key = keys::namespace(&name("alice"));
        let row = self.get(Table::Namespaces, &row_key);
        let mut row = format::decode_namespace(&row_key, &row).unwrap();
        change(&mut row);
        let row = format::encode_namespace(&row_key, &row);
        self.put(Table::Namespaces, row_key, row);
    }

    fn report(&self) -> CheckReport {
        self.store.check(&mut |_| {}).unwrap()
    }

    /// Demands exactly these findings, all of them alice's.
    #[track_caller]
    fn finds(&self, expected: &[(FindingKind, Place, Option<&str>)]) {
        let report = self.report();
        let found: Vec<_> = report
            .findings
            .iter()
            .map(|finding| (finding.kind, finding.place.clone(), finding.key.as_deref()))
            .collect();
        assert_eq!(found, expected, "{:#?}", report.findings);
        for finding in &report.findings {
            assert_eq!(finding.namespace, Some(name("alice")), "{finding}");
            let sentence = finding.to_string();
            assert!(sentence.contains("namespace alice"), "{sentence}");
            assert!(!sentence.contains(['\n', '{']), "{sentence}");
        }
    }
}

fn open(folder: &Path) -> EmbeddedStore {
    let options = Options {
        quotas: Quota::UNLIMITED.into(),
        min_free_disk: 0,
        upkeep_every: Duration::from_hours(1),
        ..Options::new(folder)
    };
    EmbeddedStore::open(options, Arc::new(ManualClock::new(START))).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn a_sound_store_has_no_findings_and_is_counted() {
    let damaged = Damaged::new();
    let report = damaged.report();
    assert_eq!(report.findings, []);
    assert!(report.is_clean());
    assert_eq!((report.namespaces, report.entries), (3, 9));
    assert_eq!((report.changes, report.expiring), (18, 6));
    let usage = runtime().block_on(damaged.store.usage(&name("alice")));
    assert_eq!(report.bytes, 3 * usage.unwrap().bytes);
}

#[test]
fn a_store_that_is_not_running_is_checked_where_it_lies() {
    let damaged = Damaged::new();
    let row_key = keys::entry(&name("alice"), &key("/a"));
    damaged.put(Table::Entries, row_key, b"\x01nonsense".to_vec());
    let folder = damaged._folder.path();
    let locked = check_folder(folder, &mut |_| {}).unwrap_err();
    assert!(matches!(locked, OpenError::Locked { .. }), "{locked}");
    // It is in the files of the tree then, and not read from the log again.
    damaged.store.shared.slot.open().unwrap().settle().unwrap();
    damaged.store.close();
    let report = check_folder(folder, &mut |_| {}).unwrap();
    assert_eq!(report.entries, 9);
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
    assert_eq!(report.findings[0].kind, FindingKind::DamagedRow);
}

#[test]
fn a_folder_without_a_store_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    for path in [folder.path(), &missing] {
        check_folder(path, &mut |_| {}).unwrap_err();
    }
    assert!(!missing.exists());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
