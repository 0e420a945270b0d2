//! Real etcd clusters as processes of this machine, and what goes wrong with them.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`etcd`] | a cluster of etcd nodes: started, killed, paused, cut off, asked |
//! | [`network`] | a network of its own for each node, so that nodes can be cut off |
//! | [`process`] | a process that a later command can find again |
//! | [`certificates`] | an authority, and what it signs for servers and clients |
//! | [`poll`] | waiting until something holds |
//!
//! Tests use it, and `cargo xtask cluster` does for people. It stands apart from the other tests so
//! that the chores are built without a storage engine.

pub mod certificates;
pub mod etcd;
pub mod network;
pub mod poll;
pub mod process;
