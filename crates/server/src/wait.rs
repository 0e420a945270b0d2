//! Waiting: the server's clock, long polls and their limit, barriers, the queues of claims, and the memory and the places
//! that requests and connections wait for.

pub(crate) mod barrier;
pub(crate) mod budget;
pub(crate) mod claim_queue;
pub(crate) mod clock;
pub(crate) mod connection;
pub(crate) mod long_poll;
