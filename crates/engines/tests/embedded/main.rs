//! The embedded engine on a real disk: what it promises beyond the conformance cases.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's helpers say what went wrong by failing, as its tests do"
)]

mod backup;
mod conformance;
mod disk;
mod fixture;
mod formats;
mod opening;
mod support;
mod upkeep;
mod writing;
