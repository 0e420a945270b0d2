//! The source of a migration.

use std::io::Write;
use std::num::NonZeroUsize;

use prominence_core::{StoreError, Timestamp};

use super::MigrateError;
use super::compare::Times;
use super::destination::{Destination, Place};
use super::layout::{Layout, OpenLayout};
use crate::backup::{BackupError, BackupSummary};
use crate::embedded::{OfflineStore, Ranking};
use crate::etcd::transfer::BlockingCluster;

/// The source of a migration.
#[derive(Clone, Debug)]
pub enum Source {
    /// A store of ours.
    Store(Place),
    /// The keys of another service in etcd.
    Existing(Layout),
}

/// An open source. A folder is locked.
pub(super) enum OpenSource {
    Folder(Box<OfflineStore>),
    Cluster(Box<BlockingCluster>),
    Existing(Box<OpenLayout>),
}

impl OpenSource {
    pub(super) fn open(source: &Source) -> Result<Self, MigrateError> {
        Ok(match source {
            Source::Store(Place::Folder(folder)) => {
                Self::Folder(Box::new(OfflineStore::open(folder)?))
            }
            Source::Store(Place::Cluster(options)) => {
                Self::Cluster(Box::new(BlockingCluster::connect((**options).clone())?))
            }
            Source::Existing(layout) => Self::Existing(Box::new(OpenLayout::connect(layout)?)),
        })
    }

    /// Checks that this can be the source of that destination.
    pub(super) fn meet(&mut self, destination: &Destination) -> Result<(), MigrateError> {
        let Destination::Cluster(to) = destination else {
            return Ok(());
        };
        match self {
            Self::Folder(_) => Ok(()),
            Self::Cluster(from) if from.is_at(to) => Err(MigrateError::SamePlace),
            Self::Cluster(_) => Ok(()),
            Self::Existing(layout) => {
                layout.leave_out(to);
                Ok(())
            }
        }
    }

    /// Checks that the source has entries, and that all of them can be copied. Returns their number.
    pub(super) fn survey(&mut self) -> Result<u64, MigrateError> {
        let entries = match self {
            Self::Folder(store) => {
                let found = store.namespaces(Ranking::Name, NonZeroUsize::MIN)?;
                (found.count > 0).then_some(found.keys)
            }
            Self::Cluster(cluster) => {
                if cluster.is_importing()? {
                    return Err(MigrateError::Unfinished);
                }
                cluster
                    .holds_any()?
                    .then(|| cluster.entries())
                    .transpose()?
            }
            Self::Existing(layout) => Some(layout.survey()?).filter(|entries| *entries > 0),
        };
        entries.ok_or(MigrateError::NothingThere)
    }

    /// Writes the source as the stream of a backup.
    pub(super) fn export(
        &self,
        made: Timestamp,
        to: impl Write,
    ) -> Result<BackupSummary, BackupError> {
        match self {
            Self::Folder(store) => store.backup(made, to),
            Self::Cluster(cluster) => cluster.export(made, to),
            Self::Existing(layout) => layout.export(made, to),
        }
    }

    pub(super) fn times(&self) -> Times {
        match self {
            Self::Folder(_) | Self::Cluster(_) => Times::Kept,
            Self::Existing(_) => Times::Given,
        }
    }
}

impl From<StoreError> for MigrateError {
    fn from(error: StoreError) -> Self {
        Self::Source(BackupError::Store(error))
    }
}
