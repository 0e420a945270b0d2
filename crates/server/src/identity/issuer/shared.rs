//! Answers about tokens that several requests need at once, and refusals of a moment ago.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prominence_core::{Clock, Timestamp};
use tokio::sync::watch;

use super::Accepted;
use crate::identity::token::Rejected;

/// The time for which a refused token is refused without asking again, and how many of them are kept.
const REFUSED_FOR: Duration = Duration::from_secs(10);
const MAX_REFUSED: usize = 4_096;

/// The digest of a token.
pub(super) type Digest = [u8; 32];

/// The outcome for a token.
pub(super) type Verified = Result<Accepted, Rejected>;

/// The verifications under way.
pub(super) struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    under_way: HashMap<Digest, watch::Receiver<Option<Verified>>>,
    refused: HashMap<Digest, (Timestamp, Rejected)>,
}

impl Shared {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::default(),
        }
    }

    /// Waits for the verification of this token: that which is under way, or a new one.
    pub(super) async fn verify<F>(
        self: &Arc<Self>,
        digest: Digest,
        verify: impl FnOnce() -> F,
    ) -> Verified
    where
        F: Future<Output = Verified> + Send + 'static,
    {
        let mut awaited = match self.join(digest)? {
            Joined::UnderWay(awaited) => awaited,
            Joined::New(tell, awaited) => {
                let shared = Arc::clone(self);
                let verifying = verify();
                // A task of its own: a caller who hangs up must not leave others without an answer.
                tokio::spawn(async move {
                    let verified = verifying.await;
                    shared.end(digest, &verified);
                    let _ = tell.send(Some(verified));
                });
                awaited
            }
        };
        let verified = awaited.wait_for(Option::is_some).await;
        let verified = verified.ok().and_then(|verified| verified.clone());
        // Its task has failed, which is a bug.
        verified.unwrap_or(Err(Rejected::Unavailable(REFUSED_FOR)))
    }

    fn join(&self, digest: Digest) -> Result<Joined, Rejected> {
        let now = self.clock.now();
        let mut state = self.state();
        if let Some((until, rejected)) = state.refused.get(&digest)
            && now < *until
        {
            return Err(rejected.clone());
        }
        if let Some(awaited) = state.under_way.get(&digest) {
            return Ok(Joined::UnderWay(awaited.clone()));
        }
        let (tell, awaited) = watch::channel(None);
        state.under_way.insert(digest, awaited.clone());
        Ok(Joined::New(tell, awaited))
    }

    fn end(&self, digest: Digest, verified: &Verified) {
        let now = self.clock.now();
        let mut state = self.state();
        state.under_way.remove(&digest);
        let rejected = match verified {
            // That it can't be asked says nothing of the token.
            Ok(_) | Err(Rejected::Unavailable(_)) => return,
            Err(rejected) => rejected.clone(),
        };
        if state.refused.len() >= MAX_REFUSED {
            state.refused.retain(|_, (until, _)| now < *until);
        }
        if state.refused.len() < MAX_REFUSED {
            let until = now.after(REFUSED_FOR);
            state.refused.insert(digest, (until, rejected));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Joined {
    UnderWay(watch::Receiver<Option<Verified>>),
    New(
        watch::Sender<Option<Verified>>,
        watch::Receiver<Option<Verified>>,
    ),
}
