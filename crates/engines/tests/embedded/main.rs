//! The embedded engine on a real disk: what it promises beyond the conformance cases.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's helpers say what went wrong by failing, as its tests do"
)]

mod conformance;
mod disk;
mod opening;
mod power;
mod support;
mod upkeep;
mod writing;
