//! Writing: the queue of commits, the thread that plans and writes them in groups, deletions of
//! large prefixes, upkeep, and the recovery from failed writes.

pub(super) mod committer;
pub(super) mod deletion;
pub(super) mod group;
pub(super) mod health;
pub(super) mod queue;
pub(super) mod recovery;
pub(super) mod space;
pub(super) mod time_floor;
pub(super) mod upkeep;
pub(super) mod view;
