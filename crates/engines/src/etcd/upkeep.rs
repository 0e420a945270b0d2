//! Upkeep, which every server does all the time: expired entries are removed, and logs trimmed.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Compare, CompareOp, Txn, TxnOp};
use prominence_core::{Namespace, Revision, StoreError};
use tokio::time::Instant;

use super::cluster::Cluster;
use super::query::RangeQuery;
use super::records::Record;
use super::write::{Request, Writers};

/// Namespaces with expired entries that are read at once.
const MAX_WAKES: usize = 100;

/// Namespaces whose logs are checked at once. Each costs the reading of one record.
const MAX_LOGS: usize = 100;

/// The pause after all logs have been checked: changes are kept for hours, and are trimmed within
/// minutes.
const BETWEEN_PASSES: Duration = Duration::from_secs(60);

/// Does upkeep for as long as the store is open.
pub(super) async fn run(cluster: Arc<Cluster>, writers: Arc<Writers>) {
    let mut after = None;
    let mut next_pass = Instant::now();
    loop {
        // Several servers do the same; they should not all do it at the same moment.
        let pause = cluster.options.upkeep_every + cluster.jitter(1);
        tokio::time::sleep(pause).await;
        if let Err(error) = sweep(&cluster, &writers).await {
            tracing::debug!(%error, "expired entries were not removed");
            continue;
        }
        if Instant::now() < next_pass {
            continue;
        }
        match trim_some(&cluster, &writers, after.as_ref()).await {
            Ok(last) => after = last,
            Err(error) => tracing::debug!(%error, "logs were not trimmed"),
        }
        if after.is_none() {
            next_pass = Instant::now() + BETWEEN_PASSES;
        }
    }
}

/// Removes all that has expired, of all namespaces.
pub(super) async fn sweep(cluster: &Cluster, writers: &Arc<Writers>) -> Result<(), StoreError> {
    let now = cluster.clock.now();
    loop {
        let wakes = RangeQuery::range(&cluster.keys.wake_by(now));
        let wakes = wakes.limit(MAX_WAKES).keys_only();
        let found = cluster.read(vec![wakes]).await?.next();
        for row in &found.rows {
            if let Some((_, namespace)) = cluster.keys.read_wake(row.key()) {
                writers.upkeep(&namespace, Request::Sweep).await?;
            }
            // A commit of a key that expires at the same instant writes the row again, and then it
            // has to stay.
            let unchanged = Compare::mod_revision(row.key(), CompareOp::Equal, row.mod_revision());
            let txn = Txn::new()
                .when(vec![unchanged])
                .and_then(vec![TxnOp::delete(row.key(), None)]);
            let deadline = cluster.deadline();
            cluster.members.transact(&txn, deadline).await?;
        }
        if !found.is_cut {
            return Ok(());
        }
    }
}

/// Has the logs of some namespaces trimmed, where they have changes that are too old. Returns the
/// namespace after which to continue.
async fn trim_some(
    cluster: &Cluster,
    writers: &Arc<Writers>,
    after: Option<&Namespace>,
) -> Result<Option<Namespace>, StoreError> {
    let heads = RangeQuery::range(&cluster.keys.heads(after));
    let heads = heads.limit(MAX_LOGS).keys_only();
    let found = cluster.read(vec![heads]).await?.next();
    let heads = found.rows.iter();
    let namespaces = heads.filter_map(|row| cluster.keys.read_head(row.key()));
    let namespaces: Vec<_> = namespaces.collect();
    if namespaces.is_empty() {
        return Ok(None);
    }
    let firsts = namespaces.iter().map(|namespace| {
        let log = cluster.keys.of(namespace).log_from(Revision::ZERO);
        RangeQuery::range(&log).limit(1)
    });
    let mut firsts = cluster.read(firsts.collect()).await?;
    let since = cluster.retained_since(cluster.clock.now());
    for namespace in &namespaces {
        let first = firsts.next_row();
        let record = first.map(|row| Record::decode(row.key(), row.value()));
        // A damaged record is reported to those who read it.
        if let Some(Ok(record)) = record
            && record.time() < since
        {
            writers.upkeep(namespace, Request::Trim).await?;
        }
    }
    Ok(namespaces.last().filter(|_| found.is_cut).cloned())
}
