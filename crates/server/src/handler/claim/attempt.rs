//! One attempt to claim a key, which leaves no claim if its caller has gone.

use std::time::Duration;

use prominence_core::{
    Commit, Condition, Entry, Key, Operation, Outcome, Precondition, Prefix, Principal, Timestamp,
};
use tokio::sync::oneshot;
use tracing::Instrument as _;

use crate::app::App;
use crate::failure::Failure;

/// The result of an attempt.
pub(super) enum Found {
    Work(Box<Taken>),
    /// No free key, at least until this instant.
    Nothing(Option<Timestamp>),
}

/// A key that was claimed. Its claim is released unless [`Taken::keep`] is called.
pub(super) struct Taken {
    key: Key,
    entry: Entry,
    /// Dropped without a message if the caller has gone.
    kept: oneshot::Sender<()>,
}

/// Claims the first key under the prefix that has no live claim, if there is one.
///
/// A commit goes on when its caller hangs up. So it runs in a task of its own, which passes the key on and then
/// waits for the message that its caller keeps the claim. Without it no worker knows of the claim, and the task
/// releases it: the next worker should not have to wait until it runs out.
pub(super) async fn attempt(
    app: &App,
    who: &Principal,
    prefix: &Prefix,
    duration: Duration,
) -> Result<Found, Failure> {
    let claim = Operation::Claim {
        prefix: prefix.clone(),
        hold: duration,
    };
    let permit = app.gate.commit(who, Commit::single(None, claim))?;
    let (app, who) = (app.clone(), who.clone());
    let (sender, found) = oneshot::channel();
    let task = async move {
        let outcome = match permit.apply().await {
            Ok(committed) => committed.outcomes.into_iter().next(),
            Err(error) => return drop(sender.send(Err(error.into()))),
        };
        let (key, entry) = match outcome {
            Some(Outcome::Claimed(key, entry)) => (key, entry),
            Some(Outcome::NoneFree { until }) => {
                return drop(sender.send(Ok(Found::Nothing(until))));
            }
            _ => return drop(sender.send(Err(Failure::surprised()))),
        };
        let claim = Condition {
            key: key.clone(),
            expect: Precondition::Revision(entry.metadata.revision),
        };
        let (kept, is_kept) = oneshot::channel();
        let taken = Taken { key, entry, kept };
        // If the caller has gone, the key is dropped here or in the channel, and `kept` with it.
        drop(sender.send(Ok(Found::Work(Box::new(taken)))));
        if is_kept.await.is_err() {
            release(&app, &who, claim).await;
        }
    };
    tokio::spawn(task.in_current_span());
    found.await.map_err(|_| Failure::surprised())?
}

/// Releases a claim of which no worker knows. If that fails, the claim runs out by itself.
async fn release(app: &App, who: &Principal, claim: Condition) {
    let key = claim.key.clone();
    let commit = Commit::single(Some(claim), Operation::Release { key });
    let released = match app.gate.commit(who, commit) {
        Ok(permit) => permit.apply().await.map(drop),
        Err(forbidden) => Err(forbidden.into()),
    };
    if let Err(error) = released {
        tracing::debug!(%error, "a claim whose caller has gone was not released");
    }
}

impl Taken {
    /// Keeps the claim, for an answer that is sent now.
    pub(super) fn keep(self) -> (Key, Entry) {
        let Self { key, entry, kept } = self;
        // The task has ended only if the server stops.
        let _ = kept.send(());
        (key, entry)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::testing::OneKey;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn the_claim_of_a_caller_that_hung_up_is_released() {
        let work = OneKey::stored().await;
        let before = work.entry().await.metadata.revision;
        let prefix = Prefix::everything();
        let mut trying = Box::pin(attempt(&work.app, &work.who, &prefix, MINUTE));
        assert!((&mut trying).now_or_never().is_none(), "it is under way");
        drop(trying);
        work.becomes(|entry| {
            let is_free = entry.metadata.claimed_until.is_none();
            is_free && entry.metadata.revision == before.next().next()
        })
        .await;
    }

    #[tokio::test]
    async fn a_claim_that_is_kept_stays_and_another_is_released() {
        let work = OneKey::stored().await;
        let prefix = Prefix::everything();
        let take = async || {
            let found = attempt(&work.app, &work.who, &prefix, MINUTE).await;
            match found.map_err(|failure| failure.message().to_owned()) {
                Ok(Found::Work(taken)) => Some(taken),
                Ok(Found::Nothing(_)) => None,
                Err(message) => panic!("{message}"),
            }
        };
        drop(take().await.unwrap());
        work.becomes(|entry| entry.metadata.claimed_until.is_none())
            .await;
        let (key, entry) = take().await.unwrap().keep();
        assert_eq!(key, work.key);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(work.entry().await, entry);
        assert!(take().await.is_none());
    }
}
