//! The index of the log: an LSM tree for each table, without a journal of its own.
//!
//! Rows get into a tree's memtable when their group is durable in the log, and into its files when the
//! memtable is written out. A row has the sequence number of its group, and a reader sees the rows
//! below the number that it was given.
//!
//! The trees draw numbers from the same counter when they write memtables out and compact. A reader
//! that was given a lower number reads the state of the tree before; so the memtable that takes rows
//! must not change between a group's number being drawn and its rows being put. Only the committer
//! does either.

use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lsm_tree::compaction::Leveled;
use lsm_tree::{AbstractTree as _, AnyTree, Cache, Config, DescriptorTable};
use lsm_tree::{Guard as _, IterGuardImpl, SequenceNumberCounter, Slice};

use crate::embedded::files::group_log;
use crate::embedded::storage::database::Table;

/// Files of the trees that are kept open.
const OPEN_FILES: usize = 256;

/// Memtables of a tree that are written out, and runs of its level 0, from which on commits wait.
const MAX_SEALED_MEMTABLES: usize = 3;
const MAX_LEVEL_0_RUNS: usize = 28;

/// The trees.
pub(super) struct Index {
    trees: [(Table, AnyTree); 4],
    sequence: SequenceNumberCounter,
}

/// Rows of a range, in the order of their keys.
pub(in crate::embedded) type TreeRows =
    Box<dyn DoubleEndedIterator<Item = IterGuardImpl> + Send + 'static>;

/// The folder of a table's files.
pub(super) fn folder(store: &Path, table: Table) -> PathBuf {
    group_log::tree_folder(store, group_log::TREES[usize::from(table.number())])
}

impl Index {
    /// Opens the trees in the folder of a store, and makes them where there are none.
    pub(super) fn open(store: &Path, cache_bytes: u64) -> lsm_tree::Result<Self> {
        // 0 stands for "before everything" in a tree, so no reader may be given it.
        let sequence = SequenceNumberCounter::new(1);
        // What the trees say of visibility is not used: they raise it in the midst of a group.
        let unused = SequenceNumberCounter::default();
        let cache = Arc::new(Cache::with_capacity_bytes(cache_bytes));
        let files = Arc::new(DescriptorTable::new(OPEN_FILES));
        let open = |table| {
            let config = Config::new(folder(store, table), sequence.clone(), unused.clone())
                .use_cache(Arc::clone(&cache))
                .use_descriptor_table(Some(Arc::clone(&files)));
            Ok::<_, lsm_tree::Error>((table, config.open()?))
        };
        let trees = [
            open(Table::Entries)?,
            open(Table::Log)?,
            open(Table::Expiry)?,
            open(Table::Namespaces)?,
        ];
        Ok(Self { trees, sequence })
    }

    fn tree(&self, table: Table) -> &AnyTree {
        &self.trees[usize::from(table.number())].1
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
            .filter_map(|(_, tree)| tree.get_highest_persisted_seqno())
            .max()
    }

    /// One row.
    pub(super) fn get(
        &self,
        table: Table,
        key: &[u8],
        visible: u64,
    ) -> lsm_tree::Result<Option<Slice>> {
        self.tree(table).get(key, visible)
    }

    /// The rows of a range.
    pub(super) fn range(
        &self,
        table: Table,
        bounds: (Bound<Vec<u8>>, Bound<Vec<u8>>),
        visible: u64,
    ) -> TreeRows {
        self.tree(table).range(bounds, visible, None)
    }

    /// Puts a row; answers the bytes of the memtable that it is in.
    pub(super) fn put(&self, table: Table, key: Slice, row: Slice, sequence: u64) -> u64 {
        self.tree(table).insert(key, row, sequence).1
    }

    /// Removes a row; answers the bytes of the memtable that the removal is in.
    pub(super) fn remove(&self, table: Table, key: Slice, sequence: u64) -> u64 {
        self.tree(table).remove(key, sequence).1
    }

    /// Goes on with empty memtables.
    pub(super) fn rotate(&self) {
        for (_, tree) in &self.trees {
            tree.rotate_memtable();
        }
    }

    /// Writes out the memtables that take no more rows. Of a row that was written over, what no
    /// reader sees who was given `oldest` or a higher number is left out.
    pub(super) fn flush(&self, oldest: u64) -> lsm_tree::Result<()> {
        for (_, tree) in &self.trees {
            let lock = tree.get_flush_lock();
            tree.flush(&lock, oldest)?;
        }
        Ok(())
    }

    /// Compacts one tree where that is worth it, and says whether something was done.
    pub(super) fn compact(&self, table: Table, oldest: u64) -> lsm_tree::Result<bool> {
        let tree = self.tree(table);
        let before = tree.current_version().id();
        tree.compact(Arc::new(Leveled::default()), oldest)?;
        Ok(tree.current_version().id() != before)
    }

    /// Whether commits should wait until memtables are written out and compacted.
    pub(super) fn is_behind(&self) -> bool {
        self.trees.iter().any(|(_, tree)| {
            tree.sealed_memtable_count() >= MAX_SEALED_MEMTABLES
                || tree.l0_run_count() >= MAX_LEVEL_0_RUNS
        })
    }
}

/// The next row.
pub(in crate::embedded) fn next(rows: &mut TreeRows) -> lsm_tree::Result<Option<(Slice, Slice)>> {
    rows.next().map(IterGuardImpl::into_inner).transpose()
}
