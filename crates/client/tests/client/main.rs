//! The client against a server that answers by script: what is repeated, what is an error, and
//! what no broken answer may look like.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests say what went wrong by failing"
)]

mod answers;
mod claiming;
mod listing;
mod repeating;
mod script;
mod waiting;
mod watching;
