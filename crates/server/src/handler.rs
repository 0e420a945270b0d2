//! The handlers: each parses its request, calls the store through a permit, and writes the answer.

pub(crate) mod account;
pub(crate) mod batch;
mod call;
mod claim;
mod commit;
mod compression;
pub(crate) mod delete;
pub(crate) mod kv;
mod list;
pub(crate) mod page;
pub(crate) mod responses;
pub(crate) mod service;
mod waiting_read;
mod watch;
pub(crate) mod write;
