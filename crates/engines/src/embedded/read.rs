//! Reading: the cache of entries, listings and counts, and the change log.

pub(super) mod entry_cache;
pub(super) mod log;
mod places;
pub(super) mod scan;
