//! A worker: claims, runs the command, and says what became of it.

use std::io::Write as _;
use std::process::{Child, Stdio};
use std::time::Duration;

use prominence_client::{Claimed, Client};

use super::fields;
use super::tally::Tally;
use super::work::{Done, Work};
use crate::args::kv::claim::Claim;
use crate::failure::Failure;
use crate::held::attempt::attempt;
use crate::held::clock::Moment;
use crate::held::keeper::{Hold as _, Renewal};
use crate::held::signals::{NotStarted, Signals};
use crate::held::supervise::{Terms, status_code, supervise};
use crate::held::{self, cannot_run};
use crate::output;

const KEY: &str = "PROMINENCE_KEY";

/// The part of a claim that may pass between asking and being answered. Nobody knows when within that
/// time it began, so after a longer wait it is renewed before the command starts.
const UNCERTAIN: u32 = 6;

/// What a lost claim counts as.
const LOST: u8 = 1;

/// What every worker has in common.
pub(super) struct Worker<'a> {
    pub(super) options: &'a Claim,
    pub(super) client: &'a Client,
    /// The client for renewals.
    pub(super) keeper: Client,
    /// How long a claim is tried to be given back while the server is away.
    pub(super) patience: Duration,
    pub(super) signals: &'a Signals,
    pub(super) tally: &'a Tally,
    pub(super) terms: Terms,
}

impl Worker<'_> {
    /// Works until there is nothing more to do.
    pub(super) fn run(&self) {
        while !self.tally.is_over() {
            match self.claim() {
                Ok(Some((claimed, work, since))) => self.work_on(claimed, work, since),
                Ok(None) => return,
                Err(failure) => return self.tally.stop(failure),
            }
            if !self.options.until_empty {
                return;
            }
        }
    }

    /// Takes a piece of work; `None` where there is none, or a signal comes first.
    fn claim(&self) -> Result<Option<(Claimed, Work, Moment)>, Failure> {
        let deadline = self.options.wait.map(|wait| Moment::now().after(wait));
        loop {
            let left = deadline.map(Moment::left);
            let wait = left.filter(|left| !left.is_zero());
            let asked = Moment::now();
            let (client, prefix) = (self.client.clone(), self.options.prefix.clone());
            let hold = self.options.hold;
            let answer = attempt(self.signals, move |door| match wait {
                None => door.take(|| client.claim(&prefix, hold, None).transpose()),
                // An answer that may take long is not waited for. What it brings too late is free again when
                // its claim runs out.
                Some(_) => client.claim(&prefix, hold, wait).transpose(),
            });
            let Ok(answer) = answer else {
                return Ok(None);
            };
            let Some(claimed) = answer.transpose()? else {
                if wait.is_none() || deadline.is_none_or(Moment::is_past) {
                    return Ok(None);
                }
                continue;
            };
            let mut work = Work::new(self.clients(), &claimed, hold, asked);
            if asked.elapsed() < hold / UNCERTAIN {
                return Ok(Some((claimed, work, asked)));
            }
            let asked = Moment::now();
            match work.renew() {
                Renewal::Kept => return Ok(Some((claimed, work, asked))),
                // It took so long to learn of it that it is another's already.
                Renewal::Lost(_) => {}
                // The next request will tell what the trouble is.
                Renewal::Unknown(_) => work.give_back(),
            }
        }
    }

    fn clients(&self) -> (Client, Duration) {
        (self.keeper.clone(), self.patience)
    }

    /// Runs the command for one key.
    fn work_on(&self, claimed: Claimed, work: Work, since: Moment) {
        let mut command = held::command(&self.options.command);
        command.env(KEY, work.key.as_str()).stdin(Stdio::piped());
        fields::give(&mut command, work.key.as_str(), &claimed.entry.value);
        let (mut child, target) = match self.signals.start(&mut command) {
            Ok(running) => running,
            Err(not_started) => {
                work.give_back();
                if let NotStarted::Failed(cause) = not_started {
                    self.tally.stop(cannot_run(&command, cause));
                }
                return;
            }
        };
        let key = work.key.clone();
        feed(&mut child, claimed.entry.value);
        let ending = supervise((child, target), self.signals, (work, since), self.terms);
        let status = status_code(ending.status);
        if let Some(reason) = ending.lost {
            output::warn(format!(
                "the claim on {key} was lost and the command was stopped: {reason}"
            ));
            if let Some(work) = ending.hold {
                work.give_back();
            }
            return self.tally.failed(LOST, None);
        }
        let Some(work) = ending.hold else {
            return self.tally.failed(LOST, None);
        };
        match status {
            0 => self.finish(work),
            status => self.fail(work, status),
        }
    }

    fn finish(&self, mut work: Work) {
        match work.finish() {
            Ok(Done::Yes) => self.tally.succeeded(),
            Ok(Done::Lost) => {
                output::warn(format!(
                    "the claim on {} was lost before the command ended, so it may be done twice",
                    work.key
                ));
                self.tally.failed(LOST, None);
            }
            Err(failure) => {
                let after = format!(
                    "{} is done but not deleted, and may be done twice",
                    work.key
                );
                self.tally.stop(failure.after(after));
            }
        }
    }

    fn fail(&self, work: Work, status: u8) {
        let goes_on = self.options.until_empty && self.signals.asked_to_end().is_none();
        if !goes_on {
            work.give_back();
            return self.tally.failed(status, None);
        }
        output::warn(format!(
            "the command ended with status {status} for {}",
            work.key
        ));
        self.tally.failed(status, Some(work));
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
