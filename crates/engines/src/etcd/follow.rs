//! Hearing of what is written, by whichever server: one watch of the cluster's for all who wait.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Event, EventType, WatchStream};
use tokio::sync::watch::Receiver;

use super::Shared;
use super::error::Trouble;
use super::records::{Content, Record};

/// The pause before a watch that has ended is begun again.
const PAUSE: Duration = Duration::from_millis(50);

/// The longest such pause.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Follows the logs of all namespaces for as long as the store is open.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut turns = shared.members.turns();
    // From where on nothing has been heard; 0 where that is not known.
    let mut next = 0;
    let mut pause = PAUSE;
    loop {
        turns.mark_unchanged();
        match shared.members.watch(&shared.keys.logs(), next).await {
            Ok(watch) => {
                pause = PAUSE;
                let ended = follow(&shared, watch, &mut next, &mut turns).await;
                if let Err(trouble) = ended {
                    tracing::debug!(reason = trouble.reason, "the watch of the cluster ended");
                }
            }
            Err(trouble) => {
                tracing::debug!(reason = trouble.reason, "the cluster can't be watched");
            }
        }
        shared.counters.rewatched();
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

/// Wakes those who wait for what the watch tells of, until it ends or another member is asked.
async fn follow(
    shared: &Shared,
    mut watch: WatchStream,
    next: &mut i64,
    turns: &mut Receiver<usize>,
) -> Result<(), Trouble> {
    loop {
        let message = tokio::select! {
            message = watch.message() => message.map_err(Trouble::of)?,
            turned = turns.changed() => {
                // A member that others have left may say nothing for long.
                if turned.is_ok() {
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
        let heard = message.header().map_or(0, |header| header.revision());
        if message.created() && *next == 0 {
            // What was written before this watch began may not be heard.
            shared.hub.wake_all();
            *next = heard + 1;
        }
        for event in message.events() {
            tell(shared, event);
            if let Some(row) = event.kv() {
                *next = (*next).max(row.mod_revision() + 1);
            }
        }
        // A message with events may be followed by more of what came before its own revision;
        // one without says that nothing is missing up to there.
        if message.events().is_empty() && !message.created() {
            *next = (*next).max(heard + 1);
        }
    }
}

/// Wakes those who wait for what a record tells of.
fn tell(shared: &Shared, event: &Event) {
    let Some(row) = event.kv() else {
        return;
    };
    if event.event_type() != EventType::Put {
        return;
    }
    let Some((namespace, _)) = shared.keys.read_log(row.key()) else {
        return;
    };
    if !shared.hub.is_listened_to(&namespace) {
        return;
    }
    match Record::decode(row.key(), row.value()) {
        Ok(Record {
            content: Content::Here(commits),
            ..
        }) => {
            for commit in commits {
                let keys = commit.changes.iter().map(|change| &change.key);
                shared.hub.publish(&namespace, commit.revision, keys);
            }
        }
        // Those who look find out.
        Ok(_) | Err(_) => shared.hub.wake_namespace(&namespace),
    }
}
