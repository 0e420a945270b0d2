//! A worker: claims, runs the command, and says what became of it.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::Sender;

use prominence_client::Client;

use super::attempts::Attempts;
use super::event::Event;
use super::fields;
use super::source::Piece;
use super::tally::Tally;
use super::work::{Done, Work};
use crate::args::kv::claim::Claim;
use crate::command::counted;
use crate::config::Environment;
use crate::failure::Failure;
use crate::held::giving_back::GivingBack;
use crate::held::signals::{NotStarted, Signals};
use crate::held::supervise::{Terms, status_code, supervise};
use crate::held::{self, cannot_run};
use crate::output::{self, Show};

const KEY: &str = "PROMINENCE_KEY";
const ATTEMPT: &str = "PROMINENCE_ATTEMPT";

/// What all workers of a run have in common.
pub(super) struct Run<'a> {
    pub(super) options: &'a Claim,
    pub(super) client: &'a Client,
    /// With the client for renewals.
    pub(super) giving_back: GivingBack,
    pub(super) signals: &'a Signals,
    /// The settings of this process, for its commands.
    pub(super) environment: Environment,
    pub(super) tally: Tally,
    pub(super) terms: Terms,
    /// `None` where attempts are not limited.
    pub(super) attempts: Option<Attempts>,
    /// Held by the one worker who waits for keys of others.
    pub(super) idle: Mutex<()>,
    pub(super) show: Show,
}

/// One worker of a run.
pub(super) struct Worker<'a> {
    pub(super) run: &'a Run<'a>,
    /// Where events go; `None` where nobody reads them.
    pub(super) events: Option<Sender<Event>>,
}

impl Worker<'_> {
    /// Works until there is nothing more to do.
    pub(super) fn work(&self) {
        let tally = &self.run.tally;
        while !tally.is_over() {
            match self.next() {
                Ok(Some((work, _))) if self.run.attempts.is_some() && work.claims().is_none() => {
                    work.give_back();
                    return tally.stop(Failure::Usage(
                        "this server does not count how often a key is claimed; leave out \
                         --max-attempts, or ask for a later version of the server"
                            .to_owned(),
                    ));
                }
                Ok(Some((work, _))) if self.is_exhausted(&work) => {
                    let before = work.attempt() - 1;
                    if let Err(failure) = self.move_aside(work, before) {
                        return tally.stop(failure);
                    }
                    if !self.run.options.until_empty {
                        return;
                    }
                }
                Ok(Some(piece)) => {
                    tally.began();
                    self.work_on(piece);
                    tally.ended();
                    if !self.run.options.until_empty {
                        return;
                    }
                }
                Ok(None) => return,
                Err(failure) => return tally.stop(failure),
            }
        }
    }

    /// Tells of something, where somebody reads it.
    pub(super) fn tell(&self, event: impl FnOnce() -> Event) {
        if let Some(events) = &self.events {
            // They are read until the last worker has ended.
            let _ = events.send(event());
        }
    }

    /// Whether a key was claimed too often before: its workers were killed, or they could not move it.
    fn is_exhausted(&self, work: &Work) -> bool {
        let limit = self.run.attempts.as_ref().map(|attempts| attempts.limit);
        limit.is_some_and(|limit| work.attempt() > limit)
    }

    /// Runs the command for one key.
    fn work_on(&self, (work, since): Piece) {
        let mut command = self.command(&work);
        let (mut child, target) = match self.run.signals.start(&mut command) {
            Ok(running) => running,
            Err(not_started) => {
                work.give_back();
                if let NotStarted::Failed(cause) = not_started {
                    self.run.tally.stop(cannot_run(&command, cause));
                }
                return;
            }
        };
        let (key, attempt) = (work.key.to_string(), work.attempt());
        self.tell(|| Event::Claimed {
            key: key.clone(),
            attempt,
            revision: work.revision().get(),
        });
        feed(&mut child, work.value().to_vec());
        let ending = supervise(
            (child, target),
            self.run.signals,
            (work, since),
            self.run.terms,
        );
        let status = status_code(ending.status);
        if let Some(reason) = ending.lost {
            output::warn(format!(
                "the claim on {key} was lost and the command was stopped: {reason}"
            ));
            if let Some(work) = ending.hold {
                work.give_back();
            }
            return self.lost(key, attempt, reason);
        }
        let Some(work) = ending.hold else {
            return self.lost(key, attempt, "its renewal crashed".to_owned());
        };
        match status {
            0 => self.finish(work),
            status => self.fail(work, status),
        }
    }

    fn command(&self, work: &Work) -> Command {
        let mut command = held::command(&self.run.options.command);
        self.run.environment.give(&mut command);
        command
            .env(KEY, work.key.as_str())
            .env(ATTEMPT, work.attempt().to_string())
            .stdin(Stdio::piped());
        fields::give(&mut command, work.key.as_str(), work.value());
        if self.events.is_some() {
            held::free_standard_output(&mut command);
        }
        command
    }

    fn lost(&self, key: String, attempt: u64, reason: String) {
        self.run.tally.lost();
        self.tell(|| Event::Lost {
            key,
            attempt,
            reason,
        });
    }

    fn finish(&self, mut work: Work) {
        let (key, attempt) = (work.key.to_string(), work.attempt());
        match work.finish() {
            Ok(Done::Yes) => {
                self.run.tally.succeeded();
                self.tell(|| Event::Done { key, attempt });
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
                self.run.tally.stop(failure.after(after));
            }
        }
    }

    fn fail(&self, work: Work, status: u8) {
        let (key, attempt) = (work.key.to_string(), work.attempt());
        self.run.tally.failed(status);
        self.tell(|| Event::Failed {
            key: key.clone(),
            attempt,
            status,
        });
        if self.run.options.until_empty {
            output::warn(format!("the command ended with status {status} for {key}"));
        }
        // A command that was asked to end is no reason to leave its key alone.
        let is_interrupted = self.run.signals.asked_to_end().is_some();
        match &self.run.attempts {
            _ if is_interrupted => work.give_back(),
            Some(attempts) if attempt >= attempts.limit => {
                if let Err(failure) = self.move_aside(work, attempt) {
                    self.run.tally.stop(failure);
                }
            }
            Some(attempts) => work.leave_for(attempts.delay_after(attempt)),
            None if self.run.options.until_empty => {
                if let Some(work) = self.run.tally.keep(work) {
                    work.give_back();
                }
            }
            None => work.give_back(),
        }
    }

    /// Moves a key that failed too often below the dead-letter prefix.
    fn move_aside(&self, mut work: Work, attempts_made: u64) -> Result<(), Failure> {
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
                self.run.tally.moved();
                let to = to.to_string();
                self.tell(|| Event::Moved { key, attempt, to });
                Ok(())
            }
            // Another worker has it, and will move it if need be.
            Ok((Done::Lost, _)) => Ok(()),
            Err(failure) => {
                work.give_back();
                Err(failure.after(format!("{key} was not moved below {}", attempts.letters.to)))
            }
        }
    }
}

/// Writes the value to the command's standard input, for as long as it reads.
fn feed(child: &mut Child, value: Vec<u8>) {
    if let Some(mut input) = child.stdin.take() {
        std::thread::spawn(move || {
            // A command may leave its input unread.
            let _ = input.write_all(&value);
        });
    }
}
