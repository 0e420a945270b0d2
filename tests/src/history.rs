//! Histories of many clients at the real program, and what checks them.
//!
//! ```text
//! load (clients, watchers, faults) ─▶ rounds of records ─▶ check ─▶ findings
//! ```
//!
//! A run is made of rounds. In each, clients ask at random while faults happen; then everybody stops, the
//! servers are well again, and everything is listed. That list ends one round and begins the next, so
//! that each is checked by itself and memory stays bounded however long the run is.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `operation` | requests, answers, watches, rounds |
//! | `record` | the clock, the bound, and histories on disk |
//! | `load` | who asks for what, and the faults meanwhile |
//! | `check` | every check below, and what they say |
//! | `linear` | linearizability key by key, by a known search; `model` is its specification, `project` what each request says about each key |
//! | `order` | strict serializability of the namespace, by revision; `log` is what it went through |
//! | `watch` | exactness of watches |
//! | `held` | waits and barriers, which `order` finds late |
//! | `listing` | what listings, pages and watches may show |
//! | `counters`, `claims`, `fencing`, `isolation` | what is promised beyond single keys |

pub mod check;
pub mod claims;
pub mod counters;
pub mod fencing;
pub mod held;
pub mod isolation;
pub mod linear;
pub mod listing;
pub mod load;
pub mod log;
pub mod model;
pub mod operation;
pub mod order;
pub mod project;
pub mod record;
pub mod watch;
