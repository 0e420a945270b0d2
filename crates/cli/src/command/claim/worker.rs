//! A worker: claims keys, runs the command, and reports the result.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::Sender;

use prominence_client::Client;

use super::attempts::Attempts;
use super::claimed::{ClaimedKey, Done};
use super::event::Event;
use super::fields;
use super::run_state::RunState;
use super::source::ClaimedSince;
use crate::args::kv::claim::Claim;
use crate::command::counted;
use crate::config::Environment;
use crate::failure::Failure;
use crate::lease::release::Releaser;
use crate::lease::signals::{NotStarted, Signals};
use crate::lease::supervise::{LeaseTimes, status_code, supervise};
use crate::lease::{self, cannot_run};
use crate::output::{self, Show};

const KEY: &str = "PROMINENCE_KEY";
const ATTEMPT: &str = "PROMINENCE_ATTEMPT";

/// The parts that all workers of a run share.
pub(super) struct Run<'a> {
    pub(super) options: &'a Claim,
    pub(super) client: &'a Client,
    /// With the client for renewals.
    pub(super) releaser: Releaser,
    pub(super) signals: &'a Signals,
    /// The settings of this process, for its commands.
    pub(super) environment: Environment,
    pub(super) state: RunState,
    pub(super) times: LeaseTimes,
    /// `None` if attempts are not limited.
    pub(super) attempts: Option<Attempts>,
    /// Locked by the one worker that waits for keys of other workers.
    pub(super) idle: Mutex<()>,
    pub(super) show: Show,
}

/// One worker of a run.
pub(super) struct Worker<'a> {
    pub(super) run: &'a Run<'a>,
    /// The channel of events; `None` without `--json`.
    pub(super) events: Option<Sender<Event>>,
}

impl Worker<'_> {
    /// Works until there is nothing more to do.
    pub(super) fn work(&self) {
        let state = &self.run.state;
        while !state.is_over() {
            match self.next() {
                Ok(Some((work, _))) if self.run.attempts.is_some() && work.claims().is_none() => {
                    work.release();
                    return state.stop(Failure::Usage(
                        "this server does not count how often a key is claimed; leave out \
                         --max-attempts, or ask for a later version of the server"
                            .to_owned(),
                    ));
                }
                Ok(Some((work, _))) if self.is_exhausted(&work) => {
                    let before = work.attempt() - 1;
                    if let Err(failure) = self.move_aside(work, before) {
                        return state.stop(failure);
                    }
                    if !self.run.options.until_empty {
                        return;
                    }
                }
                Ok(Some(claimed)) => {
                    state.began();
                    self.work_on(claimed);
                    state.ended();
                    if !self.run.options.until_empty {
                        return;
                    }
                }
                Ok(None) => return,
                Err(failure) => return state.stop(failure),
            }
        }
    }

    /// Sends an event, with `--json`.
    pub(super) fn report(&self, event: impl FnOnce() -> Event) {
        if let Some(events) = &self.events {
            // The receiver reads until the last worker has ended.
            let _ = events.send(event());
        }
    }

    /// True if a key was claimed too often before: its workers were killed, or they could not move it.
    fn is_exhausted(&self, work: &ClaimedKey) -> bool {
        let limit = self.run.attempts.as_ref().map(|attempts| attempts.limit);
        limit.is_some_and(|limit| work.attempt() > limit)
    }

    /// Runs the command for one key.
    fn work_on(&self, (work, since): ClaimedSince) {
        let mut command = self.command(&work);
        let (mut child, target) = match self.run.signals.start(&mut command) {
            Ok(running) => running,
            Err(not_started) => {
                work.release();
                if let NotStarted::Failed(cause) = not_started {
                    self.run.state.stop(cannot_run(&command, cause));
                }
                return;
            }
        };
        let (key, attempt) = (work.key.to_string(), work.attempt());
        self.report(|| Event::Claimed {
            key: key.clone(),
            attempt,
            revision: work.revision().get(),
        });
        feed(&mut child, work.value().to_vec());
        let ending = supervise(
            (child, target),
            self.run.signals,
            (work, since),
            self.run.times,
        );
        let status = status_code(ending.status);
        if let Some(reason) = ending.lost {
            output::warn(format!(
                "the claim on {key} was lost and the command was stopped: {reason}"
            ));
            if let Some(work) = ending.lease {
                work.release();
            }
            return self.lost(key, attempt, reason);
        }
        let Some(work) = ending.lease else {
            return self.lost(key, attempt, "its renewal crashed".to_owned());
        };
        match status {
            0 => self.finish(work),
            status => self.fail(work, status),
        }
    }

    fn command(&self, work: &ClaimedKey) -> Command {
        let mut command = lease::command(&self.run.options.command);
        self.run.environment.give(&mut command);
        command
            .env(KEY, work.key.as_str())
            .env(ATTEMPT, work.attempt().to_string())
            .stdin(Stdio::piped());
        fields::give(&mut command, work.key.as_str(), work.value());
        if self.events.is_some() {
            lease::redirect_standard_output(&mut command);
        }
        command
    }

    fn lost(&self, key: String, attempt: u64, reason: String) {
        self.run.state.lost();
        self.report(|| Event::Lost {
            key,
            attempt,
            reason,
        });
    }

    fn finish(&self, mut work: ClaimedKey) {
        let (key, attempt) = (work.key.to_string(), work.attempt());
        match work.finish() {
            Ok(Done::Yes) => {
                self.run.state.succeeded();
                self.report(|| Event::Done { key, attempt });
            }
            Ok(Done::Lost) => {
                output::warn(format!(
                    "the claim on {key} was lost before the command ended, so it may be done twice"
                ));
                let reason =
                    "it ran out, or the key was deleted, moved or set while the command ran";
                self.lost(key, attempt, reason.to_owned());
            }
            Err(failure) => {
                let after = format!("{key} is done but not deleted, and may be done twice");
                self.run.state.stop(failure.after(after));
            }
        }
    }

    fn fail(&self, work: ClaimedKey, status: u8) {
        let (key, attempt) = (work.key.to_string(), work.attempt());
        self.run.state.failed(status);
        self.report(|| Event::Failed {
            key: key.clone(),
            attempt,
            status,
        });
        if self.run.options.until_empty {
            output::warn(format!("the command ended with status {status} for {key}"));
        }
        // A command that a signal ended has not failed.
        let is_interrupted = self.run.signals.asked_to_end().is_some();
        match &self.run.attempts {
            _ if is_interrupted => work.release(),
            Some(attempts) if attempt >= attempts.limit => {
                if let Err(failure) = self.move_aside(work, attempt) {
                    self.run.state.stop(failure);
                }
            }
            Some(attempts) => work.leave_for(attempts.delay_after(attempt)),
            None if self.run.options.until_empty => {
                if let Some(work) = self.run.state.keep(work) {
                    work.release();
                }
            }
            None => work.release(),
        }
    }

    /// Moves a key that failed too often below the dead-letter prefix.
    fn move_aside(&self, mut work: ClaimedKey, attempts_made: u64) -> Result<(), Failure> {
        let Some(attempts) = &self.run.attempts else {
            return Ok(());
        };
        let (key, attempt) = (work.key.to_string(), attempts_made);
        match work.move_to(&attempts.letters) {
            Ok((Done::Yes, to)) => {
                output::warn(format!(
                    "{key} was moved to {to}: it was claimed {} without success",
                    counted(attempt, "time")
                ));
                self.run.state.moved();
                let to = to.to_string();
                self.report(|| Event::Moved { key, attempt, to });
                Ok(())
            }
            // Another worker has claimed it, and moves it if necessary.
            Ok((Done::Lost, _)) => Ok(()),
            Err(failure) => {
                work.release();
                Err(failure.after(format!("{key} was not moved below {}", attempts.letters.to)))
            }
        }
    }
}

/// Writes the value to the command's standard input, until the command closes it.
fn feed(child: &mut Child, value: Vec<u8>) {
    if let Some(mut input) = child.stdin.take() {
        std::thread::spawn(move || {
            // A command need not read its input.
            let _ = input.write_all(&value);
        });
    }
}
