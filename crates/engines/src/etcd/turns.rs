//! Taking turns with other servers that write to the same namespace.
//!
//! Of several transactions on one head the first is done, and whoever sent it is the first to send
//! the next one as well: the others come too late again and again. So a transaction that came too
//! late more than once leaves a mark. The next one that is done takes it away, and its server lets
//! the one that left it go first.

use etcd_client::{DeleteOptions, TxnOp, TxnOpResponse, TxnResponse};
use prominence_core::Namespace;

use super::keys::Keys;

/// Leaves the mark that this process came too late; for a transaction that is not done.
pub(super) fn leave_mark(keys: &Keys, namespace: &Namespace, process: u64) -> TxnOp {
    TxnOp::put(keys.turn(namespace), process.to_be_bytes(), None)
}

/// Takes the mark away; for a transaction that is done.
pub(super) fn take_mark(keys: &Keys, namespace: &Namespace) -> TxnOp {
    let options = DeleteOptions::new().with_prev_key();
    TxnOp::delete(keys.turn(namespace), Some(options))
}

/// Whose mark a transaction took away, if it took one.
pub(super) fn taken_mark(response: &TxnResponse) -> Option<u64> {
    response.op_responses().iter().find_map(|each| match each {
        TxnOpResponse::Delete(deleted) => {
            let mark = deleted.prev_kvs().first()?.value();
            Some(u64::from_be_bytes(mark.try_into().ok()?))
        }
        _ => None,
    })
}
