//! The engines behind [`prominence_core::Store`].
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`embedded`] | the default engine: one process, one folder, an LSM tree |
//! | [`etcd`] | any number of stateless processes over an etcd cluster |
//! | [`migrate`] | everything of one store into another, with the other engine or from another layout |
//! | [`hub`] | wakes those who wait for changes |
//! | [`fair_permits`] | permits that are handed out to owners in turn |
//! | [`private_folder`] | keeps a data folder for its owner alone |
//!
//! `etcd` and `migrate` are built with the feature `etcd`.
//!
//! **Invariant:** nothing here knows users, tokens or requests; an engine sees namespaces, keys
//! and bytes. No other crate names a storage library.

mod backup;
#[cfg_attr(
    not(feature = "etcd"),
    allow(
        dead_code,
        reason = "only the etcd engine plans on the index and planned changes"
    )
)]
mod claim_index;
pub mod embedded;
#[cfg(feature = "etcd")]
pub mod etcd;
pub mod fair_permits;
mod fair_queue;
pub mod hub;
#[cfg(feature = "etcd")]
pub mod migrate;
pub mod private_folder;
mod queued;
mod retention;
#[cfg_attr(
    not(feature = "etcd"),
    allow(
        dead_code,
        reason = "some kinds of rows are written by the etcd engine alone"
    )
)]
mod row;

pub use embedded::EmbeddedStore;
#[cfg(feature = "etcd")]
pub use etcd::EtcdStore;
pub use retention::Retention;
