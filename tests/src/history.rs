//! Histories: requests of many clients to the real program are recorded and then checked.
//!
//! ```text
//! load (clients, watchers, faults) ─▶ rounds of records ─▶ check ─▶ findings
//! ```
//!
//! A run consists of rounds. In each round, clients send random requests while faults are injected. Then all
//! clients stop, the faults end, and every key is listed. This listing ends one round and begins the next, so
//! each round is checked alone, and a long run takes no more memory than a short one.
//!
//! | module | contents |
//! | --- | --- |
//! | `operation` | requests, answers, watches, rounds |
//! | `record` | the clock, the bound, and histories on disk |
//! | `load` | clients, their random requests, and faults |
//! | `check` | runs every check below, and collects its findings |
//! | `linear` | linearizability key by key, by a known search; `model` is its specification, `project` the effects of each request on each key |
//! | `order` | strict serializability of the namespace, by revision; `log` is its sequence of changes |
//! | `watch` | exactness of watches |
//! | `held` | waits and barriers; `order` finds those that ended late |
//! | `listing` | the keys that listings, pages and watches may show |
//! | `counters`, `claims`, `fencing`, `isolation` | promises about more than one key |

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
