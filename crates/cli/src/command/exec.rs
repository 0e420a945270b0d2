//! `prominence exec`: a command in the environment that a job has.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use super::issue::Signer;
use crate::args::Exec;
use crate::config::{self, Connection};
use crate::failure::Failure;

pub(super) fn run(options: Exec, connection: &Connection) -> Result<(), Failure> {
    // A server on the data folder, whose secret signs the token, comes before a profile that nobody
    // named.
    let (named, default) = match config::url(connection)? {
        Some(found) if found.origin.is_default_profile() => (None, Some(found.value)),
        found => (found.map(|found| found.value), None),
    };
    let signer = Signer::find(&options.place, named.as_ref())?;
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
    let mut words = options.command.into_iter();
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
