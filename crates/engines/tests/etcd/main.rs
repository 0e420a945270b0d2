//! The engine over etcd, on real clusters: its promises beyond the conformance cases.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's helpers say what went wrong by failing"
)]

mod access;
mod conformance;
mod entry_cache;
mod faults;
mod lost_answers;
mod migrate;
mod processes;
mod reads;
mod round_trips;
mod support;
