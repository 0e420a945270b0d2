//! Getting hold of something, unless a signal comes first.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustix::process::Signal;

use super::giving_back::{LAST_REQUEST, told_if_slow};
use super::signals::Signals;

/// Where an attempt asks whether to go on. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Door {
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// Somebody is asking for it.
    Asking,
    /// Something has been taken, which somebody has to give back.
    Taken,
    /// Nothing may be taken any more.
    Closed,
}

impl Door {
    /// Takes something, unless a signal has come. A signal that comes meanwhile waits for the answer.
    pub(crate) fn take<T>(&self, take: impl FnOnce() -> Option<T>) -> Option<T> {
        {
            let mut state = self.state();
            if *state == State::Closed {
                return None;
            }
            *state = State::Asking;
        }
        let taken = take();
        let mut state = self.state();
        if *state != State::Closed {
            *state = match taken {
                Some(_) => State::Taken,
                None => State::Open,
            };
        }
        self.state.1.notify_all();
        taken
    }

    /// Lets nothing more be taken, and says whether something was.
    fn close(&self) -> State {
        // An answer that is under way may bring something to give back.
        let asking = |state: &mut State| *state == State::Asking;
        let waited = told_if_slow("waiting for the answer to a last request", || {
            let (_, changed) = &*self.state;
            changed.wait_timeout_while(self.state(), LAST_REQUEST, asking)
        });
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if *state != State::Taken {
            *state = State::Closed;
        }
        *state
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs an attempt on a thread of its own until it is done, or a signal asks to end and it has taken
/// nothing. What is still waiting then ends with the process.
pub(crate) fn attempt<T: Send + 'static>(
    signals: &Signals,
    work: impl FnOnce(&Door) -> T + Send + 'static,
) -> Result<T, Signal> {
    enum Step<T> {
        Done(T),
        Signal(Signal),
    }
    if let Some(signal) = signals.asked_to_end() {
        return Err(signal);
    }
    let (tell, steps) = mpsc::channel();
    let door = Door::default();
    let (own, done) = (door.clone(), tell.clone());
    std::thread::spawn(move || {
        let _ = done.send(Step::Done(work(&own)));
    });
    let _listening = signals.on_end(move |signal| {
        let _ = tell.send(Step::Signal(signal));
    });
    let mut asked = None;
    loop {
        let step = match asked {
            None => steps.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(_) => steps.recv_timeout(LAST_REQUEST),
        };
        match (step, asked) {
            (Ok(Step::Done(done)), _) => return Ok(done),
            (Ok(Step::Signal(signal)), None) => {
                if door.close() != State::Taken {
                    return Err(signal);
                }
                asked = Some(signal);
            }
            (Ok(Step::Signal(_)), Some(_)) => {}
            (Err(_), asked) => return Err(asked.unwrap_or(Signal::TERM)),
        }
    }
}
