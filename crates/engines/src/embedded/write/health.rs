//! The state of writing: accepted or refused, with one line in the log when that changes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use prominence_core::StoreError;
use prominence_core::error::Fate;

use crate::embedded::error::Unavailable;

/// The state of writing.
#[derive(Default)]
pub(in crate::embedded) struct Health(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Writable,
    Unwritable(Unavailable),
    /// The committer is gone; nothing brings it back.
    Stopped(Unavailable),
}

impl Health {
    /// Notes that writes are accepted.
    pub(in crate::embedded) fn writable(&self) {
        let mut state = self.lock();
        if let State::Unwritable(_) = *state {
            tracing::info!("the store takes writes again");
            *state = State::Writable;
        }
    }

    /// Notes that writes are refused for now.
    pub(in crate::embedded) fn unwritable(&self, why: &Unavailable) {
        let mut state = self.lock();
        match &*state {
            State::Writable => log(why),
            State::Unwritable(known) if known.reason != why.reason => log(why),
            State::Unwritable(_) | State::Stopped(_) => return,
        }
        *state = State::Unwritable(why.clone());
    }

    /// Notes that writes are refused for good.
    pub(in crate::embedded) fn stopped(&self, why: Unavailable) {
        *self.lock() = State::Stopped(why);
    }

    /// Succeeds if a write would be accepted now.
    pub(in crate::embedded) fn check(&self) -> Result<(), StoreError> {
        match &*self.lock() {
            State::Writable => Ok(()),
            State::Unwritable(why) | State::Stopped(why) => Err(why.answer(Fate::NotApplied)),
        }
    }

    /// A state is set in one go, so a panic elsewhere leaves it whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn log(why: &Unavailable) {
    let cause = why.cause.as_ref().map(tracing::field::debug);
    tracing::error!(cause, "the store takes no writes: {}", why.reason);
}
