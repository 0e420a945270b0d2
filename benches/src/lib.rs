//! What the programs that measure and prepare have in common.
//!
//! | program | what it does |
//! | --- | --- |
//! | `bare-axum` | answers every GET with the same kilobyte, and every POST once its body is appended to a file and synced: the limits for a read and for a durable write over HTTP |
//! | `bare-append` | appends to a file and syncs: the limit for a durable write |
//! | `held` | waits, watches and claims on thousands of connections at once, at a running server |
//! | `load` | fills a store, or overwrites it again and again, without a server |
//! | `tokens` | signs a token for each of many users |
//!
//! `requests.lua` is what wrk asks of a server.

pub mod append;
pub mod client;
pub mod measure;
pub mod names;
pub mod random;
