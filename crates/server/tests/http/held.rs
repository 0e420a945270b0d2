//! Requests that are held while a test goes on.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::common::{Answer, Client, Server};

/// How long a test waits for what has to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long what must not happen is given to happen. A wrong wake-up takes milliseconds.
const MOMENT: Duration = Duration::from_millis(50);

/// A request that is being held.
pub(crate) struct Held(Receiver<Answer>);

impl Held {
    /// Sends a read, and returns once the server holds one more than before.
    pub(crate) fn begin(server: &Server, path: &str, headers: &[(&'static str, &str)]) -> Self {
        Self::begin_as(server.user("alice"), server, path, headers)
    }

    pub(crate) fn begin_as(
        caller: Client,
        server: &Server,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Self {
        let before = server.held();
        let (path, headers) = (path.to_owned(), owned(headers));
        let (send, answer) = channel();
        std::thread::spawn(move || {
            let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            let _ = send.send(caller.send("GET", &path, &headers, b""));
        });
        eventually("the request is held", || server.held() > before);
        Self(answer)
    }

    #[track_caller]
    pub(crate) fn answer(self) -> Answer {
        self.0.recv_timeout(PATIENCE).unwrap()
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
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}
