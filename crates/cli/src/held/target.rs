//! What a signal reaches: a command and all that it started, or the command alone.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rustix::process::{
    Pid, Signal, kill_process, kill_process_group, test_kill_process, test_kill_process_group,
};

use super::clock::Moment;

/// How often to look whether the last process of a group has ended: nothing announces it.
const LOOK: Duration = Duration::from_millis(20);

/// Whom a signal reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Every process of a group.
    Group(Pid),
    /// One process.
    Process(Pid),
}

impl Target {
    /// Sends a signal. Whoever has ended already needs none.
    pub(crate) fn send(self, signal: Signal) {
        let _ = match self {
            Self::Group(pid) => kill_process_group(pid, signal),
            Self::Process(pid) => kill_process(pid, signal),
        };
    }

    /// Whether there is still somebody.
    pub(crate) fn is_there(self) -> bool {
        match self {
            Self::Group(pid) => test_kill_process_group(pid).is_ok(),
            Self::Process(pid) => test_kill_process(pid).is_ok(),
        }
    }

    /// Waits until nobody is left, and kills who is when the time is over.
    pub(crate) fn end_by(self, deadline: Moment) {
        while self.is_there() {
            if deadline.is_past() {
                self.send(Signal::KILL);
                return;
            }
            std::thread::sleep(LOOK.min(deadline.left()));
        }
    }
}

/// As it is told to the guard.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(pid) => write!(f, "group {pid}"),
            Self::Process(pid) => write!(f, "process {pid}"),
        }
    }
}

/// A text that is no target.
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
    fn a_target_survives_the_way_to_the_guard() {
        let pid = Pid::from_raw(17).unwrap();
        for target in [Target::Group(pid), Target::Process(pid)] {
            assert_eq!(target.to_string().parse::<Target>().unwrap(), target);
        }
        for odd in ["", "group", "group 0", "group x", "all 17", "17"] {
            assert!(odd.parse::<Target>().is_err(), "{odd:?}");
        }
    }
}
