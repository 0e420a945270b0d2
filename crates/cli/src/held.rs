//! Running a command while something is held for it: a lock, or a piece of work.
//!
//! | module | its part |
//! | --- | --- |
//! | [`attempt`] | getting hold of it, unless a signal comes first |
//! | [`giving_back`] | giving it back, quickly where a signal has come |
//! | [`signals`] | what this process is sent, passed on to the commands |
//! | [`keeper`] | renewing the hold in time |
//! | [`supervise`] | the command: waited for, and ended where the hold is lost |
//! | [`guard`] | ending the command where this process is killed |
//! | [`target`] | what a signal reaches: a process, or a group of them |
//! | [`clock`] | a clock that goes on while the machine sleeps |

pub(crate) mod attempt;
pub(crate) mod clock;
pub(crate) mod giving_back;
pub(crate) mod guard;
pub(crate) mod keeper;
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
use signals::{Place, Signals};

/// A renewal is asked for with no more patience than this: one that hangs must leave time for another.
const LONGEST_SILENCE: Duration = Duration::from_secs(10);

/// Begins to guard commands and to pass signals on to them.
pub(crate) fn begin(place: Place, grace: Duration) -> Result<Signals, Failure> {
    let signals = Guard::start(grace).and_then(|guard| Signals::receive(place, guard));
    signals.map_err(|cause| Failure::Start {
        program: "the guard of the command".to_owned(),
        cause,
    })
}

/// The command that was typed.
pub(crate) fn command(words: &[OsString]) -> Command {
    let mut words = words.iter();
    // The parser demands at least one word.
    let program = words.next().cloned().unwrap_or_default();
    let mut command = Command::new(program);
    command.args(words);
    command
}

/// Leaves this program's standard output to its own events: the command's goes to standard error.
pub(crate) fn free_standard_output(command: &mut Command) {
    match io::stderr().as_fd().try_clone_to_owned() {
        Ok(stderr) => command.stdout(stderr),
        // Nobody reads there.
        Err(_) => command.stdout(Stdio::null()),
    };
}

/// What to say of a command that can't be run.
pub(crate) fn cannot_run(command: &Command, cause: io::Error) -> Failure {
    Failure::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        cause,
    }
}

/// A client for renewals of a hold of this length. It does not repeat them: the keeper does, for as long
/// as the hold lasts.
pub(crate) fn keepers_client(client: &Client, length: Duration) -> Result<Client, Failure> {
    let patience = (length / 3).min(LONGEST_SILENCE);
    let timeouts = Timeouts {
        connect: patience,
        silence: patience,
    };
    let client = client.with_timeouts(timeouts)?;
    Ok(client.with_retry_for(Duration::ZERO))
}
