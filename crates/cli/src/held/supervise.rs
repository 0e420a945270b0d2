//! A command and the hold that it needs, until one of them ends.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use prominence_api::time::format_duration;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};

use super::clock::Moment;
use super::keeper::{Hold, Keeper};
use super::signals::Signals;
use super::target::Target;
use crate::output;

/// The longest nap between two looks at the clock: waiting does not count the sleep of the machine.
const LONGEST_NAP: Duration = Duration::from_secs(1);

/// The part of a hold before its end in which nobody tries to renew any more: the command is stopped
/// then, so that it has ended when another may have what it held.
const MARGIN: u32 = 6;

/// What shells add to the number of the signal that killed a command.
const KILLED: i32 = 128;

/// What happens to a command or its hold.
#[derive(Debug)]
pub(crate) enum Event {
    /// The command has ended.
    Ended,
    /// The hold lasts until then.
    Kept(Moment),
    /// A renewal has failed for this reason and will be tried again.
    Failed(String),
    /// The hold is lost, for this reason.
    Lost(String),
}

/// How long things last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// A hold, from each renewal on.
    pub(crate) length: Duration,
    /// Between the request to end and the end of a command whose hold is lost.
    pub(crate) grace: Duration,
}

/// What became of a command.
pub(crate) struct Ending<H> {
    /// How the command ended; `None` where the machine does not tell.
    pub(crate) status: Option<ExitStatus>,
    /// Why the hold was lost, where it was and the command was stopped for it.
    pub(crate) lost: Option<String>,
    /// The hold as it is now.
    pub(crate) hold: Option<H>,
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

/// The exit status of one that was ended by a signal.
pub(crate) fn status_of_signal(signal: Signal) -> u8 {
    u8::try_from(KILLED + signal.as_raw()).unwrap_or(u8::MAX)
}

/// Waits for a command while its hold is renewed, and ends it where the hold is lost.
///
/// `since` is when the hold began at the earliest, by this machine's clock.
pub(crate) fn supervise<H: Hold>(
    (child, target): (Child, Target),
    signals: &Signals,
    (hold, since): (H, Moment),
    terms: Terms,
) -> Ending<H> {
    let (tell, events) = mpsc::channel();
    announce_end(&child, tell.clone());
    let keeper = Keeper::start(hold, since, terms.length, tell);
    let mut watch = Watch {
        target,
        terms,
        until: since.after(terms.length),
        trouble: None,
        stop: None,
    };
    watch.wait(&events);
    let deadline = match &watch.stop {
        Some(stop) => Some(stop.deadline),
        None => signals.asked_to_end().map(|_| watch.latest_end()),
    };
    let status = end(child, target, signals, deadline);
    let hold = keeper.finish();
    // A renewal that was under way may tell only now why it failed.
    let late = events.try_iter().filter_map(|event| match event {
        Event::Failed(reason) => Some(reason),
        _ => None,
    });
    let trouble = late.last().or(watch.trouble);
    let lost = watch.stop.map(|stop| {
        let reason = stop.reason.or(trouble);
        reason.unwrap_or_else(|| "it could not be renewed in time".to_owned())
    });
    Ending { status, lost, hold }
}

/// Waits for a command that has ended and, where it was made to end, for what it has started.
fn end(
    mut child: Child,
    target: Target,
    signals: &Signals,
    deadline: Option<Moment>,
) -> Option<ExitStatus> {
    signals.detach(target);
    let Some(deadline) = deadline else {
        // What a command leaves behind of its own accord is its own business.
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

/// Tells when the command has ended, and leaves it to be waited for: until then its number is its own.
fn announce_end(child: &Child, tell: Sender<Event>) {
    let pid = Pid::from_child(child);
    std::thread::spawn(move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let _ = rustix::io::retry_on_intr(|| waitid(WaitId::Pid(pid), options));
        let _ = tell.send(Event::Ended);
    });
}

/// A command that runs.
struct Watch {
    target: Target,
    terms: Terms,
    /// The end of the hold.
    until: Moment,
    /// Why the last renewal failed.
    trouble: Option<String>,
    stop: Option<Stop>,
}

/// A command that has been asked to end.
struct Stop {
    /// Why; `None` where it could not be renewed.
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

impl Watch {
    /// Until the command has ended.
    fn wait(&mut self, events: &Receiver<Event>) {
        loop {
            match events.recv_timeout(self.nap()) {
                Ok(Event::Ended) => return,
                Ok(Event::Kept(until)) => {
                    self.until = until;
                    self.trouble = None;
                }
                Ok(Event::Failed(reason)) => {
                    if self.trouble.is_none() {
                        self.tell(&reason);
                    }
                    self.trouble = Some(reason);
                }
                Ok(Event::Lost(reason)) => {
                    let deadline = Moment::now().after(self.terms.grace);
                    self.stop(Some(reason), deadline);
                }
                Err(RecvTimeoutError::Timeout) => {}
                // Who announces the end is always there.
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.look();
        }
    }

    /// Does what the time demands.
    fn look(&mut self) {
        if let Some(stop) = &mut self.stop {
            if stop.killed == Killed::NotYet && stop.deadline.is_past() {
                self.target.send(Signal::KILL);
                stop.killed = Killed::Yes;
            }
        } else if self.last_minute().is_past() {
            self.stop(None, self.latest_end());
        }
    }

    /// Says once in each outage that the hold could not be renewed.
    fn tell(&self, reason: &str) {
        let left = Duration::from_secs(self.last_minute().left().as_secs() + 1);
        output::warn(format!(
            "what is held could not be renewed: {reason}; trying again for up to {}",
            format_duration(left)
        ));
    }

    fn stop(&mut self, reason: Option<String>, deadline: Moment) {
        if self.stop.is_some() {
            return;
        }
        self.target.send(Signal::TERM);
        // One that is stopped could not end.
        self.target.send(Signal::CONT);
        self.stop = Some(Stop {
            reason,
            deadline,
            killed: Killed::NotYet,
        });
    }

    /// When a command that is asked to end now is killed: while the hold lasts.
    fn latest_end(&self) -> Moment {
        Moment::now().after(self.terms.grace).min(self.until)
    }

    /// When to give up renewing.
    fn last_minute(&self) -> Moment {
        let margin = self.terms.grace.min(self.terms.length / MARGIN);
        self.until.before(margin)
    }

    fn nap(&self) -> Duration {
        let next = match &self.stop {
            None => self.last_minute(),
            Some(stop) if stop.killed == Killed::NotYet => stop.deadline,
            Some(_) => return LONGEST_NAP,
        };
        next.left().min(LONGEST_NAP)
    }
}
