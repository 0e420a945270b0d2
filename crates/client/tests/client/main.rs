//! The client at a server with scripted answers: the requests that are repeated, the errors, and broken answers that
//! must not look like valid ones.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests report errors by panics"
)]

mod answers;
mod claiming;
mod listing;
mod repeating;
mod script;
mod waiting;
mod watching;
