//! The interface over real connections: each test starts a server of its own on a free port.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests say what went wrong by failing"
)]

mod auth;
mod barriers;
mod batch;
mod claims;
mod common;
mod compression;
mod conditions;
mod connection;
mod counts;
mod document;
mod errors;
mod fast_path;
mod heads;
mod isolation;
mod issuers;
mod keys;
mod listing;
mod login;
mod long_poll;
mod page;
mod provider;
mod scopes;
mod stalled;
mod strict_tokens;
mod tokens;
mod values;
mod waiting;
mod watching;
mod writes;
