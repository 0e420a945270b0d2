//! The keeper: renews a hold in time, beside the command that needs it.

use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::clock::Moment;
use super::supervise::Event;

/// A hold is renewed when this part of it is over: two tries can fail and the third is still in time.
const PARTS: u32 = 3;

/// The first pause after a renewal that failed; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause: what is back after a restart is found soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Something that is held for a time, and can be held for longer.
pub(crate) trait Hold: Send + 'static {
    /// Asks for the whole time once more, from now on.
    fn renew(&mut self) -> Renewal;
}

/// What became of a renewal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Renewal {
    /// It lasts the whole time again.
    Kept,
    /// It is another's, or nobody's, for this reason.
    Lost(String),
    /// It is not known, for this reason; another try may tell.
    Unknown(String),
}

/// A hold in the care of a thread.
pub(crate) struct Keeper<H> {
    // Dropped to stop the thread.
    stop: Sender<()>,
    thread: JoinHandle<H>,
}

impl<H: Hold> Keeper<H> {
    /// Keeps a hold of this length that has begun at `since`, and tells what becomes of it.
    pub(crate) fn start(mut hold: H, since: Moment, length: Duration, tell: Sender<Event>) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut pause = since.after(length / PARTS).left();
            let mut after_failure = FIRST_PAUSE;
            loop {
                match stopped.recv_timeout(pause) {
                    Err(mpsc::RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => return hold,
                }
                // The time that the server counts begins no earlier than the request.
                let asked = Moment::now();
                let event = match hold.renew() {
                    Renewal::Kept => {
                        pause = asked.after(length / PARTS).left();
                        after_failure = FIRST_PAUSE;
                        Event::Kept(asked.after(length))
                    }
                    Renewal::Lost(reason) => {
                        let _ = tell.send(Event::Lost(reason));
                        return hold;
                    }
                    Renewal::Unknown(reason) => {
                        pause = after_failure;
                        after_failure = (after_failure * 2).min(LONGEST_PAUSE);
                        Event::Failed(reason)
                    }
                };
                if tell.send(event).is_err() {
                    return hold;
                }
            }
        });
        Self { stop, thread }
    }

    /// Stops renewing and gives the hold back; `None` where its thread has crashed.
    pub(crate) fn finish(self) -> Option<H> {
        drop(self.stop);
        self.thread.join().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Answers what it is told to.
    struct Script(VecDeque<Renewal>);

    impl Hold for Script {
        fn renew(&mut self) -> Renewal {
            self.0.pop_front().unwrap()
        }
    }

    #[test]
    fn a_renewal_that_fails_is_tried_again_until_the_hold_is_lost() {
        let unknown = || Renewal::Unknown("no answer".to_owned());
        let script = [
            Renewal::Kept,
            unknown(),
            unknown(),
            Renewal::Kept,
            Renewal::Lost("taken".to_owned()),
        ];
        let (tell, told) = mpsc::channel();
        let length = Duration::from_millis(60);
        let began = Moment::now();
        let keeper = Keeper::start(Script(script.into()), began, length, tell);
        let events: Vec<_> = told.iter().collect();
        let [
            Event::Kept(first),
            Event::Failed(_),
            Event::Failed(_),
            Event::Kept(second),
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
        assert!(keeper.finish().unwrap().0.is_empty());
    }
}
