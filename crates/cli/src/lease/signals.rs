//! Signals: they are passed on to the commands that run, and the first one that asks this process to end is recorded. A
//! second Ctrl-C, when no command runs any more, ends this process at once.

use std::io;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, getpid, kill_process};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::Origin;

use super::guard::Guard;
use super::target::Target;
use crate::output;

/// Shells add this to the number of the signal that killed a command.
pub(super) const KILLED: i32 = 128;

/// The signals that are passed on: those that end a process by default.
const PASSED_ON: [Signal; 6] = [
    Signal::HUP,
    Signal::INT,
    Signal::QUIT,
    Signal::TERM,
    Signal::USR1,
    Signal::USR2,
];

/// The signals that ask this process to end. The others are only for the command.
const ENDING: [Signal; 4] = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM];

/// The process group of the commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommandGroup {
    /// Each has a group of its own, so that a signal reaches all processes that it starts.
    Own,
    /// The group of this process, because a terminal sends signals to one group only, and only that may read.
    Terminal,
}

/// The receiver of signals. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Signals {
    shared: Arc<Shared>,
}

struct Shared {
    group: CommandGroup,
    guard: Guard,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: Vec<Target>,
    asked_to_end: Option<Signal>,
    listeners: Vec<(u64, Listener)>,
    /// The number of the next listener.
    next: u64,
}

type Listener = Box<dyn Fn(Signal) + Send>;

/// Keeps a listener until it is dropped.
pub(crate) struct Listening {
    signals: Signals,
    number: u64,
}

/// The reason why a command was not started.
#[derive(Debug)]
pub(crate) enum NotStarted {
    /// This process has been asked to end.
    Interrupted(Signal),
    /// The program does not exist, or can't be run.
    Failed(io::Error),
}

impl Signals {
    /// Begins to receive signals.
    pub(crate) fn receive(group: CommandGroup, guard: Guard) -> io::Result<Self> {
        let signals = Self {
            shared: Arc::new(Shared {
                group,
                guard,
                state: Mutex::default(),
            }),
        };
        let ignored = ignored();
        let mut wanted = PASSED_ON.to_vec();
        if group == CommandGroup::Own {
            // A terminal suspends only the group of this process, and a shell resumes only that.
            wanted.extend([Signal::TSTP, Signal::CONT]);
        }
        // A signal that nohup or a shell has set to be ignored stays ignored, for the command as well.
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
        // With the lock: a signal that arrives meanwhile is passed on once the command runs.
        let mut state = self.state();
        if let Some(signal) = state.asked_to_end {
            return Err(NotStarted::Interrupted(signal));
        }
        if self.shared.group == CommandGroup::Own {
            std::os::unix::process::CommandExt::process_group(command, 0);
        }
        let child = command.spawn().map_err(NotStarted::Failed)?;
        let pid = Pid::from_child(&child);
        let target = match self.shared.group {
            CommandGroup::Own => Target::Group(pid),
            CommandGroup::Terminal => Target::Process(pid),
        };
        self.shared.guard.watch(target);
        state.running.push(target);
        Ok((child, target))
    }

    /// Passes no more signals on to a command. Called before it is reaped, because its process id may be reused then.
    pub(crate) fn detach(&self, target: Target) {
        self.state().running.retain(|one| *one != target);
    }

    /// Removes a command from the guard: none of its processes is left that has to end with this one.
    pub(crate) fn forget(&self, target: Target) {
        self.shared.guard.forget(target);
    }

    /// The first signal that asked this process to end.
    pub(crate) fn asked_to_end(&self) -> Option<Signal> {
        self.state().asked_to_end
    }

    /// Calls a listener when a signal asks this process to end, or at once if one has.
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
        // A signal without a sending process comes from the terminal, which signals a whole group. A signal of a process
        // is for the command alone, which may signal its own processes.
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
            // The default action, which the receiver replaced.
            let _ = kill_process(getpid(), Signal::STOP);
        }
        if ENDING.contains(&signal) {
            // If no command runs, only the release of the lease delays the end.
            let is_impatient = signal == Signal::INT && state.asked_to_end.is_some();
            if is_impatient && state.running.is_empty() {
                output::warn("ended at once; the lock or claim is free when it expires");
                std::process::exit(status_of_signal(signal).into());
            }
            state.asked_to_end.get_or_insert(signal);
            for (_, listener) in &state.listeners {
                listener(signal);
            }
        }
    }

    /// No step under the lock can fail halfway.
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

/// The ignored signals, from the kernel (proc(5), `SigIgn`): a mask whose lowest bit is signal 1. Without that file 0.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default()
}

/// The exit status of a command that a signal ended.
pub(crate) fn status_of_signal(signal: Signal) -> u8 {
    u8::try_from(KILLED + signal.as_raw()).unwrap_or(u8::MAX)
}
