//! The guard: a second process that ends the commands where the first is killed.
//!
//! A process that is killed can't clean up after itself, and a command that goes on without anybody
//! who renews its lock works on what soon is another's. So a guard, which is this program once more,
//! is told what runs, and ends it when the pipe between the two breaks.

use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::Signal;

use super::clock::Moment;
use super::target::Target;

/// The program's first argument where it is to be the guard. The second one is the milliseconds between
/// the request to end and the end.
const ARGUMENT: &str = "--guard-the-commands-of-my-parent";

/// The pipe to the guard. Closing it with nothing running lets the guard go.
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
            // Out of reach of what a terminal or a batch system sends to this one's group.
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

    /// From now on this is to end with us.
    pub(crate) fn watch(&self, target: Target) {
        self.tell('+', target);
    }

    /// This has ended.
    pub(crate) fn forget(&self, target: Target) {
        self.tell('-', target);
    }

    /// A guard that is gone protects no more, but what runs goes on as well without it.
    fn tell(&self, sign: char, target: Target) {
        if let Ok(mut pipe) = self.pipe.lock() {
            let _ = pipe.write_all(format!("{sign}{target}\n").as_bytes());
        }
    }
}

/// Is the guard, where the arguments say so.
pub(crate) fn serve() -> Option<()> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != OsStr::new(ARGUMENT) {
        return None;
    }
    let grace = arguments.next()?.to_str()?.parse().ok()?;
    let mut targets = Vec::new();
    for line in BufReader::new(io::stdin().lock()).lines() {
        // A pipe that can't be read is as good as a broken one.
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
        // One that is stopped could not end.
        target.send(Signal::CONT);
    }
    for target in targets {
        target.end_by(deadline);
    }
    Some(())
}

/// This very program, even where another has been installed in its place meanwhile.
fn own_program() -> io::Result<std::path::PathBuf> {
    if cfg!(target_os = "linux") {
        return Ok("/proc/self/exe".into());
    }
    std::env::current_exe()
}
