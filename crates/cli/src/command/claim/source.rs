//! Where a worker gets its next key from: whatever is free, or what others give back.
//!
//! A run until the queue is empty ends when every key is gone or has failed in this run. While another
//! worker holds a key, it may come back: that worker may fail or be killed. So a worker who finds nothing
//! free looks what is left, and waits. One worker of a run does so, for all of them.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use prominence_api::time::format_duration;
use prominence_client::Until;
use prominence_core::Prefix;

use super::left::{Left, MAX_LOOK, has_failed};
use super::tally::Tried;
use super::work::Work;
use super::worker::Worker;
use crate::command::time;
use crate::failure::Failure;
use crate::held::attempt::attempt;
use crate::held::clock::Moment;
use crate::held::keeper::{Hold as _, Renewal};
use crate::output::{self, Status};

/// The part of a claim that may pass between asking and being answered. Nobody knows when within that
/// time it began, so after a longer wait it is renewed before the command starts.
const UNCERTAIN: u32 = 6;

/// The shortest turn that the interface has.
const SHORTEST_TURN: Duration = Duration::from_secs(1);

/// The longest wait for a key of another worker before looking at the whole queue again: that its last key
/// was deleted is noticed only then.
const LONGEST_TURN: Duration = Duration::from_secs(5);

/// The part of the time waited so far that the next turn takes: what ends soon is noticed soon.
const TURN_PART: u32 = 4;

/// The pause before looking again where others have just taken all that was free.
const PAUSE: Duration = Duration::from_millis(200);

/// A key that was claimed, and since when at the earliest.
pub(super) type Piece = (Work, Moment);

impl Worker<'_> {
    /// Claims the next key; `None` where there is nothing more to do, or a signal comes first.
    pub(super) fn next(&self) -> Result<Option<Piece>, Failure> {
        let options = self.run.options;
        while !self.run.tally.releases_failures() {
            let Some((work, since)) = self.first_free()? else {
                break;
            };
            if !has_failed(&self.run.tally.tried(), &work.key, work.identity()) {
                return Ok(Some((work, since)));
            }
            // The claim that was to keep it from being tried again has run out meanwhile.
            if let Some(work) = self.run.tally.keep(work) {
                work.give_back();
            }
        }
        if !options.until_empty || options.no_wait {
            return Ok(None);
        }
        self.wait_for_others()
    }

    /// Claims the first free key, and waits for one as long as was asked for.
    fn first_free(&self) -> Result<Option<Piece>, Failure> {
        let options = self.run.options;
        let status = self.status();
        if let (Some(wait), true) = (options.wait, status.is_seen()) {
            // A line that comes and goes with every key would only flicker.
            if let Some(piece) = self.claim(&options.prefix, None)? {
                return Ok(Some(piece));
            }
            let (prefix, wait) = (&options.prefix, format_duration(wait));
            status.show(format_args!(
                "waiting for a key to claim under {prefix}, for {wait} at the longest"
            ));
        }
        self.claim(&options.prefix, options.wait)
    }

    /// Waits until a key of another worker is free, or nothing is left.
    fn wait_for_others(&self) -> Result<Option<Piece>, Failure> {
        let tally = &self.run.tally;
        let turn = self.run.idle.lock();
        let _turn = turn.unwrap_or_else(PoisonError::into_inner);
        let began = Moment::now();
        let mut status = Status::new(output::Show::Nothing);
        let mut is_told = false;
        loop {
            if tally.is_over() {
                return Ok(None);
            }
            let tried = tally.tried();
            let has_failures = !tried.is_empty();
            let Some(left) = self.look(tried)? else {
                return Ok(None);
            };
            if left.keys == 0 {
                tally.is_empty_now();
                return Ok(None);
            }
            tally.queue_has_keys();
            if !std::mem::replace(&mut is_told, true) {
                self.tell(|| left.event());
            }
            if !status.is_seen() {
                status = self.status();
            }
            status.show(self.progress(&left));
            let turn = began.elapsed() / TURN_PART;
            let turn = turn.clamp(SHORTEST_TURN, LONGEST_TURN);
            let piece = if has_failures {
                self.wait_beside_failures(left, turn)?
            } else {
                let prefix = &self.run.options.prefix;
                // A request that waits is not repeated for longer than it waits; this one is.
                self.claim(prefix, Some(turn))
                    .or_else(|_| self.claim(prefix, None))?
            };
            if piece.is_some() || self.run.signals.asked_to_end().is_some() {
                return Ok(piece);
            }
        }
    }

    /// Takes a key that has not failed in this run. Those that have are free for others, and a claim of
    /// the whole queue would take them again.
    fn wait_beside_failures(&self, left: Left, turn: Duration) -> Result<Option<Piece>, Failure> {
        for work in self.run.tally.release_failures() {
            work.give_back();
        }
        let tried = self.run.tally.tried();
        for key in &left.free {
            // The first key that begins with a key is that key itself, where it is free.
            let Ok(only) = Prefix::parse(key.as_str()) else {
                continue;
            };
            match self.claim(&only, None)? {
                Some((work, _)) if has_failed(&tried, &work.key, work.identity()) => {
                    work.give_back();
                }
                piece @ Some(_) => return Ok(piece),
                None => {}
            }
        }
        let client = self.run.client.clone();
        // Whatever it answers, the next look tells more; and where it failed, why.
        let _ = attempt(self.run.signals, move |_| match left.next {
            Some((key, revision, _)) => {
                let _ = client.get_when(&key, Until::Differs(revision), turn);
            }
            // Others were faster with every free key, and hold them now.
            None => std::thread::sleep(PAUSE),
        });
        Ok(None)
    }

    /// What is left; `None` where a signal comes first.
    pub(super) fn look(&self, tried: Arc<Tried>) -> Result<Option<Left>, Failure> {
        let (client, prefix) = (self.run.client.clone(), self.run.options.prefix.clone());
        let now = self.run.tally.server_time(time::now());
        let looked = attempt(self.run.signals, move |_| {
            Left::look(&client, &prefix, &tried, now.as_millis())
        });
        looked.map_or(Ok(None), |left| left.map(Some))
    }

    /// Claims the first free key of a prefix, and waits for one where that is asked for.
    fn claim(&self, prefix: &Prefix, wait: Option<Duration>) -> Result<Option<Piece>, Failure> {
        let hold = self.run.options.hold;
        let deadline = wait.map(|wait| Moment::now().after(wait));
        loop {
            let wait = deadline.map(Moment::left).filter(|left| !left.is_zero());
            let asked = Moment::now();
            let (client, prefix) = (self.run.client.clone(), prefix.clone());
            let answer = attempt(self.run.signals, move |door| match wait {
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
            if let Some(until) = claimed.entry.metadata.claimed_until {
                self.run.tally.note_time(until, hold, time::now());
            }
            let mut work = Work::new(self.run.giving_back.clone(), claimed, hold, asked);
            if asked.elapsed() < hold / UNCERTAIN {
                return Ok(Some((work, asked)));
            }
            let asked = Moment::now();
            match work.renew() {
                Renewal::Kept => return Ok(Some((work, asked))),
                // It took so long to learn of it that it is another's already.
                Renewal::Lost(_) => {}
                // The next request will tell what the trouble is.
                Renewal::Unknown(_) => work.give_back(),
            }
        }
    }

    /// A line for a person who watches, while no command of this run speaks.
    fn status(&self) -> Status {
        Status::new(match self.run.tally.at_rest() {
            Some(_) => self.run.show,
            None => output::Show::Nothing,
        })
    }

    fn progress(&self, left: &Left) -> String {
        let (done, failed) = self.run.tally.at_rest().unwrap_or_default();
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
