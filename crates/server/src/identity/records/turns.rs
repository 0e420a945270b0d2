//! Turns of a user: between a look at the number of the user's records and the next record, no other task adds one.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, Weak};

use prominence_core::Namespace;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Users without a turn are forgotten once there are more entries than this.
const FORGET_BEYOND: usize = 1_024;

/// The users whose records are added to. Each has a lock of its own, so that nobody waits for another user.
#[derive(Default)]
pub(super) struct Turns(std::sync::Mutex<HashMap<Namespace, Weak<Mutex<()>>>>);

/// The turn of a user, which ends when this is dropped.
pub(super) type Turn = OwnedMutexGuard<()>;

impl Turns {
    /// Waits until no other task has the turn of this user.
    pub(super) async fn of(&self, user: &Namespace) -> Turn {
        self.lock_of(user).lock_owned().await
    }

    fn lock_of(&self, user: &Namespace) -> Arc<Mutex<()>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() > FORGET_BEYOND {
            all.retain(|_, lock| lock.strong_count() > 0);
        }
        let known = all.entry(user.clone()).or_default();
        known.upgrade().unwrap_or_else(|| {
            let lock = Arc::default();
            *known = Arc::downgrade(&lock);
            lock
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_user_waits_for_its_own_turn_alone_and_is_forgotten_afterwards() {
        let turns = Turns::default();
        let user = |name: String| Namespace::parse(&name).unwrap();
        let alice = user("alice".to_owned());
        let turn = turns.of(&alice).await;
        let lock = turns.lock_of(&alice);
        assert!(lock.try_lock().is_err());
        for number in 0..3 * FORGET_BEYOND {
            drop(turns.of(&user(number.to_string())).await);
        }
        assert!(turns.0.lock().unwrap().len() <= FORGET_BEYOND + 1);
        assert!(lock.try_lock().is_err(), "its turn lasts");
        drop(turn);
        assert!(lock.try_lock().is_ok());
    }
}
