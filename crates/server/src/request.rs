//! A request's parts, as valid values: its id, the target of its path, its parameters, its conditions and its
//! body.

pub(crate) mod body;
pub(crate) mod conditional;
pub(crate) mod cursor;
pub(crate) mod documented;
pub(crate) mod id;
pub(crate) mod kinds;
pub(crate) mod parameters;
pub(crate) mod query;
pub(crate) mod target;
pub(crate) mod unread;
