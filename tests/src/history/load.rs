//! Clients of a real server, and what goes wrong meanwhile.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `cluster` | the servers, and the faults that they are put through |
//! | `several` | several servers over one etcd cluster |
//! | `connection` | one client's requests, as they travel |
//! | `mix` | which requests there are, and how often each comes |
//! | `worker` | a client that asks at random |
//! | `watcher` | a client that watches, and comes back after every break |
//! | `run` | rounds, one after another |

pub mod cluster;
pub mod connection;
pub mod mix;
pub mod run;
pub mod several;
mod watcher;
mod worker;
