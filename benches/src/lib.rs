//! What the programs that measure and prepare have in common.
//!
//! | program | what it does |
//! | --- | --- |
//! | `bare-axum` | answers every GET with the same kilobyte: the limit for a read |
//! | `bare-append` | appends to a file and syncs: the limit for a durable write |
//! | `load` | fills a store, or overwrites it again and again, without a server |
//! | `tokens` | signs a token for each of many users |
//!
//! `requests.lua` is what wrk asks of a server.

pub mod names;
pub mod random;
