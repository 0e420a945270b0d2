//! Disks that lose power, fail or are slow.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests say what went wrong by failing"
)]

mod io_errors;
mod log_errors;
mod power_cut;
mod recording;
mod slow_disk;
mod writing;
