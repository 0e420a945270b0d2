//! The transaction that replaces a namespace's head.

use etcd_client::{Compare, CompareOp, DeleteOptions, Txn, TxnOp};
use prominence_core::{Entry, Key};

use super::contention;
use super::namespace_cache::{ChangedEntries, HeadChange, MissingReads, NamespaceCache};
use crate::etcd::keys::{NamespaceKeys, Range};
use crate::etcd::records::{Content, Head, Record};
use crate::row;

/// A transaction that replaces a namespace's head: the only way to build one.
///
/// **Invariant.** It compares that the head is the one that it was planned on, so of two
/// transactions on one head only one is done, and one whose answer was lost can be sent again. It
/// writes the new head together with the record of the log, clears the contention mark, and where
/// it conflicts it reads what the next attempt needs.
pub(super) struct HeadTxn<'a> {
    keys: NamespaceKeys<'a>,
    cache: &'a NamespaceCache,
    compares: Vec<Compare>,
    writes: Vec<TxnOp>,
    change: Option<HeadChange>,
    /// The process that leaves a contention mark where the transaction conflicts.
    mark: Option<u64>,
    /// Bytes of the entries that are written.
    bytes: usize,
}

/// A transaction to send, and the meaning of its answer.
pub(super) struct PreparedTxn {
    pub(super) txn: Txn,
    /// `None` where it only checks.
    pub(super) change: Option<HeadChange>,
    /// The reads of a conflict, beside the head and the log.
    pub(super) missing: MissingReads,
}

impl<'a> HeadTxn<'a> {
    pub(super) fn new(cache: &'a NamespaceCache, written: i64, mark: Option<u64>) -> Self {
        let keys = cache.keys();
        // Without this comparison two processes that plan on one head would both write: a claim would
        // be given twice, and usage and revisions would be wrong.
        let unchanged = Compare::mod_revision(keys.head(), CompareOp::Equal, written);
        Self {
            keys,
            cache,
            compares: vec![unchanged],
            writes: Vec::new(),
            change: None,
            mark,
            bytes: 0,
        }
    }

    /// Demands that a key does not exist. The head alone does not show that, where the key was never
    /// read: the plan would replace an entry that it does not know.
    pub(super) fn expect_absent(&mut self, key: &Key) {
        let absent = Compare::create_revision(self.keys.entry(key), CompareOp::Equal, 0);
        self.compares.push(absent);
    }

    /// Demands that a row is the one that was written at this revision of the cluster, and deletes
    /// it.
    pub(super) fn delete_unchanged(&mut self, row_key: Vec<u8>, written: i64) {
        let unchanged = Compare::mod_revision(row_key.clone(), CompareOp::Equal, written);
        self.compares.push(unchanged);
        self.writes.push(TxnOp::delete(row_key, None));
    }

    /// Writes an entry, or deletes it where there is none.
    pub(super) fn write_entry(&mut self, key: &Key, entry: Option<&Entry>) {
        let row_key = self.keys.entry(key);
        self.bytes += row_key.len();
        self.writes.push(match entry {
            None => TxnOp::delete(row_key, None),
            Some(entry) => {
                let row = row::encode_entry(&row_key, entry);
                self.bytes += row.len();
                TxnOp::put(row_key, row, None)
            }
        });
    }

    pub(super) fn delete_range(&mut self, range: &Range) {
        self.writes.push(delete_range(range));
    }

    pub(super) fn write(&mut self, rows: Vec<(Vec<u8>, Vec<u8>)>) {
        let puts = rows
            .into_iter()
            .map(|(key, row)| TxnOp::put(key, row, None));
        self.writes.extend(puts);
    }

    /// Bytes of the entries that it writes so far.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Replaces the head, and writes the record of the log with it where there is one.
    pub(super) fn replace_head(
        &mut self,
        head: Head,
        record: Option<Content>,
        entries: ChangedEntries,
    ) {
        let is_logged = record.is_some();
        let head_key = self.keys.head();
        let head_row = head.encode(&head_key);
        let mut rows = vec![(head_key, head_row)];
        // The record is written with the head: watchers must miss no commit, and the ticket in it shows
        // that this attempt was done also when others have replaced the head since.
        if let Some(content) = record {
            let record = Record {
                ticket: head.ticket,
                content,
            };
            let log_key = self.keys.log(head.usage.revision);
            let log_row = record.encode(&log_key);
            rows.push((log_key, log_row));
        }
        self.write(rows);
        // The answer tells whose mark it was. A mark that stays would never hand over the next turn.
        self.writes.push(contention::clear_mark(self.keys));
        self.change = Some(HeadChange {
            head,
            entries,
            is_logged,
        });
    }

    /// The transaction. Where it conflicts, it reads what is `missing` then.
    pub(super) fn prepare(self, missing: MissingReads) -> PreparedTxn {
        // The reads of a conflict are as of the same moment as the comparison that failed. Without them
        // each retry would cost a round trip more, in which others write again.
        let queries = self.cache.queries(&missing).into_iter();
        let mut on_conflict: Vec<TxnOp> = queries.map(TxnOp::from).collect();
        // A transaction that only checks takes no turn from others, so it leaves no mark.
        if let (Some(process), Some(_)) = (self.mark, &self.change) {
            on_conflict.push(contention::leave_mark(self.keys, process));
        }
        PreparedTxn {
            txn: Txn::new()
                .when(self.compares)
                .and_then(self.writes)
                .or_else(on_conflict),
            change: self.change,
            missing,
        }
    }
}

pub(super) fn delete_range(range: &Range) -> TxnOp {
    let options = DeleteOptions::new().with_range(range.end.clone());
    TxnOp::delete(range.start.clone(), Some(options))
}
