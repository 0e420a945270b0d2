//! Failures: each becomes a sentence that says what to do next, and an exit status.

use std::fmt;
use std::io;

use prominence_client::error::Fate;
use prominence_client::{BaseUrlError, Error};
use prominence_core::value::TOO_LARGE_ADVICE;

use crate::args::mistake;

/// The reason why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments, as the parser describes it; help and version come this way too.
    Arguments(Box<clap::Error>),
    /// Something that was typed, or a file that was named, can't be used.
    Usage(String),
    /// The answer is no.
    No(String),
    /// There is nothing to log in with.
    Login(String),
    /// A request failed.
    Request(Box<Error>),
    /// The output can't be written.
    Output(io::Error),
    /// A long command stopped on the way.
    Stopped {
        /// Why.
        cause: Box<Failure>,
        /// The work that was done, and the next step.
        after: String,
    },
    /// A command that was run has ended with this status, and has said itself why.
    Command(u8),
    /// A program that was to be run can't be started.
    Start {
        /// Its name.
        program: String,
        /// The reason.
        cause: io::Error,
    },
    /// The server can't start or go on.
    #[cfg(feature = "server")]
    Serve(String),
    /// A store can't be reached, or not be read or written.
    #[cfg(feature = "server")]
    Store(String),
}

/// Done.
const DONE: u8 = 0;
/// The answer is no.
const NO: u8 = 1;
/// The server that was to be started can't be.
#[cfg(feature = "server")]
const NOT_SERVED: u8 = 1;
/// Wrong usage.
const USAGE: u8 = 2;
/// The server can't be reached, or does not let the caller in.
const NO_SERVER: u8 = 3;
/// A program exists but can't be run, as shells and `env` say it (POSIX.1-2024, env).
const NOT_EXECUTABLE: u8 = 126;
/// There is no such program.
const NOT_FOUND: u8 = 127;

impl Failure {
    /// The exit status.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Arguments(error) if error.use_stderr() => USAGE,
            Self::Arguments(_) => DONE,
            Self::Usage(_) | Self::Output(_) => USAGE,
            Self::No(_) => NO,
            Self::Login(_) => NO_SERVER,
            Self::Stopped { cause, .. } => cause.status(),
            Self::Request(error) => status_of(error),
            Self::Command(status) => *status,
            Self::Start { cause, .. } if cause.kind() == io::ErrorKind::NotFound => NOT_FOUND,
            Self::Start { .. } => NOT_EXECUTABLE,
            #[cfg(feature = "server")]
            Self::Serve(_) => NOT_SERVED,
            #[cfg(feature = "server")]
            Self::Store(_) => NO_SERVER,
        }
    }

    /// This failure, and how far the command was.
    pub(crate) fn after(self, after: String) -> Self {
        Self::Stopped {
            cause: Box::new(self),
            after,
        }
    }

    /// True if the message has been printed already.
    pub(crate) fn is_told(&self) -> bool {
        matches!(self, Self::Command(_))
    }

    /// True if the reader of the output has gone away. That is how `| head` ends a command, and
    /// nothing to complain about.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

fn status_of(error: &Error) -> u8 {
    match error {
        Error::NoSuchKey(_) | Error::PreconditionFailed(_) | Error::NotANumber(_) => NO,
        Error::TooLarge(_) | Error::BadRequest(_) | Error::CaFile { .. } | Error::Proxy { .. } => {
            USAGE
        }
        _ => NO_SERVER,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arguments(error) => f.write_str(&mistake::sentence(error)),
            Self::Usage(message) | Self::No(message) | Self::Login(message) => f.write_str(message),
            Self::Request(error) => explain(error, f),
            Self::Stopped { cause, after } => write!(f, "{cause}; {after}"),
            Self::Output(error) => {
                let next = next_step(error, "send it to another place");
                write!(f, "cannot write the output: {error}; {next}")
            }
            Self::Command(status) => write!(f, "the command ended with status {status}"),
            Self::Start { program, cause } => {
                let next = match cause.kind() {
                    io::ErrorKind::NotFound => "check its name, and that its folder is in PATH",
                    io::ErrorKind::PermissionDenied => "allow it with chmod +x",
                    _ => "try to run it alone",
                };
                write!(f, "cannot run {program}: {cause}; {next}")
            }
            #[cfg(feature = "server")]
            Self::Serve(message) | Self::Store(message) => f.write_str(message),
        }
    }
}

/// The error, whether the change may have happened, and the next step.
fn explain(error: &Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    // A server says what it knows.
    let said = error.to_string();
    let is_said = ["may or may not have happened", "nothing was changed"]
        .iter()
        .any(|words| said.contains(words));
    f.write_str(&said)?;
    if error.fate() == Fate::Unknown {
        if !is_said {
            f.write_str("; the change may or may not have happened")?;
        }
        return f.write_str("; look with prominence kv get or list before you ask again");
    }
    if matches!(error, Error::PreconditionFailed(_)) && !is_said {
        f.write_str("; nothing was changed")?;
    }
    if matches!(error, Error::TooLarge(_)) && !said.contains("compress") {
        return write!(f, "; {TOO_LARGE_ADVICE}");
    }
    f.write_str(match error {
        // The file that the token comes from is named, with the next step.
        Error::Unauthenticated(_) if said.contains("the token in ") => "",
        Error::Unauthenticated(_) if said.contains("the token comes from ") => "",
        Error::Unauthenticated(_) => {
            "; set PROMINENCE_TOKEN, or name a file with --token-file, to log in"
        }
        Error::NoSuchKey(_) => "; prominence kv list shows what there is",
        // Whoever the operator has to help is told so, and no other token helps.
        Error::Forbidden(_) if said.contains("operator") || said.contains("use a token") => "",
        Error::Forbidden(_) => "; use a token whose scopes cover it",
        Error::PreconditionFailed(_) => {
            "; read the key again with prominence kv get --json before the next try"
        }
        // The bounds of tokens and their revocations have nothing to do with keys.
        Error::QuotaExceeded(_) if said.contains("revoke") || said.contains("delete") => "",
        Error::QuotaExceeded(_) => {
            "; delete keys that are no longer needed, or have the server's operator raise the quota"
        }
        Error::Failed { .. } if !said.contains("; ") => {
            "; try again, and tell the server's operator if it stays so"
        }
        Error::RateLimited(_) | Error::Unavailable { .. } => "; try again later",
        _ => "",
    })
}

/// The next step for a file that can't be used: by the kind of the error, or otherwise as given.
pub(crate) fn next_step(error: &io::Error, otherwise: &'static str) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "check its name",
        io::ErrorKind::IsADirectory => "name a file in it",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "check its permissions"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room there",
        _ => otherwise,
    }
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        Self::Arguments(Box::new(error))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Request(Box::new(error))
    }
}

impl From<BaseUrlError> for Failure {
    fn from(error: BaseUrlError) -> Self {
        Self::Usage(error.to_string())
    }
}

/// Everywhere in this program, an error of input or output that isn't named otherwise is one of
/// standard output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
