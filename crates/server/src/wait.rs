//! Waiting: the server's clock, long polls and their limit, barriers, and the queues of claims.

pub(crate) mod barrier;
pub(crate) mod claim_queue;
pub(crate) mod clock;
pub(crate) mod long_poll;
