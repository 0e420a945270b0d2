//! The destination of a migration.

use std::fmt;
use std::path::PathBuf;

use prominence_core::Timestamp;

use super::source::OpenSource;
use super::{MigrateError, Outcome, Start, Step, pipe};
use crate::backup::{BackupSummary, Records};
use crate::embedded::{OfflineStore, RestoreError, restore_watched};
use crate::etcd::Options;
use crate::etcd::transfer::{BlockingCluster, Import, LoadError};

/// The place of a store.
#[derive(Clone, Debug)]
pub enum Place {
    /// A folder, of the embedded engine.
    Folder(PathBuf),
    /// A cluster.
    Cluster(Box<Options>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Cluster(options) => {
                write!(f, "{} at {}", options.root.as_str(), options.endpoints)
            }
        }
    }
}

/// A destination. A folder is locked only while it is written.
pub(super) enum Destination {
    Folder(PathBuf),
    Cluster(Box<BlockingCluster>),
}

/// A destination with the whole copy, which has to be compared before it counts as a store.
pub(super) struct Filled<'a> {
    copied: BackupSummary,
    start: Start,
    import: Option<Import<'a>>,
}

impl Destination {
    pub(super) fn open(place: &Place) -> Result<Self, MigrateError> {
        Ok(match place {
            Place::Folder(folder) => Self::Folder(folder.clone()),
            Place::Cluster(options) => {
                Self::Cluster(Box::new(BlockingCluster::connect((**options).clone())?))
            }
        })
    }

    /// Copies everything into it. `None` where it has data already.
    pub(super) fn fill(
        &self,
        source: &OpenSource,
        now: Timestamp,
        entries: u64,
        watch: &mut dyn FnMut(Step),
    ) -> Result<Option<Filled<'_>>, MigrateError> {
        watch(Step::Copying(entries));
        let mut step = || watch(Step::Copied);
        match self {
            Self::Folder(folder) => {
                let copied = pipe::one(
                    |to| source.export(now, to),
                    |from| restore_watched(folder, from, &mut step),
                );
                match copied {
                    Ok(copied) => Ok(Some(Filled {
                        copied,
                        start: Start::Fresh,
                        import: None,
                    })),
                    Err(MigrateError::Restore(RestoreError::IsAStore { .. })) => Ok(None),
                    Err(error) => Err(error),
                }
            }
            Self::Cluster(cluster) => {
                let Some(mut import) = Import::begin(cluster, now)? else {
                    return Ok(None);
                };
                let start = match import.is_new() {
                    true => Start::Fresh,
                    false => Start::Resumed,
                };
                let begun = import.begun();
                let copied = pipe::one(
                    |to| source.export(begun, to),
                    |from| -> Result<_, LoadError> {
                        let mut records = Records::open(from)?;
                        import.load(&mut records, &mut step)?;
                        Ok(records.summary)
                    },
                )?;
                Ok(Some(Filled {
                    copied,
                    start,
                    import: Some(import),
                }))
            }
        }
    }

    /// Opens the destination to read it.
    pub(super) fn reopen(&self) -> Result<Reopened<'_>, MigrateError> {
        Ok(match self {
            Self::Folder(folder) => Reopened::Folder(Box::new(OfflineStore::open(folder)?)),
            Self::Cluster(cluster) => Reopened::Cluster(cluster),
        })
    }
}

/// A destination that is open for reading.
pub(super) enum Reopened<'a> {
    Folder(Box<OfflineStore>),
    Cluster(&'a BlockingCluster),
}

impl Reopened<'_> {
    pub(super) fn export(
        &self,
        made: Timestamp,
        to: impl std::io::Write,
    ) -> Result<BackupSummary, crate::backup::BackupError> {
        match self {
            Self::Folder(store) => store.backup(made, to),
            Self::Cluster(cluster) => cluster.export(made, to),
        }
    }
}

impl Filled<'_> {
    /// Makes it a store like any other.
    pub(super) fn complete(self) -> Result<Outcome, MigrateError> {
        if let Some(import) = self.import {
            import.complete()?;
        }
        Ok(Outcome::Done {
            copied: self.copied,
            start: self.start,
        })
    }
}
