//! The guard: a second process that ends the commands if the first one is killed.
//!
//! A process that is killed can't clean up. Its command would go on without renewals of the lease, which another
//! process may acquire then. So the guard, a second process of this program, gets the list of commands that run, and
//! ends them when the pipe between the two processes breaks.

use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::Signal;

use super::clock::Moment;
use super::target::Target;

/// The first argument of the guard. The second one is the milliseconds between SIGTERM and SIGKILL.
const ARGUMENT: &str = "--guard-the-commands-of-my-parent";

/// The pipe to the guard. If it is closed while no command runs, the guard ends.
pub(crate) struct Guard {
    pipe: Mutex<ChildStdin>,
}

impl Guard {
    /// Starts a guard.
    pub(crate) fn start(grace: Duration) -> io::Result<Self> {
        let mut child = Command::new(own_program()?)
            .arg0("prominence")
            .arg(ARGUMENT)
            .arg(grace.as_millis().to_string())
            // Signals of a terminal or a batch system to the group of this process must not reach the guard.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let pipe = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self {
            pipe: Mutex::new(pipe),
        })
    }

    /// Adds a command that has to end with this process.
    pub(crate) fn watch(&self, target: Target) {
        self.send('+', target);
    }

    /// Removes a command that has ended.
    pub(crate) fn forget(&self, target: Target) {
        self.send('-', target);
    }

    /// Errors are ignored: without the guard the commands run on, only unprotected.
    fn send(&self, sign: char, target: Target) {
        if let Ok(mut pipe) = self.pipe.lock() {
            let _ = pipe.write_all(format!("{sign}{target}\n").as_bytes());
        }
    }
}

/// Runs as the guard if the arguments say so.
pub(crate) fn serve() -> Option<()> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != OsStr::new(ARGUMENT) {
        return None;
    }
    let grace = arguments.next()?.to_str()?.parse().ok()?;
    let mut targets = Vec::new();
    for line in BufReader::new(io::stdin().lock()).lines() {
        // A pipe that can't be read counts as broken.
        let Ok(line) = line else { break };
        let mut rest = line.chars();
        let sign = rest.next();
        if let Ok(target) = rest.as_str().parse::<Target>() {
            targets.retain(|one| *one != target);
            if sign == Some('+') {
                targets.push(target);
            }
        }
    }
    let deadline = Moment::now().after(Duration::from_millis(grace));
    for target in &targets {
        target.send(Signal::TERM);
        // A process that is suspended (SIGTSTP) can't handle SIGTERM.
        target.send(Signal::CONT);
    }
    for target in targets {
        target.end_by(deadline);
    }
    Some(())
}

/// The program of this process, also if another version has been installed meanwhile.
fn own_program() -> io::Result<std::path::PathBuf> {
    if cfg!(target_os = "linux") {
        return Ok("/proc/self/exe".into());
    }
    std::env::current_exe()
}
