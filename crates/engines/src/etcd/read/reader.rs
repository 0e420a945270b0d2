//! Reads of one namespace that share a deadline.

use prominence_core::{Extent, Namespace, StoreError};
use tokio::time::Instant;

use crate::etcd::cluster::Cluster;
use crate::etcd::error::Unavailable;
use crate::etcd::keys::NamespaceKeys;
use crate::etcd::query::{Answers, RangeQuery};
use crate::etcd::records::Head;

/// Reads of one namespace for one call of the store, which share a deadline.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) keys: NamespaceKeys<'a>,
    deadline: Instant,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(cluster: &'a Cluster, namespace: &'a Namespace) -> Self {
        Self {
            cluster,
            keys: cluster.keys.of(namespace),
            deadline: cluster.deadline(),
        }
    }

    /// The first revision in the log, and the latest one.
    pub(crate) async fn extent(self) -> Result<Extent, StoreError> {
        let key = self.keys.head();
        let mut answers = self.read(vec![RangeQuery::row(key.clone())]).await?;
        let head = Head::of_row(&key, answers.next_row())?;
        Ok(Extent {
            oldest: head.oldest(),
            latest: head.usage.revision,
        })
    }

    pub(super) async fn read(&self, queries: Vec<RangeQuery>) -> Result<Answers, Unavailable> {
        self.cluster.members.read(queries, self.deadline).await
    }
}
