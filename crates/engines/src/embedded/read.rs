//! Reading: the cache of entries, listings and counts, and the change log.

pub(super) mod entry_cache;
pub(super) mod log;
pub(super) mod scan;
