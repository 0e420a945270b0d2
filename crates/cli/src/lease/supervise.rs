//! A command and its lease, until one of them ends.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use prominence_api::time::format_duration;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};

use super::clock::Moment;
use super::event::Event;
use super::renewer::{Lease, Renewer};
use super::signals::{KILLED, Signals};
use super::target::Target;
use crate::output;

/// The longest wait between two checks of the clock: waits do not count the time in which the machine is suspended.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The part of a lease before its end in which it is not renewed any more: the command is stopped then, so that it
/// has ended when another process may acquire the lease.
const MARGIN: u32 = 6;

/// The times of a lease.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeaseTimes {
    /// The length of the lease from each renewal on.
    pub(crate) length: Duration,
    /// The time between SIGTERM and SIGKILL for a command whose lease is lost.
    pub(crate) grace: Duration,
}

/// The end of a command and its lease.
pub(crate) struct Ending<H> {
    /// The exit status of the command; `None` if it is not known.
    pub(crate) status: Option<ExitStatus>,
    /// The reason why the lease was lost, if it was and the command was stopped.
    pub(crate) lost: Option<String>,
    /// The lease; `None` if its thread has panicked.
    pub(crate) lease: Option<H>,
}

/// The exit status of a command, as shells count it.
pub(crate) fn status_code(status: Option<ExitStatus>) -> u8 {
    let code = status.and_then(|status| {
        let killed = status.signal().map(|signal| KILLED + signal);
        status.code().or(killed)
    });
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(u8::MAX)
}

/// Waits for a command while its lease is renewed, and ends it if the lease is lost.
///
/// `since` is the earliest instant at which the lease can have begun, by this machine's clock.
pub(crate) fn supervise<H: Lease>(
    (child, target): (Child, Target),
    signals: &Signals,
    (lease, since): (H, Moment),
    times: LeaseTimes,
) -> Ending<H> {
    let (sender, events) = mpsc::channel();
    announce_end(&child, sender.clone());
    let renewer = Renewer::start(lease, since, times.length, sender);
    let mut running = Supervised {
        target,
        times,
        until: since.after(times.length),
        last_error: None,
        stop: None,
    };
    running.wait(&events);
    let deadline = match &running.stop {
        Some(stop) => Some(stop.deadline),
        None => signals.asked_to_end().map(|_| running.kill_deadline()),
    };
    let status = end(child, target, signals, deadline);
    let lease = renewer.finish();
    // A renewal that was under way may fail only now; its reason is the latest one.
    let late = events.try_iter().filter_map(|event| match event {
        Event::RenewalFailed(reason) => Some(reason),
        _ => None,
    });
    let last_error = late.last().or(running.last_error);
    let lost = running.stop.map(|stop| {
        let reason = stop.reason.or(last_error);
        reason.unwrap_or_else(|| "it could not be renewed in time".to_owned())
    });
    Ending {
        status,
        lost,
        lease,
    }
}

/// Waits for a command that has ended and, if it was made to end, for the processes that it has started.
fn end(
    mut child: Child,
    target: Target,
    signals: &Signals,
    deadline: Option<Moment>,
) -> Option<ExitStatus> {
    signals.detach(target);
    let Some(deadline) = deadline else {
        // A command that ended by itself may leave processes in the background.
        signals.forget(target);
        return child.wait().ok();
    };
    let status = child.wait().ok();
    // Only its group can outlive the command, and keeps the number from being given to another.
    if let Target::Group(_) = target {
        target.send(Signal::TERM);
        target.end_by(deadline);
    }
    signals.forget(target);
    status
}

/// Sends an event when the command has ended, without reaping it: until it is reaped its process id is not reused.
fn announce_end(child: &Child, sender: Sender<Event>) {
    let pid = Pid::from_child(child);
    std::thread::spawn(move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let _ = rustix::io::retry_on_intr(|| waitid(WaitId::Pid(pid), options));
        let _ = sender.send(Event::Ended);
    });
}

/// A command that runs under a lease.
struct Supervised {
    target: Target,
    times: LeaseTimes,
    /// The end of the lease.
    until: Moment,
    /// The reason why the last renewal failed.
    last_error: Option<String>,
    stop: Option<Stop>,
}

/// A command that has been asked to end.
struct Stop {
    /// Why; `None` if the lease could not be renewed.
    reason: Option<String>,
    /// When it is killed.
    deadline: Moment,
    killed: Killed,
}

#[derive(PartialEq, Eq)]
enum Killed {
    NotYet,
    Yes,
}

impl Supervised {
    /// Waits until the command has ended.
    fn wait(&mut self, events: &Receiver<Event>) {
        loop {
            match events.recv_timeout(self.next_check()) {
                Ok(Event::Ended) => return,
                Ok(Event::Renewed(until)) => {
                    self.until = until;
                    self.last_error = None;
                }
                Ok(Event::RenewalFailed(reason)) => {
                    if self.last_error.is_none() {
                        self.warn(&reason);
                    }
                    self.last_error = Some(reason);
                }
                Ok(Event::Lost(reason)) => {
                    let deadline = Moment::now().after(self.times.grace);
                    self.stop(Some(reason), deadline);
                }
                Err(RecvTimeoutError::Timeout) => {}
                // The thread that announces the end keeps a sender until then.
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.act();
        }
    }

    /// Stops or kills the command when it is time.
    fn act(&mut self) {
        if let Some(stop) = &mut self.stop {
            if stop.killed == Killed::NotYet && stop.deadline.is_past() {
                self.target.send(Signal::KILL);
                stop.killed = Killed::Yes;
            }
        } else if self.renewal_deadline().is_past() {
            self.stop(None, self.kill_deadline());
        }
    }

    /// Warns once in each outage that the lease could not be renewed.
    fn warn(&self, reason: &str) {
        let left = Duration::from_secs(self.renewal_deadline().left().as_secs() + 1);
        output::warn(format!(
            "the renewal failed: {reason}; trying again for up to {}",
            format_duration(left)
        ));
    }

    fn stop(&mut self, reason: Option<String>, deadline: Moment) {
        if self.stop.is_some() {
            return;
        }
        self.target.send(Signal::TERM);
        // A process that is suspended (SIGTSTP) can't handle SIGTERM.
        self.target.send(Signal::CONT);
        self.stop = Some(Stop {
            reason,
            deadline,
            killed: Killed::NotYet,
        });
    }

    /// When a command that gets SIGTERM now is killed: before the lease ends.
    fn kill_deadline(&self) -> Moment {
        Moment::now().after(self.times.grace).min(self.until)
    }

    /// When renewals end and the command is stopped.
    fn renewal_deadline(&self) -> Moment {
        let margin = self.times.grace.min(self.times.length / MARGIN);
        self.until.before(margin)
    }

    /// The time until something is to be done.
    fn next_check(&self) -> Duration {
        let next = match &self.stop {
            None => self.renewal_deadline(),
            Some(stop) if stop.killed == Killed::NotYet => stop.deadline,
            Some(_) => return LONGEST_WAIT,
        };
        next.left().min(LONGEST_WAIT)
    }
}
