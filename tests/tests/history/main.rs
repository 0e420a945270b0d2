//! Checks histories of many clients at the real program, and tests the checker with planted faults.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests report errors by panics"
)]

mod planted;
mod run;
mod sound;
