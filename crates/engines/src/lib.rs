//! The engines behind [`prominence_core::Store`].
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`embedded`] | the default engine: one process, one folder, an LSM tree |
//! | [`etcd`] | any number of stateless processes over an etcd cluster |
//! | [`migrate`] | everything of one store into another, with the other engine or from another layout |
//! | [`hub`] | wakes those who wait for changes |
//!
//! **Invariant:** nothing here knows users, tokens or requests; an engine sees namespaces, keys
//! and bytes. No other crate names a storage library.

mod backup;
pub mod embedded;
pub mod etcd;
pub mod hub;
pub mod migrate;
mod queued;
mod retention;
mod row;
mod taken;

pub use embedded::EmbeddedStore;
pub use etcd::EtcdStore;
pub use retention::Retention;
