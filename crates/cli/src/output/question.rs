//! A question to a person, which never waits without end: a terminal may be unattended, as in a
//! notebook, whose cells run on a pseudo-terminal that nothing can be typed on.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use prominence_api::time::parse_duration;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::escape::one_line;

/// The variable with the longest wait for an answer.
const ANSWER_WITHIN: &str = "PROMINENCE_ANSWER_WITHIN";

/// The default of the longest wait for an answer: long enough to read the question and to look something up,
/// short enough that an unattended job ends.
const DEFAULT_WITHIN: Duration = Duration::from_secs(60);

/// Bytes of an answer that are read; what counts is a word.
const MAX_ANSWER_BYTES: usize = 1_024;

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Yes.
    Yes,
    /// Anything else.
    No,
    /// Nothing, for this long.
    Nothing(Duration),
}

/// True if there is a person to ask.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a person yes or no.
pub(crate) fn ask(question: impl fmt::Display) -> Answer {
    let question = one_line(&question.to_string());
    let within = within();
    let _ = write!(io::stderr(), "{question} [y/N] ");
    let answer = match read_line(within) {
        Ok(Some(line)) => match line.trim().to_lowercase().as_str() {
            "y" | "yes" => Answer::Yes,
            _ => Answer::No,
        },
        Ok(None) => Answer::Nothing(within),
        // An answer that can't be read is no yes.
        Err(_) => Answer::No,
    };
    if matches!(answer, Answer::Nothing(_)) {
        // The next message begins on a line of its own.
        let _ = writeln!(io::stderr());
    }
    answer
}

fn within() -> Duration {
    let Some(text) = std::env::var(ANSWER_WITHIN)
        .ok()
        .filter(|text| !text.is_empty())
    else {
        return DEFAULT_WITHIN;
    };
    parse_duration(&text).unwrap_or_else(|error| {
        let seconds = DEFAULT_WITHIN.as_secs();
        super::warn(format_args!(
            "{ANSWER_WITHIN} is ignored and {seconds}s used: {error}"
        ));
        DEFAULT_WITHIN
    })
}

/// A line from standard input, or `None` if none ends in time. The file descriptor is read directly:
/// the buffer of the standard library can only be read without a limit of time.
fn read_line(within: Duration) -> io::Result<Option<String>> {
    let stdin = io::stdin();
    let deadline = Instant::now() + within;
    let mut line = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut descriptors = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut descriptors, Some(&timeout)) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let mut part = [0; MAX_ANSWER_BYTES];
        let length = match rustix::io::read(stdin.as_fd(), &mut part) {
            Ok(length) => length,
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
        line.extend_from_slice(&part[..length]);
        let ended = length == 0 || line.contains(&b'\n') || line.len() >= MAX_ANSWER_BYTES;
        if ended {
            return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
        }
    }
}
