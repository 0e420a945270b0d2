//! Signals: passed on to the commands that run, and noted where they ask to end. A second Ctrl-C, when no
//! command runs any more, ends this process at once.

use std::io;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, getpid, kill_process};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::Origin;

use super::guard::Guard;
use super::supervise::status_of_signal;
use super::target::Target;
use crate::output;

/// What ends a process that does not say otherwise, and what people send on purpose.
const PASSED_ON: [Signal; 6] = [
    Signal::HUP,
    Signal::INT,
    Signal::QUIT,
    Signal::TERM,
    Signal::USR1,
    Signal::USR2,
];

/// Those that ask to end. The others are messages for the command.
const ENDING: [Signal; 4] = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM];

/// Where commands run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a process group of their own, so that all that they start can be reached.
    OwnGroup,
    /// In the group of this process: a terminal talks to one group only, and lets only that read.
    Terminal,
}

/// Who receives signals. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Signals {
    shared: Arc<Shared>,
}

struct Shared {
    place: Place,
    guard: Guard,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: Vec<Target>,
    asked_to_end: Option<Signal>,
    listeners: Vec<(u64, Listener)>,
    /// Names the next listener.
    next: u64,
}

type Listener = Box<dyn Fn(Signal) + Send>;

/// Somebody is told when this process is asked to end, for as long as this exists.
pub(crate) struct Listening {
    signals: Signals,
    number: u64,
}

/// Why a command was not started.
#[derive(Debug)]
pub(crate) enum NotStarted {
    /// This process has been asked to end.
    Interrupted(Signal),
    /// There is no such program, or it can't be run.
    Failed(io::Error),
}

impl Signals {
    /// Begins to receive signals.
    pub(crate) fn receive(place: Place, guard: Guard) -> io::Result<Self> {
        let signals = Self {
            shared: Arc::new(Shared {
                place,
                guard,
                state: Mutex::default(),
            }),
        };
        let ignored = ignored();
        let mut wanted = PASSED_ON.to_vec();
        if place == Place::OwnGroup {
            // A terminal stops this one's group alone, and a shell wakes it alone.
            wanted.extend([Signal::TSTP, Signal::CONT]);
        }
        // What nohup or a shell's background has switched off stays off, for the command as well.
        wanted.retain(|signal| ignored & (1 << (signal.as_raw() - 1)) == 0);
        let wanted: Vec<_> = wanted.into_iter().map(Signal::as_raw).collect();
        let mut received = SignalsInfo::<WithOrigin>::new(wanted)?;
        let own = signals.clone();
        std::thread::spawn(move || {
            for origin in received.forever() {
                own.pass_on(&origin);
            }
        });
        Ok(signals)
    }

    /// Starts a command, unless this process has been asked to end.
    pub(crate) fn start(&self, command: &mut Command) -> Result<(Child, Target), NotStarted> {
        // A signal that arrives meanwhile waits, and reaches the command then.
        let mut state = self.state();
        if let Some(signal) = state.asked_to_end {
            return Err(NotStarted::Interrupted(signal));
        }
        if self.shared.place == Place::OwnGroup {
            std::os::unix::process::CommandExt::process_group(command, 0);
        }
        let child = command.spawn().map_err(NotStarted::Failed)?;
        let pid = Pid::from_child(&child);
        let target = match self.shared.place {
            Place::OwnGroup => Target::Group(pid),
            Place::Terminal => Target::Process(pid),
        };
        self.shared.guard.watch(target);
        state.running.push(target);
        Ok((child, target))
    }

    /// A command has ended: nothing more is passed on to it. To be said before its number can be given
    /// to another process.
    pub(crate) fn detach(&self, target: Target) {
        self.state().running.retain(|one| *one != target);
    }

    /// Nothing is left of a command that would have to end with this process.
    pub(crate) fn forget(&self, target: Target) {
        self.shared.guard.forget(target);
    }

    /// The signal that has asked this process to end, where one has.
    pub(crate) fn asked_to_end(&self) -> Option<Signal> {
        self.state().asked_to_end
    }

    /// Tells somebody when this process is asked to end, at once where it has been already.
    pub(crate) fn on_end(&self, listener: impl Fn(Signal) + Send + 'static) -> Listening {
        let mut state = self.state();
        if let Some(signal) = state.asked_to_end {
            listener(signal);
        }
        let number = state.next;
        state.next += 1;
        state.listeners.push((number, Box::new(listener)));
        Listening {
            signals: self.clone(),
            number,
        }
    }

    fn pass_on(&self, origin: &Origin) {
        let Some(signal) = Signal::from_named_raw(origin.signal) else {
            return;
        };
        let mut state = self.state();
        // What no process sent comes from the terminal, which tells a whole group; what a process sends
        // is for the command itself, which knows what to tell its own.
        let from_terminal = origin.process.is_none();
        let of_terminal = from_terminal || [Signal::TSTP, Signal::CONT].contains(&signal);
        for target in &state.running {
            match target {
                Target::Process(_) if from_terminal => {}
                Target::Group(leader) if !of_terminal => Target::Process(*leader).send(signal),
                target => target.send(signal),
            }
        }
        if signal == Signal::TSTP {
            // What would have happened, had nobody received it.
            let _ = kill_process(getpid(), Signal::STOP);
        }
        if ENDING.contains(&signal) {
            // Only this process is left, which gives back what it held.
            let is_impatient = signal == Signal::INT && state.asked_to_end.is_some();
            if is_impatient && state.running.is_empty() {
                output::warn("ended at once; what was held is free when its time is over");
                std::process::exit(status_of_signal(signal).into());
            }
            state.asked_to_end.get_or_insert(signal);
            for (_, listener) in &state.listeners {
                listener(signal);
            }
        }
    }

    /// Nothing that holds the lock can leave the state half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.shared.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut state = self.signals.state();
        state.listeners.retain(|(number, _)| *number != self.number);
    }
}

/// The signals that are ignored, as the kernel says it (proc(5), `SigIgn`): a mask whose lowest bit is
/// signal 1. Where there is no such file, none.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default()
}
