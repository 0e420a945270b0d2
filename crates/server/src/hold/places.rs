//! How many requests are held, and word that the server stops.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prominence_api::ErrorCode;
use prominence_core::Namespace;
use tokio::sync::watch;

use super::RETRY_AFTER_CROWD;
use crate::failure::Failure;

/// How many requests may be held at once. Each keeps a connection from everybody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldLimits {
    /// Of all users together, so that connections are left for requests that are not held.
    pub in_all: usize,
    /// Of one user, so that places are left for the others.
    pub per_user: usize,
}

/// The places for held requests; cheap to clone.
#[derive(Clone)]
pub(crate) struct Places(Arc<Inner>);

/// What a request is held for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// A key.
    Wait,
    /// Enough keys under a prefix.
    Barrier,
    /// Work to take.
    Claim,
    /// Changes, as they happen.
    Watch,
}

/// The place of one held request, given back when it is dropped.
pub(crate) struct Place {
    places: Places,
    user: Namespace,
    held: Held,
    phase: watch::Receiver<Phase>,
}

struct Inner {
    limits: HeldLimits,
    taken: Mutex<Taken>,
    phase: watch::Sender<Phase>,
}

#[derive(Default)]
struct Taken {
    in_all: usize,
    /// In the order of [`Held::ALL`].
    by_kind: [usize; Held::ALL.len()],
    by_user: HashMap<Namespace, usize>,
}

/// What the server is doing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Serving,
    Stopping,
}

impl HeldLimits {
    /// These limits, lowered where they would leave less than half of the connections to requests
    /// that are not held, or less than half of the places to other users.
    pub(crate) fn among(self, connections: usize) -> Self {
        let in_all = self.in_all.min(connections.div_ceil(2));
        let per_user = self.per_user.min(in_all.div_ceil(2));
        Self { in_all, per_user }
    }
}

impl Held {
    /// Every kind.
    pub(crate) const ALL: [Self; 4] = [Self::Wait, Self::Barrier, Self::Claim, Self::Watch];

    /// What it is called where requests are counted.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Barrier => "barrier",
            Self::Claim => "claim",
            Self::Watch => "watch",
        }
    }

    /// Its place in [`Held::ALL`].
    fn index(self) -> usize {
        match self {
            Self::Wait => 0,
            Self::Barrier => 1,
            Self::Claim => 2,
            Self::Watch => 3,
        }
    }
}

impl Places {
    pub(crate) fn new(limits: HeldLimits) -> Self {
        Self(Arc::new(Inner {
            limits,
            taken: Mutex::default(),
            phase: watch::Sender::new(Phase::Serving),
        }))
    }

    /// Takes a place for a user.
    ///
    /// # Errors
    /// When the user, or all of them together, have as many as there may be.
    pub(crate) fn take(&self, user: &Namespace, held: Held) -> Result<Place, Failure> {
        let HeldLimits { in_all, per_user } = self.0.limits;
        let mut taken = self.lock();
        if taken.by_user.get(user).is_some_and(|own| *own >= per_user) {
            let message = format!(
                "you have {per_user} requests waiting or watching already, which is the limit; \
                 try again once one has ended"
            );
            let failure = Failure::new(ErrorCode::RateLimited, message);
            return Err(failure.retry_after(RETRY_AFTER_CROWD).hang_up());
        }
        if taken.in_all >= in_all {
            let message = format!(
                "{in_all} requests are waiting or watching already, which is all that this \
                 server holds; nothing was changed"
            );
            let failure = Failure::new(ErrorCode::Unavailable, message);
            return Err(failure.retry_after(RETRY_AFTER_CROWD).hang_up());
        }
        taken.in_all += 1;
        taken.by_kind[held.index()] += 1;
        *taken.by_user.entry(user.clone()).or_default() += 1;
        drop(taken);
        Ok(Place {
            places: self.clone(),
            user: user.clone(),
            held,
            phase: self.0.phase.subscribe(),
        })
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.lock().in_all
    }

    /// How many of this kind are taken.
    pub(crate) fn taken_for(&self, held: Held) -> usize {
        self.lock().by_kind[held.index()]
    }

    /// Tells everyone who is held that the server stops.
    pub(crate) fn stop(&self) {
        self.0.phase.send_replace(Phase::Stopping);
    }

    /// Nothing that is done under the lock can fail halfway.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Whether the server is stopping.
    pub(super) fn is_stopping(&self) -> bool {
        *self.phase.borrow() == Phase::Stopping
    }

    /// Waits until the server stops.
    pub(super) async fn stopped(&mut self) {
        // Where nobody can say so any more, the server is gone.
        let _ = self.phase.wait_for(|phase| *phase == Phase::Stopping).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.in_all -= 1;
        taken.by_kind[self.held.index()] -= 1;
        if let Some(own) = taken.by_user.get_mut(&self.user) {
            *own -= 1;
            if *own == 0 {
                taken.by_user.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> Namespace {
        Namespace::parse(name).unwrap()
    }

    fn status(taken: Result<Place, Failure>) -> u16 {
        taken.err().map_or(200, |failure| failure.status().as_u16())
    }

    #[test]
    fn one_user_leaves_places_for_the_others_and_gets_its_own_back() {
        let limits = HeldLimits {
            in_all: 3,
            per_user: 2,
        };
        let places = Places::new(limits);
        let (alice, bob, carol) = (user("alice"), user("bob"), user("carol"));
        let mut held: Vec<_> = (0..2)
            .map(|_| places.take(&alice, Held::Wait).unwrap())
            .collect();
        assert_eq!(status(places.take(&alice, Held::Wait)), 429);
        held.push(places.take(&bob, Held::Watch).unwrap());
        assert_eq!(status(places.take(&carol, Held::Claim)), 503);
        let by_kind = || Held::ALL.map(|kind| places.taken_for(kind));
        assert_eq!(by_kind(), [2, 0, 0, 1]);
        held.remove(0);
        assert_eq!((places.taken(), by_kind()), (2, [1, 0, 0, 1]));
        held.push(places.take(&alice, Held::Wait).unwrap());
        drop(held);
        assert_eq!((places.taken(), by_kind()), (0, [0; 4]));
        assert!(places.lock().by_user.is_empty());
    }

    #[test]
    fn fewer_connections_leave_as_much_room_to_others() {
        let limits = |in_all, per_user| HeldLimits { in_all, per_user };
        assert_eq!(limits(5_000, 2_500).among(512), limits(256, 128));
        assert_eq!(limits(10, 5).among(512), limits(10, 5));
        assert_eq!(limits(0, 0).among(512), limits(0, 0));
    }

    #[tokio::test]
    async fn everyone_who_is_held_hears_that_the_server_stops() {
        let limits = HeldLimits {
            in_all: 1,
            per_user: 1,
        };
        let places = Places::new(limits);
        let mut place = places.take(&user("alice"), Held::Wait).unwrap();
        assert!(!place.is_stopping());
        let (_, ()) = tokio::join!(place.stopped(), async { places.stop() });
        assert!(place.is_stopping());
    }
}
