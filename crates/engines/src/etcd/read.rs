//! Reading: single keys, listings and the log.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `batcher` | reads of single keys, many in one transaction |
//! | `scan`, `walk`, `back` | pages, counts and usage, each as of one revision of the cluster |
//! | `log` | changes after a cursor |
//! | `reader` | reads of one namespace that share a deadline: the base of `scan` and `log` |

mod back;
mod batcher;
mod log;
mod reader;
mod scan;
mod walk;

pub(super) use batcher::ReadBatcher;
pub(super) use reader::Reader;
pub(super) use scan::Scanned;
