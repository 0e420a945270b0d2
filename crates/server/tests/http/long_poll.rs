//! Long polls that wait while a test goes on.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::common::{Answer, Client, Server};

/// The longest wait of a test for an event that has to happen.
const DEADLINE: Duration = Duration::from_secs(20);

/// The time in which an event must not happen. A wrong wake-up takes milliseconds.
const MOMENT: Duration = Duration::from_millis(50);

/// A request that waits.
pub(crate) struct LongPoll(Receiver<Answer>);

impl LongPoll {
    /// Sends a read, and returns once the server has one more long poll than before.
    pub(crate) fn begin(server: &Server, path: &str, headers: &[(&'static str, &str)]) -> Self {
        Self::begin_as(server.user("alice"), server, path, headers)
    }

    pub(crate) fn begin_as(
        caller: Client,
        server: &Server,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Self {
        Self::send(caller, server, ("GET", path), headers)
    }

    /// The same for a claim.
    pub(crate) fn begin_claim(server: &Server, path: &str) -> Self {
        Self::send(server.user("alice"), server, ("POST", path), &[])
    }

    fn send(
        caller: Client,
        server: &Server,
        (method, path): (&'static str, &str),
        headers: &[(&'static str, &str)],
    ) -> Self {
        let before = server.long_polls();
        let (path, headers) = (path.to_owned(), owned(headers));
        let (send, answer) = channel();
        std::thread::spawn(move || {
            let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            let _ = send.send(caller.send(method, &path, &headers, b""));
        });
        eventually("the long poll has begun", || server.long_polls() > before);
        Self(answer)
    }

    #[track_caller]
    pub(crate) fn answer(self) -> Answer {
        self.0.recv_timeout(DEADLINE).unwrap()
    }

    #[track_caller]
    pub(crate) fn goes_on(&self) {
        let early = self.0.recv_timeout(MOMENT);
        assert!(matches!(early, Err(RecvTimeoutError::Timeout)), "{early:?}");
    }
}

fn owned(headers: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let pair = |(name, value): &(&'static str, &str)| (*name, (*value).to_owned());
    headers.iter().map(pair).collect()
}

#[track_caller]
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}
