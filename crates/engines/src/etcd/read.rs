//! Reading: single keys, listings and the log.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `batcher` | reads of single keys, many in one transaction |
//! | `scan`, `walk` | pages, counts and usage, each as of one revision of the cluster |
//! | `log` | changes after a cursor |

mod batcher;
mod log;
mod scan;
mod walk;

use prominence_core::{Extent, Namespace, StoreError};
use tokio::time::Instant;

pub(super) use batcher::ReadBatcher;
pub(super) use log::LogRead;
pub(super) use scan::Scanned;

use super::cluster::Cluster;
use super::error::Unavailable;
use super::query::{Answers, RangeQuery};
use super::records::Head;

/// Reads of one namespace for one call of the store, which share a deadline.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    cluster: &'a Cluster,
    namespace: &'a Namespace,
    deadline: Instant,
}

impl<'a> Reader<'a> {
    pub(super) fn new(cluster: &'a Cluster, namespace: &'a Namespace) -> Self {
        Self {
            cluster,
            namespace,
            deadline: cluster.deadline(),
        }
    }

    /// The first revision in the log, and the latest one.
    pub(super) async fn extent(self) -> Result<Extent, StoreError> {
        let key = self.cluster.keys.head(self.namespace);
        let mut answers = self.read(vec![RangeQuery::row(key.clone())]).await?;
        let head = Head::of_row(&key, answers.next_row())?;
        Ok(Extent {
            oldest: head.oldest(),
            latest: head.usage.revision,
        })
    }

    async fn read(&self, queries: Vec<RangeQuery>) -> Result<Answers, Unavailable> {
        self.cluster.members.read(queries, self.deadline).await
    }
}
