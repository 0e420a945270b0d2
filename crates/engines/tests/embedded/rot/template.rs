//! A store whose content is known, with data in tables and in the log.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use prominence_core::{
    Changes, Commit, Cursor, Depth, Lifetime, Namespace, Operation, Order, Page, PageLimit,
    Projection, Scan, Store, StoreError, Usage,
};
use prominence_engines::EmbeddedStore;

use crate::layout;
use crate::support::{clock, eventually, everything, key, open, set};

const NAMESPACES: [&str; 3] = ["alice", "alice2", "bob é"];
const KEYS: usize = 60;

/// The store, and what it answers.
pub(super) struct Template {
    /// The store as a clean end leaves it.
    closed: tempfile::TempDir,
    /// The same as it is left when its process is killed.
    killed: tempfile::TempDir,
    right: BTreeMap<Question, Seen>,
}

/// Something to ask the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Question {
    Get(&'static str, String),
    List(&'static str),
    Changes(&'static str),
    Usage(&'static str),
}

/// What it answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Seen {
    Value(Option<Vec<u8>>),
    Page(Page),
    Changes(Changes),
    Usage(Usage),
}

impl Template {
    pub(super) async fn new() -> Self {
        let closed = tempfile::tempdir().unwrap();
        fill(closed.path()).await;
        for tree in layout::TREES {
            let tables = closed.path().join(tree).join("tables");
            assert!(
                fs::read_dir(tables).unwrap().count() > 0,
                "there are no tables in {tree}"
            );
        }
        let store = open(closed.path());
        write(&store, 2).await;
        let killed = copy(closed.path());
        let mut template = Self {
            closed,
            killed,
            right: BTreeMap::new(),
        };
        for (question, seen) in template.look(&store).await {
            template.right.insert(question, seen.unwrap());
        }
        store.close();
        template
    }

    /// A copy to damage.
    pub(super) fn copy(&self) -> tempfile::TempDir {
        copy(self.closed.path())
    }

    /// The same of a store whose process was killed.
    pub(super) fn copy_of_killed(&self) -> tempfile::TempDir {
        copy(self.killed.path())
    }

    /// What the store answered when it was sound.
    pub(super) fn right(&self, question: &Question) -> Option<&Seen> {
        self.right.get(question)
    }

    /// Asks for everything, in every way.
    pub(super) async fn look(
        &self,
        store: &EmbeddedStore,
    ) -> Vec<(Question, Result<Seen, StoreError>)> {
        let mut answers = Vec::new();
        for name in NAMESPACES {
            let space = Namespace::parse(name).unwrap();
            // Some of these keys were deleted, and some never were.
            for n in 0..KEYS + 5 {
                let path = path(n);
                let entry = store.get(&space, &key(&path)).await;
                let value = entry
                    .map(|entry| Seen::Value(entry.map(|entry| entry.value.as_bytes().to_vec())));
                answers.push((Question::Get(name, path), value));
            }
            let scan = Scan {
                prefix: everything(),
                after: None,
                limit: PageLimit::MAX,
                order: Order::Ascending,
                depth: Depth::All,
                projection: Projection::Entries,
            };
            let page = store.scan(&space, &scan).await;
            answers.push((Question::List(name), page.map(Seen::Page)));
            let changes = store.changes(&space, &everything(), Cursor::START).await;
            answers.push((Question::Changes(name), changes.map(Seen::Changes)));
            let usage = store.usage(&space).await;
            answers.push((Question::Usage(name), usage.map(Seen::Usage)));
        }
        answers
    }
}

fn path(n: usize) -> String {
    format!("/folder{}/key{n}", n % 3)
}

/// Writes all keys, or overwrites and deletes some of them.
async fn write(store: &EmbeddedStore, round: usize) {
    for name in NAMESPACES {
        let space = Namespace::parse(name).unwrap();
        for n in (0..KEYS).step_by(round * round) {
            let lifetime = match n % 4 {
                0 => Lifetime::For(Duration::from_hours(1)),
                _ => Lifetime::Permanent,
            };
            // Some take several blocks of a table.
            let times = if n % 7 == 1 { 800 } else { 80 };
            let value = format!("{name} {n} {round} ").repeat(times);
            let commit = match (round, n % 5) {
                (2, 0) => Commit::single(None, Operation::Delete { key: key(&path(n)) }),
                _ => set(&path(n), value, lifetime),
            };
            store.commit(&space, None, commit).await.unwrap();
        }
    }
}

fn copy(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in files(folder) {
        let to = copy.path().join(&file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(folder.join(&file), to).unwrap();
    }
    copy
}

/// Writes all keys with small memtables and segments, so that there are tables and finished segments.
async fn fill(folder: &Path) {
    let store = EmbeddedStore::open(layout::small(folder), clock()).unwrap();
    write(&store, 1).await;
    eventually(async || {
        let segments = fs::read_dir(layout::log(folder)).unwrap().count();
        let has_tables = |tree: &&str| {
            let tables = fs::read_dir(folder.join(tree).join("tables"));
            tables.unwrap().count() > 0
        };
        let with_tables = layout::TREES.iter().filter(|tree| has_tables(tree)).count();
        match segments > 4 && with_tables == layout::TREES.len() {
            true => Ok(()),
            false => Err("there are too few segments and tables"),
        }
    })
    .await;
    store.close();
}

/// All files of a folder, by their paths within it.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}
