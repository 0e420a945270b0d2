//! A request's parts, as valid values: its id, the target of its path, its parameters, its conditions and its
//! body; and its lines in the access log and the audit log.

pub(crate) mod body;
pub(crate) mod conditional;
pub(crate) mod cursor;
pub(crate) mod documented;
pub(crate) mod id;
pub(crate) mod kinds;
pub(crate) mod log;
pub(crate) mod parameters;
pub(crate) mod query;
pub(crate) mod target;
pub(crate) mod unread;
