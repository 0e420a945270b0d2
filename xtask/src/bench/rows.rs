//! How each row is measured. Each starts what it needs and ends it again, so that none is
//! measured on what another has left behind.

pub(crate) mod client;
pub(crate) mod deletes;
pub(crate) mod etcd;
pub(crate) mod held;
pub(crate) mod instructions;
pub(crate) mod mixed;
pub(crate) mod namespaces;
pub(crate) mod opening;
pub(crate) mod pages;
pub(crate) mod reads;
pub(crate) mod space;
pub(crate) mod writes;
