//! The database: how rows are encoded, written in batches and read from snapshots, and the slot
//! in which readers find the open database.

pub(super) mod database;
pub(super) mod empty_ranges;
pub(super) mod format;
pub(super) mod keys;
mod log_store;
pub(super) mod slot;
mod table;
