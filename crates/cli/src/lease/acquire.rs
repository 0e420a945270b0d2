//! Acquiring a lease, unless a signal comes first.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustix::process::Signal;

use super::release::{LAST_REQUEST, warn_if_slow};
use super::signals::Signals;

/// Lets an attempt acquire a lease until a signal stops it. Cheap to clone.
///
/// Without it a signal could end the process between a request that acquires a lease and its answer, and the lease
/// would stay acquired until it expires.
#[derive(Clone, Default)]
pub(crate) struct AcquireGuard {
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// No request is under way.
    #[default]
    Idle,
    /// A request that may acquire a lease is under way.
    Requesting,
    /// A lease is acquired, which has to be released.
    Acquired,
    /// No lease may be acquired any more.
    Stopped,
}

impl AcquireGuard {
    /// Acquires a lease by this request, unless a signal has come. A signal during the request waits for its answer.
    pub(crate) fn acquire<T>(&self, request: impl FnOnce() -> Option<T>) -> Option<T> {
        {
            let mut state = self.state();
            if *state == State::Stopped {
                return None;
            }
            *state = State::Requesting;
        }
        let acquired = request();
        let mut state = self.state();
        if *state != State::Stopped {
            *state = match acquired {
                Some(_) => State::Acquired,
                None => State::Idle,
            };
        }
        self.state.1.notify_all();
        acquired
    }

    /// Stops further requests, and returns whether a lease was acquired.
    fn stop(&self) -> State {
        // The answer of a request that is under way may bring a lease that has to be released.
        let requesting = |state: &mut State| *state == State::Requesting;
        let waited = warn_if_slow("waiting for the answer to a last request", || {
            let (_, changed) = &*self.state;
            changed.wait_timeout_while(self.state(), LAST_REQUEST, requesting)
        });
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if *state != State::Acquired {
            *state = State::Stopped;
        }
        *state
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs an attempt on a thread of its own until it is done, or until a signal asks this process to end and no lease
/// is acquired. A request that still waits then ends with the process.
pub(crate) fn attempt<T: Send + 'static>(
    signals: &Signals,
    work: impl FnOnce(&AcquireGuard) -> T + Send + 'static,
) -> Result<T, Signal> {
    enum Event<T> {
        Done(T),
        Signal(Signal),
    }
    if let Some(signal) = signals.asked_to_end() {
        return Err(signal);
    }
    let (sender, events) = mpsc::channel();
    let guard = AcquireGuard::default();
    let (own, done) = (guard.clone(), sender.clone());
    std::thread::spawn(move || {
        let _ = done.send(Event::Done(work(&own)));
    });
    let _listening = signals.on_end(move |signal| {
        let _ = sender.send(Event::Signal(signal));
    });
    let mut asked = None;
    loop {
        let event = match asked {
            None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(_) => events.recv_timeout(LAST_REQUEST),
        };
        match (event, asked) {
            (Ok(Event::Done(done)), _) => return Ok(done),
            (Ok(Event::Signal(signal)), None) => {
                if guard.stop() != State::Acquired {
                    return Err(signal);
                }
                // The attempt ends now with its lease, which its caller releases.
                asked = Some(signal);
            }
            (Ok(Event::Signal(_)), Some(_)) => {}
            (Err(_), asked) => return Err(asked.unwrap_or(Signal::TERM)),
        }
    }
}
