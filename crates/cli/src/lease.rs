//! Running a command under a lease: a lock or a claim, which is renewed while the command runs.
//!
//! | module | its part |
//! | --- | --- |
//! | [`acquire`] | acquires a lease, unless a signal comes first |
//! | [`release`] | releases it, quickly after a signal |
//! | [`signals`] | receives signals and passes them on to the commands |
//! | [`renewer`] | renews the lease in time |
//! | [`event`] | the events of a lease and its command |
//! | [`supervise`] | waits for the command, and ends it if the lease is lost |
//! | [`guard`] | ends the command if this process is killed |
//! | [`target`] | the processes that a signal reaches |
//! | [`clock`] | a clock that goes on while the machine is suspended |

pub(crate) mod acquire;
pub(crate) mod clock;
mod event;
pub(crate) mod guard;
pub(crate) mod release;
pub(crate) mod renewer;
pub(crate) mod signals;
pub(crate) mod supervise;
pub(crate) mod target;

use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use prominence_client::{Client, Timeouts};

use crate::failure::Failure;
use guard::Guard;
use signals::{CommandGroup, Signals};

/// The longest time-out of a renewal: one that hangs must leave time for another.
const LONGEST_SILENCE: Duration = Duration::from_secs(10);

/// Starts the guard of the commands, and begins to receive signals for them.
pub(crate) fn receive_signals(group: CommandGroup, grace: Duration) -> Result<Signals, Failure> {
    let signals = Guard::start(grace).and_then(|guard| Signals::receive(group, guard));
    signals.map_err(|cause| Failure::Start {
        program: "the guard of the command".to_owned(),
        cause,
    })
}

/// The command of the arguments.
pub(crate) fn command(words: &[OsString]) -> Command {
    let mut words = words.iter();
    // The parser demands at least one word.
    let program = words.next().cloned().unwrap_or_default();
    let mut command = Command::new(program);
    command.args(words);
    command
}

/// Sends the command's standard output to standard error, since this program prints its events on standard output.
pub(crate) fn redirect_standard_output(command: &mut Command) {
    match io::stderr().as_fd().try_clone_to_owned() {
        Ok(stderr) => command.stdout(stderr),
        // Standard error is closed.
        Err(_) => command.stdout(Stdio::null()),
    };
}

/// The failure of a command that can't be run.
pub(crate) fn cannot_run(command: &Command, cause: io::Error) -> Failure {
    Failure::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        cause,
    }
}

/// A client for renewals of a lease of this length. It does not repeat requests: the renewer does, for as long as the
/// lease lasts.
pub(crate) fn renewal_client(client: &Client, length: Duration) -> Result<Client, Failure> {
    let timeout = (length / 3).min(LONGEST_SILENCE);
    let timeouts = Timeouts {
        connect: timeout,
        silence: timeout,
    };
    let client = client.with_timeouts(timeouts)?;
    Ok(client.with_retry_for(Duration::ZERO))
}
