//! The target of a signal: a command with all processes that it started, or the command alone.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rustix::process::{
    Pid, Signal, kill_process, kill_process_group, test_kill_process, test_kill_process_group,
};

use super::clock::Moment;

/// The interval at which the end of a group is checked: no event announces it.
const CHECK: Duration = Duration::from_millis(20);

/// The processes that a signal reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Every process of a group.
    Group(Pid),
    /// One process.
    Process(Pid),
}

impl Target {
    /// Sends a signal. Errors are ignored: the process may have ended.
    pub(crate) fn send(self, signal: Signal) {
        let _ = match self {
            Self::Group(pid) => kill_process_group(pid, signal),
            Self::Process(pid) => kill_process(pid, signal),
        };
    }

    /// True if any of the processes still exists.
    pub(crate) fn exists(self) -> bool {
        match self {
            Self::Group(pid) => test_kill_process_group(pid).is_ok(),
            Self::Process(pid) => test_kill_process(pid).is_ok(),
        }
    }

    /// Waits until no process is left, and kills the rest at the deadline.
    pub(crate) fn end_by(self, deadline: Moment) {
        while self.exists() {
            if deadline.is_past() {
                self.send(Signal::KILL);
                return;
            }
            std::thread::sleep(CHECK.min(deadline.left()));
        }
    }
}

/// The text for the guard.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(pid) => write!(f, "group {pid}"),
            Self::Process(pid) => write!(f, "process {pid}"),
        }
    }
}

/// A text that is not a target.
#[derive(Debug)]
pub(crate) struct NoTarget;

impl FromStr for Target {
    type Err = NoTarget;

    fn from_str(text: &str) -> Result<Self, NoTarget> {
        let (kind, number) = text.split_once(' ').ok_or(NoTarget)?;
        let number = number.parse().map_err(|_| NoTarget)?;
        let pid = Pid::from_raw(number).ok_or(NoTarget)?;
        match kind {
            "group" => Ok(Self::Group(pid)),
            "process" => Ok(Self::Process(pid)),
            _ => Err(NoTarget),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_parsed_as_it_was_written() {
        let pid = Pid::from_raw(17).unwrap();
        for target in [Target::Group(pid), Target::Process(pid)] {
            assert_eq!(target.to_string().parse::<Target>().unwrap(), target);
        }
        for odd in ["", "group", "group 0", "group x", "all 17", "17"] {
            assert!(odd.parse::<Target>().is_err(), "{odd:?}");
        }
    }
}
