//! Backups of this engine: what it writes into the stream, and what it makes of one.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `write` | a snapshot becomes a stream |
//! | `restore` | records become a store |

mod restore;
mod write;

pub use crate::backup::{BackupError, BackupReadError, BackupSummary, verify};
pub use restore::restore;
#[cfg(feature = "etcd")]
pub(crate) use restore::restore_watched;
pub(in crate::embedded) use write::write;
