//! The index of the log: an LSM tree for each table, without a journal of its own.
//!
//! Rows get into a memtable when their group is durable in the log, and into files when the memtable
//! is written out. A row has the sequence number of its group. A reader has the state of the trees from
//! between two groups and a number, and sees the rows below that number.
//!
//! lsm-tree writes, reads and compacts the files. Of a row that was written over, it keeps only the
//! newest version: whoever needs an earlier one has a state from before, with the files and memtables
//! of then.
//!
//! **Invariants**
//! - A state that is published between two groups has all rows of the groups before it.
//! - The memtables that take rows change between two groups only. The committer changes them.
//! - At most one memtable of a tree is being written out.
//! - One thread at a time replaces a manifest, and none does after a failure: see [`manifests`].

mod manifests;
mod state;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use lsm_tree::compaction::Leveled;
use lsm_tree::{AbstractTree as _, AnyTree, Cache, Config, DescriptorTable, Memtable};
use lsm_tree::{InternalValue, SequenceNumberCounter, Slice, Tree};

use crate::embedded::files::group_log;
use crate::embedded::storage::table::Table;
use manifests::{Manifests, WhileMerging};
use state::{Files, TreeState};
pub(in crate::embedded) use state::{IndexState, TreeRows};

/// Files of the trees that are kept open.
const OPEN_FILES: usize = 256;

/// Runs of level 0 of a tree from which on commits wait: each read may have to look into all of them.
const MAX_LEVEL_0_RUNS: usize = 28;

/// Files are written without rows that were written over: a state has the files and memtables of its
/// own moment.
const KEEP_NEWEST_ONLY: u64 = super::ALL;

/// The trees.
pub(super) struct Index {
    trees: [Tree; 4],
    manifests: Arc<Manifests>,
    state: RwLock<Arc<IndexState>>,
    /// Held from asking a tree for its files until they are in the state, so that no older ones
    /// replace newer ones there. The flusher and the compactor take it, the committer never does.
    refreshing: Mutex<()>,
    /// States that were replaced and may be in use: see [`Index::release`].
    replaced: Mutex<Vec<Arc<IndexState>>>,
    next_memtable: AtomicU64,
    sequence: SequenceNumberCounter,
}

/// The folder of a table's files.
pub(super) fn folder(store: &Path, table: Table) -> PathBuf {
    group_log::tree_folder(store, group_log::TREES[usize::from(table.number())])
}

impl Index {
    /// Opens the trees in the folder of a store, and makes them where there are none.
    pub(super) fn open(store: &Path, cache_bytes: u64) -> lsm_tree::Result<Self> {
        // 0 stands for "before everything" in a tree, so no reader may be given it.
        let sequence = SequenceNumberCounter::new(1);
        // The trees count versions with it. Readers get their number from the committer.
        let unused = SequenceNumberCounter::default();
        let cache = Arc::new(Cache::with_capacity_bytes(cache_bytes));
        let files = Arc::new(DescriptorTable::new(OPEN_FILES));
        let manifests = Arc::<Manifests>::default();
        let open = |table| {
            let merging = WhileMerging(Arc::clone(&manifests));
            let config = Config::new(folder(store, table), sequence.clone(), unused.clone())
                .use_cache(Arc::clone(&cache))
                .use_descriptor_table(Some(Arc::clone(&files)))
                .with_compaction_filter_factory(Some(Arc::new(merging)));
            match config.open()? {
                AnyTree::Standard(tree) => Ok(tree),
                // A tree with its values elsewhere, which no version of this engine makes.
                AnyTree::Blob(_) => Err(lsm_tree::Error::Unrecoverable),
            }
        };
        let trees = [
            open(Table::Entries)?,
            open(Table::Log)?,
            open(Table::Expiry)?,
            open(Table::Namespaces)?,
        ];
        let next_memtable = AtomicU64::default();
        let state = IndexState::new(std::array::from_fn(|at| TreeState {
            active: new_memtable(&next_memtable),
            sealed: None,
            files: Arc::new(Files::of(&trees[at])),
        }));
        Ok(Self {
            trees,
            manifests,
            state: RwLock::new(Arc::new(state)),
            refreshing: Mutex::default(),
            replaced: Mutex::default(),
            next_memtable,
            sequence,
        })
    }

    fn tree(&self, table: Table) -> &Tree {
        &self.trees[usize::from(table.number())]
    }

    /// The trees now. In the midst of a group it may have a part of that.
    pub(super) fn state(&self) -> Arc<IndexState> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&state)
    }

    /// The sequence number of the next group.
    pub(super) fn next_sequence(&self) -> u64 {
        self.sequence.next()
    }

    /// Readers that are given this number see every row that was put.
    pub(super) fn visible(&self) -> u64 {
        self.sequence.get()
    }

    /// Draws no number up to this one any more.
    pub(super) fn pass_sequence(&self, sequence: u64) {
        self.sequence.fetch_max(sequence + 1);
    }

    /// The highest number of a row in the files of a tree.
    pub(super) fn highest_in_files(&self) -> Option<u64> {
        let trees = self.trees.iter();
        trees
            .filter_map(|tree| tree.get_highest_persisted_seqno())
            .max()
    }

    /// The newest version of a row.
    pub(super) fn latest(&self, table: Table, key: &[u8]) -> lsm_tree::Result<Option<Slice>> {
        self.state().get(table, key, super::ALL)
    }

    /// Goes on with empty memtables; those that have rows are to be written out. False, and nothing
    /// is changed, where earlier ones are not written out yet. Only the committer may call it.
    pub(super) fn rotate(&self) -> bool {
        if self.state().has_sealed() {
            return false;
        }
        self.change(|state| {
            for table in Table::ALL {
                let tree = state.tree_mut(table);
                if !tree.active.is_empty() {
                    let full =
                        std::mem::replace(&mut tree.active, new_memtable(&self.next_memtable));
                    tree.sealed = Some(full);
                }
            }
        });
        true
    }

    /// Writes out the memtables that take no more rows.
    pub(super) fn flush(&self) -> lsm_tree::Result<()> {
        let state = self.state();
        for (table, tree) in Table::ALL.into_iter().zip(state.trees()) {
            if let Some(sealed) = &tree.sealed {
                self.write_out(table, sealed)?;
            }
        }
        Ok(())
    }

    /// Makes a memtable files of its tree.
    fn write_out(&self, table: Table, memtable: &Memtable) -> lsm_tree::Result<()> {
        let tree = self.tree(table);
        let rows = newest(memtable.iter()).map(Ok);
        if let Some((tables, _)) = tree.flush_to_tables(rows)? {
            let register = || tree.register_tables(&tables, None, None, &[], KEEP_NEWEST_ONLY);
            self.manifests.replace(register)?;
        }
        // Together: a reader must find each row in the memtable or in the files.
        self.refresh(table, |tree| tree.sealed = None);
        Ok(())
    }

    /// Compacts one tree where that is worth it, and says whether something was done.
    pub(super) fn compact(&self, table: Table) -> lsm_tree::Result<bool> {
        let tree = self.tree(table);
        let before = tree.current_version().id();
        let compact = || tree.compact(Arc::new(Leveled::default()), KEEP_NEWEST_ONLY);
        self.manifests.replace(compact)?;
        let has_changed = tree.current_version().id() != before;
        if has_changed {
            self.refresh(table, |_| {});
        }
        Ok(has_changed)
    }

    /// True if commits should wait until the trees have fewer files.
    pub(super) fn is_behind(&self) -> bool {
        self.state().level_0_runs() >= MAX_LEVEL_0_RUNS
    }

    /// True if memtables are being written out.
    pub(super) fn is_writing_out(&self) -> bool {
        self.state().has_sealed()
    }

    /// Frees what was replaced and is in nobody's hands any more: memtables, and files that were
    /// compacted. Freeing a memtable takes tens of milliseconds, so a thread in the background does
    /// it rather than the committer, whose state is often the last one.
    pub(super) fn release(&self) {
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        let (unused, used) = std::mem::take(&mut *replaced)
            .into_iter()
            .partition::<Vec<_>, _>(|state| Arc::strong_count(state) == 1);
        *replaced = used;
        drop(replaced);
        drop(unused);
    }

    /// Puts the files that a tree has now in the state, with another change of it.
    fn refresh(&self, table: Table, change: impl FnOnce(&mut TreeState)) {
        let _one_at_a_time = self.refreshing.lock();
        let files = Arc::new(Files::of(self.tree(table)));
        self.change(|state| {
            let tree = state.tree_mut(table);
            tree.files = files;
            change(tree);
        });
    }

    fn change(&self, change: impl FnOnce(&mut IndexState)) {
        let mut current = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let mut state = IndexState::clone(&current);
        change(&mut state);
        let before = std::mem::replace(&mut *current, Arc::new(state));
        drop(current);
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        replaced.push(before);
    }
}

fn new_memtable(next: &AtomicU64) -> Arc<Memtable> {
    Arc::new(Memtable::new(next.fetch_add(1, Ordering::Relaxed)))
}

/// The newest version of each row of a memtable, which has them before the older ones.
fn newest(rows: impl Iterator<Item = InternalValue>) -> impl Iterator<Item = InternalValue> {
    let mut last: Option<Slice> = None;
    rows.filter(move |row| {
        let is_newest = last.as_ref() != Some(&row.key.user_key);
        if is_newest {
            last = Some(row.key.user_key.clone());
        }
        is_newest
    })
}
