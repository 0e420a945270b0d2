//! `prominence exec`: a command in the environment that a job has.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

#[cfg(feature = "server")]
use super::issue::Signer;
use super::token_create;
use crate::args::Exec;
use crate::config::{self, Connection};
use crate::failure::Failure;

#[cfg(feature = "server")]
pub(super) fn run(options: Exec, connection: &Connection) -> Result<(), Failure> {
    if token_create::must_be_narrower(&options.token, &options.place, connection) {
        return run_from_own(options, connection);
    }
    // A server on the data folder, whose secret signs the token, comes before a profile that nobody
    // named.
    let (named, default) = match config::url(connection)? {
        Some(found) if found.origin.is_default_profile() => (None, Some(found.value)),
        found => (found.map(|found| found.value), None),
    };
    let signer = match Signer::find(&options.place, named.as_ref()) {
        Ok(signer)
            if token_create::can_use_login(&options.token, &options.place, connection)
                && token_create::is_of_another(&signer, connection) =>
        {
            return run_from_own(options, connection);
        }
        Ok(signer) => signer,
        Err(_) if token_create::can_use_login(&options.token, &options.place, connection) => {
            return run_from_own(options, connection);
        }
        Err(failure) => return Err(failure),
    };
    let url = named
        .map(|url| url.to_string())
        .or_else(|| signer.url.clone())
        .or_else(|| default.map(|url| url.to_string()))
        .ok_or_else(|| {
            Failure::Usage(format!(
                "no server is running on this data folder; start one with prominence serve, or \
                 set {} to one elsewhere",
                config::URL
            ))
        })?;
    let token = signer.sign(options.token)?;
    start(options.command, &url, &token)
}

#[cfg(not(feature = "server"))]
pub(super) fn run(options: Exec, connection: &Connection) -> Result<(), Failure> {
    run_from_own(options, connection)
}

/// Runs the command with a token that the server makes from the caller's own.
fn run_from_own(options: Exec, connection: &Connection) -> Result<(), Failure> {
    let url = config::server_url(connection)?;
    let token = token_create::from_own(options.token, None, connection)?;
    start(options.command, url.as_str(), &token)
}

/// Starts the command in the place of this process.
fn start(command: Vec<OsString>, url: &str, token: &str) -> Result<(), Failure> {
    let mut words = command.into_iter();
    // The parser demands at least one word.
    let program = words.next().unwrap_or_default();
    // The command takes this process's place: signals, terminal and exit status are its own, as
    // they would be in a job.
    let cause = Command::new(&program)
        .args(words)
        .env(config::URL, url)
        .env(config::TOKEN, token)
        .exec();
    Err(Failure::Start {
        program: program.to_string_lossy().into_owned(),
        cause,
    })
}
