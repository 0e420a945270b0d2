//! The contention hand-off: processes that write to the same namespace take turns.
//!
//! Of several transactions on one head the first one is done. The process that sent it knows the
//! new head first, so it is the first to send the next transaction as well, and the others would
//! lose again and again. So a process that has lost before leaves a mark where it loses again. The
//! next transaction that is done clears the mark, and its process waits until the marked process
//! has written, or for a few times as long as a write takes.

use std::time::Duration;

use etcd_client::{DeleteOptions, TxnOp, TxnOpResponse, TxnResponse};
use tokio::time::Instant;

use crate::etcd::keys::NamespaceKeys;

/// The shortest and the longest time that a marked process gets to write. The wait mostly ends
/// before, as soon as that process has written.
const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(100);

/// The contention with other processes that write to the same namespace.
#[derive(Default)]
pub(super) struct ContentionState {
    /// Transactions that conflicted since the last one that was done.
    conflicts: u32,
    /// The marked process that writes first, and until when.
    first: Option<(u64, Instant)>,
}

impl ContentionState {
    pub(super) fn has_lost(&self) -> bool {
        self.conflicts > 0
    }

    /// The marked process that writes first, and until when. It is returned once.
    pub(super) fn take_first(&mut self) -> Option<(u64, Instant)> {
        self.first.take()
    }

    /// Takes in the response to a transaction of the process `own`, and how long it took.
    pub(super) fn update(&mut self, response: &TxnResponse, own: u64, took: Duration) {
        if !response.succeeded() {
            self.conflicts = self.conflicts.saturating_add(1);
            return;
        }
        self.conflicts = 0;
        if let Some(process) = cleared_mark(response).filter(|process| *process != own) {
            // The marked process learns of the write at the same time, and needs as long again.
            let limit = (took * 3).clamp(SHORTEST, LONGEST);
            self.first = Some((process, Instant::now() + limit));
        }
    }
}

/// Leaves the mark that this process lost; for a transaction that conflicts.
pub(super) fn leave_mark(keys: NamespaceKeys<'_>, process: u64) -> TxnOp {
    TxnOp::put(keys.contention(), process.to_be_bytes(), None)
}

/// Clears the mark; for a transaction that is done.
pub(super) fn clear_mark(keys: NamespaceKeys<'_>) -> TxnOp {
    let options = DeleteOptions::new().with_prev_key();
    TxnOp::delete(keys.contention(), Some(options))
}

/// The process whose mark a transaction cleared, if there was one.
fn cleared_mark(response: &TxnResponse) -> Option<u64> {
    response.op_responses().iter().find_map(|each| match each {
        TxnOpResponse::Delete(deleted) => {
            let mark = deleted.prev_kvs().first()?.value();
            Some(u64::from_be_bytes(mark.try_into().ok()?))
        }
        _ => None,
    })
}
