//! A process that a later command can find again: its number is in a file, with when it began, so
//! that a process that was given the same number later is not taken for it.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::poll;

/// How long a process may take to end in good order before it is killed.
const STOP_WITHIN: Duration = Duration::from_secs(45);

/// How long the operating system may take to do what a signal asks for.
const SIGNAL_WITHIN: Duration = Duration::from_secs(10);

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs.
    Running,
    /// It was paused, and can go on.
    Paused,
    /// There is none.
    Gone,
}

/// A process, or the place of one that is gone.
#[derive(Debug)]
pub struct Process {
    /// What people know it by.
    name: String,
    /// Its log, and the file with its number.
    folder: PathBuf,
    /// Where it was started by this process: a child has to be waited for.
    child: Option<Child>,
}

/// One life of a process.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Life {
    pid: i32,
    /// In ticks since the machine started (field 22 of proc_pid_stat(5)).
    began: u64,
}

impl Process {
    /// The process that keeps its log and its number in a folder, whether it runs or not.
    #[must_use]
    pub fn at(name: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            folder: folder.into(),
            child: None,
        }
    }

    /// Starts it. It outlives whoever started it, and Ctrl-C on a terminal doesn't reach it.
    ///
    /// # Errors
    /// Where it runs already, or can't be started.
    pub fn start(&mut self, command: &mut Command) -> anyhow::Result<()> {
        ensure!(self.state() == State::Gone, "{} runs already", self.name);
        if let Some(mut ended) = self.child.take() {
            ended.wait()?;
        }
        fs::create_dir_all(&self.folder)?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .with_context(|| format!("{} can't be started: {command:?}", self.name))?;
        let pid = i32::try_from(child.id())?;
        self.child = Some(child);
        let began = stat(pid).map_or(0, |stat| stat.began);
        fs::write(self.pid_file(), format!("{pid} {began}\n"))?;
        Ok(())
    }

    /// What it does now.
    #[must_use]
    pub fn state(&self) -> State {
        self.life()
            .map_or(State::Gone, |life| match stat(life.pid) {
                Some(stat) if stat.began == life.began => stat.state,
                _ => State::Gone,
            })
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        self.life().map(|life| life.pid)
    }

    /// Where everything that it says is written.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The last lines that it said, for a message about its end.
    #[must_use]
    pub fn last_words(&self) -> String {
        let said = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<_> = said.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Ends it at once, as a crash would.
    ///
    /// # Errors
    /// Where it is not there.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::KILL)?;
        self.wait_for(State::Gone, SIGNAL_WITHIN)
    }

    /// Asks it to end, and kills it where it doesn't.
    ///
    /// # Errors
    /// Where it can't be ended.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        if self.state() == State::Gone {
            return self.wait_for(State::Gone, SIGNAL_WITHIN);
        }
        self.signal(Signal::TERM)?;
        // What is paused would see the signal only when it goes on; what has ended already needs no more.
        let _ = self.signal(Signal::CONT);
        self.wait_for(State::Gone, STOP_WITHIN)
            .or_else(|_| self.kill())
    }

    /// Lets it stand still, as a machine that hangs does: its connections stay open, and nothing
    /// answers.
    ///
    /// # Errors
    /// Where it is not there.
    pub fn pause(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)?;
        self.wait_for(State::Paused, SIGNAL_WITHIN)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// Where it is not there.
    pub fn resume(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)?;
        self.wait_for(State::Running, SIGNAL_WITHIN)
    }

    fn wait_for(&mut self, state: State, within: Duration) -> anyhow::Result<()> {
        let what = format!("{} being {state:?}", self.name);
        poll::holds(&what, within, || Ok(self.state() == state))?;
        if state == State::Gone {
            if let Some(mut child) = self.child.take() {
                child.wait()?;
            }
            let _ = fs::remove_file(self.pid_file());
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        if self.state() == State::Gone {
            bail!("{} does not run", self.name);
        }
        let pid = self.life().and_then(|life| Pid::from_raw(life.pid));
        let pid = pid.with_context(|| format!("{} has no process", self.name))?;
        kill_process(pid, signal).with_context(|| format!("{} can't be sent a signal", self.name))
    }

    fn life(&self) -> Option<Life> {
        let text = fs::read_to_string(self.pid_file()).ok()?;
        let (pid, began) = text.trim().split_once(' ')?;
        Some(Life {
            pid: pid.parse().ok()?,
            began: began.parse().ok()?,
        })
    }

    fn pid_file(&self) -> PathBuf {
        self.folder.join("pid")
    }
}

/// What the operating system says of a process.
struct Stat {
    state: State,
    began: u64,
}

/// proc_pid_stat(5). A child that has ended and was not waited for counts as gone.
fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    // The program's name comes second, in parentheses, and may hold spaces and parentheses.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<_> = rest.split_whitespace().collect();
    let state = match *fields.first()? {
        "Z" | "X" => State::Gone,
        "T" | "t" => State::Paused,
        _ => State::Running,
    };
    let began = fields.get(19)?.parse().ok()?;
    Some(Stat { state, began })
}
