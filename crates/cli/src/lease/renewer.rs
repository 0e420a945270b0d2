//! The renewer: renews a lease in time, on a thread beside its command.

use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::clock::Moment;
use super::event::Event;

/// A lease is renewed when this part of it is over: two renewals can fail, and the third one is still in time.
const PARTS: u32 = 3;

/// The first pause after a renewal that failed; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause: after a restart of the server the renewal succeeds soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A lease: a lock or a claim, which ends unless it is renewed.
pub(crate) trait Lease: Send + 'static {
    /// Renews the lease for its whole length from now on.
    fn renew(&mut self) -> Renewal;
}

/// The result of a renewal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Renewal {
    /// The lease lasts its whole length again.
    Renewed,
    /// The lease is lost, for this reason.
    Lost(String),
    /// The result is not known, for this reason; another renewal may succeed.
    Unknown(String),
}

/// A lease that a thread renews.
pub(crate) struct Renewer<H> {
    // Dropped to stop the thread.
    stop: Sender<()>,
    thread: JoinHandle<H>,
}

impl<H: Lease> Renewer<H> {
    /// Renews a lease of this length that began at `since`, and sends an event for each renewal.
    pub(crate) fn start(
        mut lease: H,
        since: Moment,
        length: Duration,
        tell: Sender<Event>,
    ) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut pause = since.after(length / PARTS).left();
            let mut after_failure = FIRST_PAUSE;
            loop {
                match stopped.recv_timeout(pause) {
                    Err(mpsc::RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => return lease,
                }
                // The server counts the length from a later instant than this one, so the lease lasts at least so long.
                let asked = Moment::now();
                let event = match lease.renew() {
                    Renewal::Renewed => {
                        pause = asked.after(length / PARTS).left();
                        after_failure = FIRST_PAUSE;
                        Event::Renewed(asked.after(length))
                    }
                    Renewal::Lost(reason) => {
                        let _ = tell.send(Event::Lost(reason));
                        return lease;
                    }
                    Renewal::Unknown(reason) => {
                        pause = after_failure;
                        after_failure = (after_failure * 2).min(LONGEST_PAUSE);
                        Event::RenewalFailed(reason)
                    }
                };
                if tell.send(event).is_err() {
                    return lease;
                }
            }
        });
        Self { stop, thread }
    }

    /// Stops the renewals and returns the lease; `None` if the thread has panicked.
    pub(crate) fn finish(self) -> Option<H> {
        drop(self.stop);
        self.thread.join().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Returns these results.
    struct Script(VecDeque<Renewal>);

    impl Lease for Script {
        fn renew(&mut self) -> Renewal {
            self.0.pop_front().unwrap()
        }
    }

    #[test]
    fn a_renewal_that_fails_is_repeated_until_the_lease_is_lost() {
        let unknown = || Renewal::Unknown("no answer".to_owned());
        let script = [
            Renewal::Renewed,
            unknown(),
            unknown(),
            Renewal::Renewed,
            Renewal::Lost("taken".to_owned()),
        ];
        let (tell, told) = mpsc::channel();
        let length = Duration::from_millis(60);
        let began = Moment::now();
        let renewer = Renewer::start(Script(script.into()), began, length, tell);
        let events: Vec<_> = told.iter().collect();
        let [
            Event::Renewed(first),
            Event::RenewalFailed(_),
            Event::RenewalFailed(_),
            Event::Renewed(second),
            Event::Lost(reason),
        ] = events.as_slice()
        else {
            panic!("{events:?}");
        };
        assert!(
            *first >= began.after(length + length / PARTS),
            "not before a third is over"
        );
        assert!(
            *second >= first.after(length / PARTS + FIRST_PAUSE * 3),
            "with growing pauses"
        );
        assert_eq!(reason, "taken");
        assert!(renewer.finish().unwrap().0.is_empty());
    }
}
