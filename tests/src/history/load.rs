//! Clients of real servers, and faults.
//!
//! | module | contents |
//! | --- | --- |
//! | `cluster` | the servers, and the faults that are injected into them |
//! | `several` | several servers over one etcd cluster |
//! | `connection` | sends one client's requests, and reads their answers |
//! | `mix` | the kinds of requests, and the frequency of each |
//! | `worker` | a client that sends random requests |
//! | `watcher` | a client that watches, and resumes after every lost connection |
//! | `run` | rounds, one after another |

pub mod cluster;
pub mod connection;
pub mod mix;
pub mod run;
pub mod several;
mod watcher;
mod worker;
