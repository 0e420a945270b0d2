//! What the programs that measure and prepare have in common.
//!
//! | program | what it does |
//! | --- | --- |
//! | `bare-server` | hyper that answers every GET with the same kilobyte, and every POST once its body is appended to a growing file and synced: the limits for a read and for a durable write over HTTP |
//! | `bare-append` | appends to a growing file and syncs: the limit for a durable write |
//! | `held` | waits, watches and claims on thousands of connections at once, at a running server |
//! | `long-run` | mixes requests for an hour, and says every ten seconds how it goes |
//! | `load` | fills a store, or overwrites it again and again, without a server |
//! | `tokens` | signs a token for each of many users |
//!
//! `requests.lua` is what wrk asks of a server, `nats_puts.py` asks one of NATS.

pub mod append;
pub mod client;
pub mod measure;
pub mod names;
pub mod plot;
pub mod random;
