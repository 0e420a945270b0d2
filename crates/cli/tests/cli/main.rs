//! The real executable, against a real server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests say what went wrong by failing"
)]

mod awaiting_input;
mod batch;
mod certificates;
mod claiming;
mod completing;
mod copying;
mod deleting;
mod duplicating;
mod escaping;
mod exec;
mod failures;
mod gathering;
mod json;
mod keys;
mod library;
mod listing;
mod locking;
mod login;
mod manual;
mod misspelt;
mod mistakes;
mod patience;
mod profiles;
mod proxies;
mod queues;
mod reloading;
mod request_logs;
mod results;
mod running;
mod screens;
mod serving;
mod signals;
mod support;
mod sweep;
mod table_faults;
mod tables;
mod terminal;
mod token_files;
mod tokens;
mod typing;
mod waiting;
