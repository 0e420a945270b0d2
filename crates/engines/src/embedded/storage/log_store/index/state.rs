//! The trees at one moment: for each, the memtable that takes rows, the one that is being written out,
//! and the files.
//!
//! lsm-tree keeps memtables and files behind one lock, which it holds over several syncs whenever it
//! replaces a tree's manifest. A read or a write that needs that lock waits for all of them. So the
//! memtables are our own, and of the files this holds what lsm-tree gives for one version, asked for
//! once, when the version is new.

use std::ops::Bound;
use std::sync::Arc;

use lsm_tree::table::filter::standard_bloom::Builder as FilterBuilder;
use lsm_tree::{AbstractTree as _, InternalValue, Memtable, SeqNo, Slice, Tree, ValueType};

use crate::embedded::storage::table::Table;

/// Rows of a range, in the order of their keys.
pub(in crate::embedded) type TreeRows =
    Box<dyn DoubleEndedIterator<Item = lsm_tree::Result<(Slice, Slice)>> + Send + 'static>;

/// The first and the last key of a range.
pub(super) type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

type FindInFiles = dyn Fn(&[u8], SeqNo) -> lsm_tree::Result<Option<InternalValue>> + Send + Sync;
type ReadRange = dyn Fn(&TreeState, Bounds, SeqNo) -> TreeRows + Send + Sync;

/// All trees at one moment. It stays as it is, apart from rows that are put into the newest memtables.
#[derive(Clone)]
pub(in crate::embedded) struct IndexState {
    trees: [TreeState; 4],
}

/// One tree at one moment.
#[derive(Clone)]
pub(super) struct TreeState {
    /// The memtable that takes rows.
    pub(super) active: Arc<Memtable>,
    /// The memtable that is being written out.
    pub(super) sealed: Option<Arc<Memtable>>,
    pub(super) files: Arc<Files>,
}

/// The files of a tree: one version of it. Its type has no public name, so these functions hold it.
pub(super) struct Files {
    find: Box<FindInFiles>,
    range: Box<ReadRange>,
    pub(super) level_0_runs: usize,
}

impl Files {
    /// The files that a tree has now.
    pub(super) fn of(tree: &Tree) -> Self {
        let (version, with_memtables) = loop {
            let version = tree.current_version();
            let with_memtables = tree.get_version_history_lock().latest_version();
            // The flusher or the compactor may have added a version in between.
            if tree.current_version().id() == version.id() {
                break (version, with_memtables);
            }
        };
        let level_0_runs = version.l0().run_count();
        let find = move |key: &[u8], visible| {
            let hash = FilterBuilder::get_hash(key);
            let runs = version.iter_levels().flat_map(|level| level.iter());
            for table in runs.filter_map(|run| run.get_for_key(key)) {
                // Files of earlier levels have the newer rows.
                if let Some(found) = table.get(key, visible, hash)? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        };
        let range = move |tree: &TreeState, bounds: Bounds, visible| {
            let mut version = with_memtables.clone();
            // The tree's own memtable is always empty.
            version.active_memtable = Arc::clone(&tree.active);
            let sealed = tree.sealed.clone().map(|sealed| (sealed, visible));
            let rows = Tree::create_internal_range(version, &bounds, visible, sealed);
            let rows = rows.map(|row| row.map(|row| (row.key.user_key, row.value)));
            Box::new(rows) as TreeRows
        };
        Self {
            find: Box::new(find),
            range: Box::new(range),
            level_0_runs,
        }
    }
}

impl IndexState {
    pub(super) fn new(trees: [TreeState; 4]) -> Self {
        Self { trees }
    }

    pub(super) fn trees(&self) -> &[TreeState; 4] {
        &self.trees
    }

    fn tree(&self, table: Table) -> &TreeState {
        &self.trees[usize::from(table.number())]
    }

    pub(super) fn tree_mut(&mut self, table: Table) -> &mut TreeState {
        &mut self.trees[usize::from(table.number())]
    }

    /// One row.
    pub(in crate::embedded) fn get(
        &self,
        table: Table,
        key: &[u8],
        visible: SeqNo,
    ) -> lsm_tree::Result<Option<Slice>> {
        let tree = self.tree(table);
        let sealed = || {
            let sealed = tree.sealed.as_ref();
            sealed.and_then(|sealed| sealed.get(key, visible))
        };
        let found = match tree.active.get(key, visible).or_else(sealed) {
            Some(found) => Some(found),
            None => (tree.files.find)(key, visible)?,
        };
        Ok(found.filter(|row| !row.is_tombstone()).map(|row| row.value))
    }

    /// The rows of a range.
    pub(in crate::embedded) fn range(
        &self,
        table: Table,
        bounds: Bounds,
        visible: SeqNo,
    ) -> TreeRows {
        let tree = self.tree(table);
        (tree.files.range)(tree, bounds, visible)
    }

    /// Puts a row, or the removal of one; answers the bytes of the memtable that it is in.
    pub(in crate::embedded) fn put(
        &self,
        table: Table,
        key: Slice,
        row: Option<Slice>,
        sequence: SeqNo,
    ) -> u64 {
        let row = match row {
            Some(row) => InternalValue::from_components(key, row, sequence, ValueType::Value),
            None => InternalValue::new_tombstone(key, sequence),
        };
        self.tree(table).active.insert(row).1
    }

    /// True if memtables are being written out.
    pub(super) fn has_sealed(&self) -> bool {
        self.trees.iter().any(|tree| tree.sealed.is_some())
    }

    /// The most runs that level 0 of a tree has.
    pub(super) fn level_0_runs(&self) -> usize {
        let runs = self.trees.iter().map(|tree| tree.files.level_0_runs);
        runs.max().unwrap_or_default()
    }
}

/// lsm-tree has no such output for most of what is in it.
impl std::fmt::Debug for IndexState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IndexState").finish_non_exhaustive()
    }
}
