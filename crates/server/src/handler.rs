//! What each route does: extract, call through a permit, render.

pub(crate) mod batch;
mod claim;
mod commit;
pub(crate) mod delete;
pub(crate) mod kv;
pub(crate) mod list;
pub(crate) mod service;
mod value;
mod wait;
mod watch;
pub(crate) mod write;
