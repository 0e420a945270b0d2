//! The engine over etcd, on real clusters: what it promises beyond the conformance cases.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's helpers say what went wrong by failing"
)]

mod access;
mod conformance;
mod faults;
mod kept;
mod migrate;
mod reads;
mod support;
mod together;
mod trips;
