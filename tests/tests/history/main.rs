//! Histories of many clients at the real program, checked; and the checker, checked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests say what went wrong by failing"
)]

mod planted;
mod run;
mod sound;
