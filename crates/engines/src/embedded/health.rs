//! Whether writes are taken, and one line in the log when that changes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use prominence_core::StoreError;
use prominence_core::error::Fate;

use super::error::Trouble;

/// What is known about writing.
#[derive(Default)]
pub(super) struct Health(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Writable,
    Unwritable(Trouble),
    /// The committer is gone; nothing brings it back.
    Stopped(Trouble),
}

impl Health {
    /// Writes are taken.
    pub(super) fn writable(&self) {
        let mut state = self.lock();
        if let State::Unwritable(_) = *state {
            tracing::info!("the store takes writes again");
            *state = State::Writable;
        }
    }

    /// Writes are refused for now.
    pub(super) fn unwritable(&self, trouble: &Trouble) {
        let mut state = self.lock();
        match &*state {
            State::Writable => log(trouble),
            State::Unwritable(known) if known.reason != trouble.reason => log(trouble),
            State::Unwritable(_) | State::Stopped(_) => return,
        }
        *state = State::Unwritable(trouble.clone());
    }

    /// Writes are refused for good.
    pub(super) fn stopped(&self, trouble: Trouble) {
        *self.lock() = State::Stopped(trouble);
    }

    /// Whether a write could be taken now.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match &*self.lock() {
            State::Writable => Ok(()),
            State::Unwritable(trouble) | State::Stopped(trouble) => {
                Err(trouble.answer(Fate::NotApplied))
            }
        }
    }

    /// A state is set in one go, so a panic elsewhere leaves it whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn log(trouble: &Trouble) {
    let cause = trouble.cause.as_ref().map(tracing::field::debug);
    tracing::error!(cause, "the store takes no writes: {}", trouble.reason);
}
