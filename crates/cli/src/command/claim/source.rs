//! The source of a worker's next key: a free key, or one that another worker releases.
//!
//! A run until the queue is empty ends when every key is gone or has failed in this run. A key that another worker has
//! claimed may become free again: that worker may fail or be killed. So a worker that finds no free key lists the
//! queue and waits. One worker of a run does so, for all of them.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use prominence_api::time::format_duration;
use prominence_client::Until;
use prominence_core::Prefix;

use super::claimed::ClaimedKey;
use super::remaining::{MAX_LOOK, Remaining, has_failed};
use super::run_state::Tried;
use super::worker::Worker;
use crate::command::time;
use crate::failure::Failure;
use crate::lease::acquire::attempt;
use crate::lease::clock::Moment;
use crate::lease::renewer::{Lease as _, Renewal};
use crate::output::{self, Status};

/// The part of a claim that may pass between the request and its answer. The claim began at an unknown instant in that
/// time, so after a longer wait it is renewed before the command starts.
const UNCERTAIN: u32 = 6;

/// The shortest wait that the interface has.
const SHORTEST_TURN: Duration = Duration::from_secs(1);

/// The longest wait for a key of another worker before the queue is listed again: only that shows that its last key
/// was deleted.
const LONGEST_TURN: Duration = Duration::from_secs(5);

/// The next wait is this part of the time waited so far: a short wait notices an early end soon.
const TURN_PART: u32 = 4;

/// The pause before the next listing if other workers have just claimed all free keys.
const PAUSE: Duration = Duration::from_millis(200);

/// A claimed key, and the earliest instant at which its claim can have begun.
pub(super) type ClaimedSince = (ClaimedKey, Moment);

impl Worker<'_> {
    /// Claims the next key; `None` if there is nothing more to do, or a signal comes first.
    pub(super) fn next(&self) -> Result<Option<ClaimedSince>, Failure> {
        let options = self.run.options;
        while !self.run.state.releases_failures() {
            let Some((work, since)) = self.first_free()? else {
                break;
            };
            if !has_failed(&self.run.state.tried(), &work.key, work.identity()) {
                return Ok(Some((work, since)));
            }
            // The claim that kept this run from trying the key again has run out meanwhile.
            if let Some(work) = self.run.state.keep(work) {
                work.release();
            }
        }
        if !options.until_empty || options.no_wait {
            return Ok(None);
        }
        self.wait_for_others()
    }

    /// Claims the first free key, and waits for one as long as was asked for.
    fn first_free(&self) -> Result<Option<ClaimedSince>, Failure> {
        let options = self.run.options;
        let status = self.status();
        if let (Some(wait), true) = (options.wait, status.is_seen()) {
            // A line that appears and disappears with every key would only flicker.
            if let Some(claimed_since) = self.claim(&options.prefix, None)? {
                return Ok(Some(claimed_since));
            }
            let (prefix, wait) = (&options.prefix, format_duration(wait));
            status.show(format_args!(
                "waiting for a key to claim under {prefix}, for {wait} at the longest"
            ));
        }
        self.claim(&options.prefix, options.wait)
    }

    /// Waits until a key of another worker is free, or no key is left.
    fn wait_for_others(&self) -> Result<Option<ClaimedSince>, Failure> {
        let state = &self.run.state;
        let turn = self.run.idle.lock();
        let _turn = turn.unwrap_or_else(PoisonError::into_inner);
        let began = Moment::now();
        let mut status = Status::new(output::Show::Nothing);
        let mut is_told = false;
        loop {
            if state.is_over() {
                return Ok(None);
            }
            let tried = state.tried();
            let has_failures = !tried.is_empty();
            let Some(left) = self.look(tried)? else {
                return Ok(None);
            };
            if left.keys == 0 {
                state.is_empty_now();
                return Ok(None);
            }
            state.queue_has_keys();
            if !std::mem::replace(&mut is_told, true) {
                self.report(|| left.event());
            }
            if !status.is_seen() {
                status = self.status();
            }
            status.show(self.waiting_line(&left));
            let turn = began.elapsed() / TURN_PART;
            let turn = turn.clamp(SHORTEST_TURN, LONGEST_TURN);
            let claimed_since = if has_failures {
                self.wait_beside_failures(left, turn)?
            } else {
                let prefix = &self.run.options.prefix;
                // A request that waits is not repeated for longer than it waits; this one is.
                self.claim(prefix, Some(turn))
                    .or_else(|_| self.claim(prefix, None))?
            };
            if claimed_since.is_some() || self.run.signals.asked_to_end().is_some() {
                return Ok(claimed_since);
            }
        }
    }

    /// Claims a key that has not failed in this run. Those that have failed are free for other workers, and a claim of
    /// the whole queue would take them again.
    fn wait_beside_failures(
        &self,
        left: Remaining,
        turn: Duration,
    ) -> Result<Option<ClaimedSince>, Failure> {
        for work in self.run.state.release_failures() {
            work.release();
        }
        let tried = self.run.state.tried();
        for key in &left.free {
            // The first key that begins with a key is that key itself, if it is free.
            let Ok(only) = Prefix::parse(key.as_str()) else {
                continue;
            };
            match self.claim(&only, None)? {
                Some((work, _)) if has_failed(&tried, &work.key, work.identity()) => {
                    work.release();
                }
                claimed_since @ Some(_) => return Ok(claimed_since),
                None => {}
            }
        }
        let client = self.run.client.clone();
        // The result is not used: the next listing says more, and fails with the reason if this did.
        let _ = attempt(self.run.signals, move |_| match left.next {
            Some((key, revision, _)) => {
                let _ = client.get_when(&key, Until::Differs(revision), turn);
            }
            // Other workers have claimed every free key meanwhile.
            None => std::thread::sleep(PAUSE),
        });
        Ok(None)
    }

    /// The keys that are left; `None` if a signal comes first.
    pub(super) fn look(&self, tried: Arc<Tried>) -> Result<Option<Remaining>, Failure> {
        let (client, prefix) = (self.run.client.clone(), self.run.options.prefix.clone());
        let now = self.run.state.server_time(time::now());
        let looked = attempt(self.run.signals, move |_| {
            Remaining::look(&client, &prefix, &tried, now.as_millis())
        });
        looked.map_or(Ok(None), |left| left.map(Some))
    }

    /// Claims the first free key of a prefix, and waits for one if there is a wait.
    fn claim(
        &self,
        prefix: &Prefix,
        wait: Option<Duration>,
    ) -> Result<Option<ClaimedSince>, Failure> {
        let hold = self.run.options.hold;
        let deadline = wait.map(|wait| Moment::now().after(wait));
        loop {
            let wait = deadline.map(Moment::left).filter(|left| !left.is_zero());
            let asked = Moment::now();
            let (client, prefix) = (self.run.client.clone(), prefix.clone());
            let answer = attempt(self.run.signals, move |guard| match wait {
                None => guard.acquire(|| client.claim(&prefix, hold, None).transpose()),
                // After a signal a long answer is not waited for. A key that it brings is free again when its claim runs
                // out.
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
            if let Some(until) = claimed.entry.metadata.claimed_until {
                self.run.state.note_time(until, hold, time::now());
            }
            let mut work = ClaimedKey::new(self.run.releaser.clone(), claimed, hold, asked);
            if asked.elapsed() < hold / UNCERTAIN {
                return Ok(Some((work, asked)));
            }
            let asked = Moment::now();
            match work.renew() {
                Renewal::Renewed => return Ok(Some((work, asked))),
                // The answer took so long that another worker may have claimed the key.
                Renewal::Lost(_) => {}
                // The next request fails with the reason.
                Renewal::Unknown(_) => work.release(),
            }
        }
    }

    /// A line on the terminal, while no command of this run may write to it.
    fn status(&self) -> Status {
        Status::new(match self.run.state.at_rest() {
            Some(_) => self.run.show,
            None => output::Show::Nothing,
        })
    }

    fn waiting_line(&self, left: &Remaining) -> String {
        let (done, failed) = self.run.state.at_rest().unwrap_or_default();
        let more = if left.keys >= MAX_LOOK {
            "at least "
        } else {
            ""
        };
        let held = match left.holders.first() {
            Some(first) => format!(
                "{} held by others, the first until {}",
                left.held,
                time::of_day(&first.claimed_until)
            ),
            None => "none held by others".to_owned(),
        };
        format!(
            "{done} done, {failed} failed, {more}{} left, {held}",
            left.keys
        )
    }
}
