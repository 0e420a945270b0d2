//! What every server does now and then: have what has expired removed, and logs trimmed.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Compare, CompareOp, Txn, TxnOp};
use prominence_core::{Namespace, StoreError, Timestamp};
use tokio::time::Instant;

use super::Shared;
use super::members::{RowContent, Wanted, range};
use super::records::Record;
use super::writer::Request;

/// Namespaces in which something has expired that are looked up at once.
const MAX_WAKES: usize = 100;

/// Namespaces whose logs are looked at in one go. Each costs the reading of one record.
const MAX_LOGS: usize = 100;

/// The pause after all logs have been looked at: changes are kept for hours, and are forgotten
/// within minutes.
const BETWEEN_PASSES: Duration = Duration::from_secs(60);

/// Does upkeep for as long as the store is open.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut after = None;
    let mut next_pass = Instant::now();
    loop {
        // Several servers do the same; they should not all do it at the same moment.
        let pause = shared.options.upkeep_every + shared.jitter(1);
        tokio::time::sleep(pause).await;
        if let Err(error) = sweep(&shared).await {
            tracing::debug!(%error, "what has expired was not removed");
            continue;
        }
        if Instant::now() < next_pass {
            continue;
        }
        match trim_some(&shared, after.as_ref()).await {
            Ok(last) => after = last,
            Err(error) => tracing::debug!(%error, "old changes were not forgotten"),
        }
        if after.is_none() {
            next_pass = Instant::now() + BETWEEN_PASSES;
        }
    }
}

/// Removes all that has expired, of all namespaces.
pub(super) async fn sweep(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let now = shared.clock.now();
    loop {
        let wanted = Wanted {
            limit: MAX_WAKES,
            content: RowContent::Keys,
            revision: 0,
        };
        let question = range(&shared.keys.wake_by(now), wanted);
        let read = shared.members.read(vec![question], shared.deadline()).await;
        let found = read.map_err(|trouble| trouble.read())?.found;
        let found = found.into_iter().next().unwrap_or_default();
        for row in &found.rows {
            if let Some((_, namespace)) = shared.keys.read_wake(row.key()) {
                let swept = shared.writers.ask(shared, &namespace, Request::Sweep);
                swept.await?;
            }
            // Where something that expires then was written meanwhile, the row was as well.
            let unchanged = Compare::mod_revision(row.key(), CompareOp::Equal, row.mod_revision());
            let txn = Txn::new()
                .when(vec![unchanged])
                .and_then(vec![TxnOp::delete(row.key(), None)]);
            let done = shared.members.transact(&txn, shared.deadline()).await;
            done.map_err(|trouble| trouble.read())?;
        }
        if !found.is_cut {
            return Ok(());
        }
    }
}

/// Has the logs of some namespaces trimmed, where they begin too early. Says after which to go on.
async fn trim_some(
    shared: &Arc<Shared>,
    after: Option<&Namespace>,
) -> Result<Option<Namespace>, StoreError> {
    let wanted = Wanted {
        limit: MAX_LOGS,
        content: RowContent::Keys,
        revision: 0,
    };
    let heads = range(&shared.keys.heads(after), wanted);
    let read = shared.members.read(vec![heads], shared.deadline()).await;
    let found = read.map_err(|trouble| trouble.read())?.found;
    let found = found.into_iter().next().unwrap_or_default();
    let heads = found.rows.iter();
    let namespaces: Vec<_> = heads
        .filter_map(|row| shared.keys.read_head(row.key()))
        .collect();
    let first = Wanted {
        limit: 1,
        ..Wanted::default()
    };
    let questions = namespaces.iter().map(|namespace| {
        let log = shared.keys.log_from(namespace, Default::default());
        range(&log, first)
    });
    let questions: Vec<_> = questions.collect();
    if questions.is_empty() {
        return Ok(None);
    }
    let read = shared.members.read(questions, shared.deadline()).await;
    let firsts = read.map_err(|trouble| trouble.read())?.found;
    let age = u64::try_from(shared.options.retention.age.as_millis()).unwrap_or(u64::MAX);
    let since = Timestamp::from_millis(shared.clock.now().as_millis().saturating_sub(age));
    for (namespace, first) in namespaces.iter().zip(firsts) {
        let Some(row) = first.rows.first() else {
            continue;
        };
        let is_old = match Record::decode(row.key(), row.value()) {
            Ok(record) => record.time() < since,
            Err(_) => false,
        };
        if is_old {
            shared.writers.ask(shared, namespace, Request::Trim).await?;
        }
    }
    Ok(namespaces.last().filter(|_| found.is_cut).cloned())
}

impl Shared {
    /// When something that is begun now has to be done.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.options.request_timeout
    }
}
