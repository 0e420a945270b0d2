//! The log watch: wakes local waiters from one etcd watch of the logs of all namespaces.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Event, EventType, WatchStream};
use tokio::sync::watch::Receiver;

use super::cluster::Cluster;
use super::error::Unavailable;
use super::records::{Content, Record};

/// The pause before a watch that has ended is started again.
const PAUSE: Duration = Duration::from_millis(50);

/// The longest such pause.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Watches the logs for as long as the store is open.
pub(super) async fn run(cluster: Arc<Cluster>) {
    let mut failovers = cluster.members.subscribe_to_failovers();
    // The cluster's revision from which on events are missing; 0 where it is not known.
    let mut next = 0;
    let mut pause = PAUSE;
    loop {
        failovers.mark_unchanged();
        match cluster.members.watch(&cluster.keys.logs(), next).await {
            Ok(watch) => {
                pause = PAUSE;
                let ended = receive(&cluster, watch, &mut next, &mut failovers).await;
                if let Err(error) = ended {
                    tracing::debug!(reason = error.reason, "the watch of the cluster ended");
                }
            }
            Err(error) => {
                tracing::debug!(reason = error.reason, "the cluster can't be watched");
            }
        }
        cluster.counters.watches.add(1);
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

/// Wakes waiters for the events of a watch, until it ends or calls change to another member.
async fn receive(
    cluster: &Cluster,
    mut watch: WatchStream,
    next: &mut i64,
    failovers: &mut Receiver<usize>,
) -> Result<(), Unavailable> {
    loop {
        let message = tokio::select! {
            message = watch.message() => message?,
            changed = failovers.changed() => {
                // A member that calls have left may send nothing for long.
                if changed.is_ok() {
                    return Ok(());
                }
                std::future::pending().await
            }
        };
        let Some(message) = message else {
            return Ok(());
        };
        if message.canceled() {
            if message.compact_revision() > 0 {
                *next = 0;
            }
            return Ok(());
        }
        let sent_at = message.header().map_or(0, |header| header.revision());
        if message.created() && *next == 0 {
            // Events before the start of this watch are lost, so every waiter has to look.
            cluster.hub.wake_all().tell();
            *next = sent_at + 1;
        }
        for event in message.events() {
            wake(cluster, event);
            if let Some(row) = event.kv() {
                *next = (*next).max(row.mod_revision() + 1);
            }
        }
        // A message with events may be followed by more events before its own revision; one
        // without events says that there are none up to there.
        if message.events().is_empty() && !message.created() {
            *next = (*next).max(sent_at + 1);
        }
    }
}

/// Wakes those who wait for the changes in a record of a log.
fn wake(cluster: &Cluster, event: &Event) {
    let Some(row) = event.kv().filter(|_| event.event_type() == EventType::Put) else {
        return;
    };
    let Some((namespace, _)) = cluster.keys.read_log(row.key()) else {
        return;
    };
    if !cluster.hub.is_listened_to(&namespace) {
        return;
    }
    let record = Record::decode(row.key(), row.value());
    match record.map(|record| record.content) {
        Ok(Content::Inline(commits)) => {
            for commit in commits {
                let keys = commit.changes.iter().map(|change| &change.key);
                let woken = cluster.hub.publish(&namespace, commit.revision, keys);
                woken.tell();
            }
        }
        // The waiters read the log, and see the parts or the damage there.
        Ok(Content::InParts { .. }) | Err(_) => cluster.hub.wake_namespace(&namespace).tell(),
    }
}
