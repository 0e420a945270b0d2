//! The limit on long polls, and the notice that the server stops.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prominence_api::ErrorCode;
use prominence_core::Namespace;
use tokio::sync::watch;

use super::RETRY_AFTER_LIMIT;
use crate::failure::Failure;

/// The limits on the number of long polls. Each keeps a connection from other requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongPollLimits {
    /// Of all users together, so that connections are left for other requests.
    pub in_all: usize,
    /// Of one user, so that slots are left for the others. While several users have some, none of them gets more
    /// than are free then, so that there is always one for another user.
    pub per_user: usize,
}

/// The slots of long polls; cheap to clone.
#[derive(Clone)]
pub(super) struct Slots(Arc<Inner>);

/// The event that a long poll waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LongPollKind {
    /// A key exists or changes.
    Key,
    /// A prefix has enough keys.
    Barrier,
    /// There is work to claim.
    Claim,
    /// Changes, as they happen.
    Watch,
}

/// The slot of one long poll, freed when it is dropped.
pub(super) struct Slot {
    slots: Slots,
    user: Namespace,
    kind: LongPollKind,
    phase: watch::Receiver<Phase>,
}

struct Inner {
    taken: Mutex<Taken>,
    phase: watch::Sender<Phase>,
}

/// The limits, and the number of slots that are taken.
struct Taken {
    limits: LongPollLimits,
    in_all: usize,
    /// In the order of [`LongPollKind::ALL`].
    by_kind: [usize; LongPollKind::ALL.len()],
    by_user: HashMap<Namespace, usize>,
}

/// The state of the server: it serves, or stops.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Serving,
    Stopping,
}

impl LongPollLimits {
    /// These limits, lowered if they would leave less than half of the connections to other requests, or less
    /// than half of the slots to other users.
    pub(crate) fn among(self, connections: usize) -> Self {
        let in_all = self.in_all.min(connections.div_ceil(2));
        let per_user = self.per_user.min(in_all.div_ceil(2));
        Self { in_all, per_user }
    }
}

impl LongPollLimits {
    /// The most that one user can have, by its own limit if it has one.
    pub(crate) fn of_user(self, own: Option<usize>) -> usize {
        own.unwrap_or(self.per_user).min(self.in_all)
    }
}

impl LongPollKind {
    /// Every kind.
    pub(crate) const ALL: [Self; 4] = [Self::Key, Self::Barrier, Self::Claim, Self::Watch];

    /// The value of the label `kind` in the metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Key => "wait",
            Self::Barrier => "barrier",
            Self::Claim => "claim",
            Self::Watch => "watch",
        }
    }

    /// Its index in [`LongPollKind::ALL`].
    fn index(self) -> usize {
        match self {
            Self::Key => 0,
            Self::Barrier => 1,
            Self::Claim => 2,
            Self::Watch => 3,
        }
    }
}

impl Slots {
    pub(super) fn new(limits: LongPollLimits) -> Self {
        Self(Arc::new(Inner {
            taken: Mutex::new(Taken {
                limits,
                in_all: 0,
                by_kind: [0; LongPollKind::ALL.len()],
                by_user: HashMap::new(),
            }),
            phase: watch::Sender::new(Phase::Serving),
        }))
    }

    /// Takes a slot for a user, who may have a limit of its own.
    ///
    /// # Errors
    /// When the user has as many as the limits allow, or has its share of them, or all users together have as many
    /// as the limits allow.
    pub(super) fn take(
        &self,
        (user, own_limit): (&Namespace, Option<usize>),
        kind: LongPollKind,
    ) -> Result<Slot, Failure> {
        let mut taken = self.lock();
        let in_all = taken.limits.in_all;
        let per_user = taken.limits.of_user(own_limit);
        if per_user == 0 {
            // It would not help to try again.
            let message =
                "you may have no request that waits or watches; ask the operator for some";
            return Err(Failure::new(ErrorCode::Forbidden, message));
        }
        let own = taken.by_user.get(user).copied().unwrap_or(0);
        let is_shared = own > 0 && taken.in_all > own;
        let has_share = is_shared && own >= in_all.saturating_sub(taken.in_all);
        if own >= per_user || has_share {
            let limit = match own >= per_user {
                true => "the limit",
                false => "your share while other users wait too",
            };
            let message = format!(
                "you have {own} requests waiting or watching already, which is {limit}; \
                 try again once one has ended"
            );
            let failure = Failure::new(ErrorCode::RateLimited, message);
            return Err(failure.retry_after(RETRY_AFTER_LIMIT).hang_up());
        }
        if taken.in_all >= in_all {
            let message = format!(
                "{in_all} requests are waiting or watching already, which is the limit of this \
                 server; nothing was changed"
            );
            let failure = Failure::new(ErrorCode::Unavailable, message);
            return Err(failure.retry_after(RETRY_AFTER_LIMIT).hang_up());
        }
        taken.in_all += 1;
        taken.by_kind[kind.index()] += 1;
        *taken.by_user.entry(user.clone()).or_default() += 1;
        drop(taken);
        Ok(Slot {
            slots: self.clone(),
            user: user.clone(),
            kind,
            phase: self.0.phase.subscribe(),
        })
    }

    /// Uses these limits from now on; more slots than they allow stay taken until they are freed.
    pub(super) fn set_limits(&self, limits: LongPollLimits) {
        self.lock().limits = limits;
    }

    /// The number of slots that are taken.
    pub(super) fn taken(&self) -> usize {
        self.lock().in_all
    }

    /// The number of slots of this kind that are taken.
    pub(super) fn taken_for(&self, kind: LongPollKind) -> usize {
        self.lock().by_kind[kind.index()]
    }

    /// Notifies all long polls that the server stops.
    pub(super) fn stop(&self) {
        self.0.phase.send_replace(Phase::Stopping);
    }

    /// No step under the lock can fail halfway, so a panic elsewhere leaves the counts right.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// True if the server is stopping.
    pub(super) fn is_stopping(&self) -> bool {
        *self.phase.borrow() == Phase::Stopping
    }

    /// Waits until the server stops.
    pub(super) async fn stopped(&mut self) {
        // An error says that the sender is gone, and with it the server.
        let _ = self.phase.wait_for(|phase| *phase == Phase::Stopping).await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.lock();
        taken.in_all -= 1;
        taken.by_kind[self.kind.index()] -= 1;
        if let Some(own) = taken.by_user.get_mut(&self.user) {
            *own -= 1;
            // Otherwise the table would keep every user that ever waited.
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

    fn status(taken: Result<Slot, Failure>) -> u16 {
        taken.err().map_or(200, |failure| failure.status().as_u16())
    }

    #[test]
    fn one_user_leaves_slots_for_the_others_and_can_use_its_own_again() {
        let limits = LongPollLimits {
            in_all: 3,
            per_user: 2,
        };
        let slots = Slots::new(limits);
        let (alice, bob, carol) = (user("alice"), user("bob"), user("carol"));
        let mut polls: Vec<_> = (0..2)
            .map(|_| slots.take((&alice, None), LongPollKind::Key).unwrap())
            .collect();
        assert_eq!(status(slots.take((&alice, None), LongPollKind::Key)), 429);
        polls.push(slots.take((&bob, None), LongPollKind::Watch).unwrap());
        assert_eq!(status(slots.take((&carol, None), LongPollKind::Claim)), 503);
        let by_kind = || LongPollKind::ALL.map(|kind| slots.taken_for(kind));
        assert_eq!(by_kind(), [2, 0, 0, 1]);
        polls.remove(0);
        assert_eq!((slots.taken(), by_kind()), (2, [1, 0, 0, 1]));
        // Another user has one, so the last one is for a third.
        assert_eq!(status(slots.take((&alice, None), LongPollKind::Key)), 429);
        polls.push(slots.take((&carol, None), LongPollKind::Key).unwrap());
        drop(polls);
        assert_eq!((slots.taken(), by_kind()), (0, [0; 4]));
        assert!(slots.lock().by_user.is_empty());
    }

    #[test]
    fn the_own_limit_of_a_user_counts_instead_of_the_usual_one() {
        let limits = LongPollLimits {
            in_all: 10,
            per_user: 2,
        };
        let slots = Slots::new(limits);
        for (name, own, expected) in [
            ("alice", Some(1), 1),
            ("bob", Some(4), 4),
            ("carol", None, 2),
        ] {
            let user = user(name);
            let take = || slots.take((&user, own), LongPollKind::Key).ok();
            assert_eq!(
                std::iter::from_fn(take).collect::<Vec<_>>().len(),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn several_users_leave_slots_for_one_more() {
        let limits = LongPollLimits {
            in_all: 60,
            per_user: 30,
        };
        let slots = Slots::new(limits);
        let mut polls = Vec::new();
        let mut take_all = |name: &str| {
            let before = polls.len();
            let user = user(name);
            polls.extend(std::iter::from_fn(|| {
                slots.take((&user, None), LongPollKind::Watch).ok()
            }));
            polls.len() - before
        };
        assert_eq!(take_all("alice"), 30);
        assert_eq!(take_all("bob"), 15);
        assert_eq!(take_all("carol"), 8);
        assert_eq!(take_all("dave"), 4);
        // Nobody gets more meanwhile, but everybody who has none gets one.
        assert_eq!(take_all("alice"), 0);
        assert_eq!((take_all("erin"), take_all("frank")), (2, 1));
    }

    #[test]
    fn fewer_connections_lower_the_limits() {
        let limits = |in_all, per_user| LongPollLimits { in_all, per_user };
        assert_eq!(limits(5_000, 2_500).among(512), limits(256, 128));
        assert_eq!(limits(10, 5).among(512), limits(10, 5));
        assert_eq!(limits(0, 0).among(512), limits(0, 0));
    }

    #[tokio::test]
    async fn every_long_poll_is_notified_that_the_server_stops() {
        let limits = LongPollLimits {
            in_all: 1,
            per_user: 1,
        };
        let slots = Slots::new(limits);
        let mut slot = slots
            .take((&user("alice"), None), LongPollKind::Key)
            .unwrap();
        assert!(!slot.is_stopping());
        let (_, ()) = tokio::join!(slot.stopped(), async { slots.stop() });
        assert!(slot.is_stopping());
    }
}
