//! Reading: the cache of entries, listings and counts, the change log, and the turns of reads that take a while.

mod count;
pub(super) mod entry_cache;
pub(super) mod log;
mod places;
pub(super) mod scan;
pub(super) mod turns;
