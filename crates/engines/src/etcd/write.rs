//! Writing: one task for each namespace that is written to, so that its commits share transactions
//! and those of other namespaces don't wait for them.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `writers` | the tasks, and the queue of each |
//! | `queue` | requests, and which commits share a transaction |
//! | `writer` | reads, and sends transactions: the base of the four below |
//! | `group` | plans and writes a group of commits |
//! | `plan`, `view` | from a group of commits to a transaction, on the rules that all engines share |
//! | `head_txn` | the transaction that replaces a head |
//! | `namespace_cache`, `entry_cache` | what a writer knows of its namespace |
//! | `hand_off`, `contention` | processes that write to the same namespace take turns |
//! | `delete_prefix`, `delete_batch` | deletes a prefix |
//! | `upkeep` | removes expired entries, and trims the log |

mod contention;
mod delete_batch;
mod delete_prefix;
mod entry_cache;
mod error;
mod group;
mod hand_off;
mod head_txn;
mod namespace_cache;
mod plan;
mod queue;
mod upkeep;
mod view;
mod writer;
mod writers;

pub(super) use queue::Request;
pub(super) use writers::Writers;
