//! The embedded engine on a real disk: what it promises beyond the conformance cases.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's helpers say what went wrong by failing, and which seed shows it again"
)]

mod backup;
mod claims;
mod collection;
mod conformance;
mod deletion;
mod disk;
mod fixture;
mod formats;
mod kill;
mod layout;
mod opening;
mod places;
mod power;
mod rot;
mod support;
mod turns;
mod upgrade;
mod upkeep;
mod writing;
