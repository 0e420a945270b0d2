//! Commands that run beside a test, and what they leave behind.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::{PROGRAM, Person, Ran};

/// Longer than anything takes on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command that runs. It ends with the test.
pub(crate) struct Job {
    child: Option<Child>,
}

impl Job {
    /// Starts `prominence kv` with these arguments, then a script for the shell.
    pub(crate) fn start(me: &Person<'_>, arguments: &[&str], script: &str, place: &Place) -> Self {
        let mut command = me.command(&["kv"]);
        command.args(arguments).args(["--", "sh", "-c", script]);
        Self::spawn(command.current_dir(place.path()))
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        let programs = Path::new(PROGRAM).parent().unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let command = command.env("PATH", path).stdin(Stdio::null());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self {
            child: Some(child.spawn().unwrap()),
        }
    }

    /// Sends it a signal, by name.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.as_ref().unwrap().id(), name);
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.as_mut().unwrap().try_wait().unwrap().is_none()
    }

    /// Its result, once it has ended.
    pub(crate) fn ended(mut self) -> Ran {
        until("it ends", || !self.is_running());
        Ran::from(self.child.take().unwrap().wait_with_output().unwrap())
    }

    /// Its exit status as a shell counts it, where a signal may have ended it.
    pub(crate) fn ended_anyhow(mut self) -> i32 {
        until("it ends", || !self.is_running());
        let status = self.child.as_mut().unwrap().wait().unwrap();
        let killed = status.signal().map(|signal| 128 + signal);
        status.code().or(killed).unwrap()
    }

    pub(crate) fn pid(&self) -> String {
        self.child.as_ref().unwrap().id().to_string()
    }

    /// Kills it, so that it can't do anything more.
    pub(crate) fn kill(mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A folder in which commands leave files.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Makes an empty file, for which a command waits.
    pub(crate) fn make(&self, name: &str) {
        std::fs::write(self.file(name), "").unwrap();
    }

    /// A file's text; empty where there is none.
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    /// Waits until a file has a whole line, and answers its text.
    pub(crate) fn line(&self, name: &str) -> String {
        until(name, || self.read(name).ends_with('\n'));
        self.read(name).trim_end().to_owned()
    }
}

/// Sends a process a signal, by name.
pub(crate) fn signal(pid: u32, name: &str) {
    let pid = pid.to_string();
    let sent = Command::new("kill").args(["-s", name, &pid]).status();
    assert!(sent.unwrap().success(), "no process {pid} to send {name}");
}

/// The state of a process (proc(5)): `T` is stopped, `Z` has ended. `None` where there is none.
pub(crate) fn state(pid: &str) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

/// True if a process does not run any more; one that nobody has waited for counts.
pub(crate) fn is_gone(pid: &str) -> bool {
    matches!(state(pid), None | Some('Z'))
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "still not: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
