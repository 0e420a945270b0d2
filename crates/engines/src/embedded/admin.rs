//! For administrators: backups, the check of a store, usage by namespace, and stores that no
//! server has open.

pub(super) mod audit;
pub(super) mod backup;
mod batch_writer;
pub mod check;
pub(super) mod namespaces;
pub(super) mod offline;
pub(super) mod upgrade;
