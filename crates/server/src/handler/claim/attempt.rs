//! One try to take something, which leaves nothing taken where its caller has gone.

use std::time::Duration;

use prominence_core::{
    Commit, Condition, Entry, Key, Operation, Outcome, Precondition, Prefix, Principal, Timestamp,
};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::app::App;
use crate::failure::Failure;

/// What a try found.
pub(super) enum Found {
    Work(Box<Taken>),
    /// Nothing, until then at least.
    Nothing(Option<Timestamp>),
}

/// A key that was taken. Dropping it gives the key back: nobody knows of the claim then, and the
/// next worker should not have to wait until it runs out.
pub(super) struct Taken {
    app: App,
    who: Principal,
    work: Option<(Key, Entry)>,
}

/// Takes the first key under the prefix that nobody holds, if there is one.
///
/// A commit that is under way goes on when whoever asked for it hangs up. So it runs in a task of
/// its own, which hands over what it took, or gives it back where nobody is there any more.
pub(super) async fn attempt(
    app: &App,
    who: &Principal,
    prefix: &Prefix,
    hold: Duration,
) -> Result<Found, Failure> {
    let claim = Operation::Claim {
        prefix: prefix.clone(),
        hold,
    };
    let permit = app.gate.commit(who, Commit::single(None, claim))?;
    let (app, who) = (app.clone(), who.clone());
    let (hand_over, handed_over) = oneshot::channel();
    tokio::spawn(async move {
        let found = match permit.apply().await {
            Ok(committed) => match committed.outcomes.into_iter().next() {
                Some(Outcome::Claimed(key, entry)) => {
                    let work = Some((key, entry));
                    Ok(Found::Work(Box::new(Taken { app, who, work })))
                }
                Some(Outcome::NoneFree { until }) => Ok(Found::Nothing(until)),
                _ => Err(Failure::surprised()),
            },
            Err(error) => Err(error.into()),
        };
        // Where nobody takes it over, it is dropped here.
        drop(hand_over.send(found));
    });
    handed_over.await.map_err(|_| Failure::surprised())?
}

impl Taken {
    /// Keeps the claim, for a caller who is about to be told.
    pub(super) fn keep(mut self) -> Option<(Key, Entry)> {
        self.work.take()
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let Some((key, entry)) = self.work.take() else {
            return;
        };
        let condition = Condition {
            key: key.clone(),
            expect: Precondition::Revision(entry.metadata.revision),
        };
        let release = Commit::single(Some(condition), Operation::Release { key });
        let permit = self.app.gate.commit(&self.who, release);
        // Where the process is ending, or the release fails, the claim runs out by itself.
        if let (Ok(permit), Ok(runtime)) = (permit, Handle::try_current()) {
            runtime.spawn(async move {
                if let Err(error) = permit.apply().await {
                    tracing::debug!(%error, "a claim that nobody waits for was not given back");
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::testing::OneKey;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn what_was_taken_for_a_caller_who_hung_up_is_given_back() {
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
    async fn what_is_kept_stays_taken_and_what_is_not_is_given_back() {
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
        let (key, entry) = take().await.unwrap().keep().unwrap();
        assert_eq!(key, work.key);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(work.entry().await, entry);
        assert!(take().await.is_none());
    }
}
