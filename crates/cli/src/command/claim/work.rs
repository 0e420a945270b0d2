//! One piece of work that is claimed: renewed, done or given back.

use std::time::Duration;

use prominence_client::error::Fate;
use prominence_client::{Claimed, Client, Error, Metadata};
use prominence_core::{Key, Revision};

use super::attempts::{DeadLetters, move_key};
use crate::failure::Failure;
use crate::held::clock::Moment;
use crate::held::giving_back::GivingBack;
use crate::held::keeper::{Hold, Renewal};
use crate::output;

/// The pause before a change whose answer was lost is asked for again.
const PAUSE: Duration = Duration::from_millis(200);

/// A key that this process has claimed.
pub(super) struct Work {
    giving_back: GivingBack,
    pub(super) key: Key,
    value: Vec<u8>,
    /// As it was when it was claimed.
    first: Metadata,
    /// What the next request has to name.
    revision: Revision,
    hold: Duration,
    /// Until then nobody else can have claimed it, by this machine's clock.
    until: Moment,
    answers: Answers,
}

/// Whether all requests have been answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    Complete,
    /// What a request has done is not known, so the revision may be another by our own doing.
    Lost,
}

/// What one attempt worked on: a value, and the number of the claim. A later set of the key is other work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// When the value was set, to the second.
    pub(super) modified: Option<u64>,
    pub(super) claims: u32,
}

impl Identity {
    /// Whether the key still holds the value and the claim of this attempt.
    pub(super) fn is_of(self, now: Self) -> bool {
        // A set begins counting anew.
        self.modified == now.modified && self.claims <= now.claims
    }
}

/// What became of a key that was to be deleted or moved.
pub(super) enum Done {
    /// It is gone.
    Yes,
    /// It was not ours any more.
    Lost,
}

impl Work {
    /// What was claimed no earlier than `since`.
    pub(super) fn new(
        giving_back: GivingBack,
        claimed: Claimed,
        hold: Duration,
        since: Moment,
    ) -> Self {
        let Claimed { key, entry } = claimed;
        Self {
            giving_back,
            key,
            value: entry.value,
            revision: entry.metadata.revision,
            first: entry.metadata,
            hold,
            until: since.after(hold),
            answers: Answers::Complete,
        }
    }

    /// How many times the key was claimed since its value was set; `None` where the server does not count.
    pub(super) fn claims(&self) -> Option<u64> {
        Some(u64::from(self.first.claims)).filter(|claims| *claims > 0)
    }

    /// The number of this attempt.
    pub(super) fn attempt(&self) -> u64 {
        u64::from(self.first.claims.max(1))
    }

    pub(super) fn value(&self) -> &[u8] {
        &self.value
    }

    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    pub(super) fn identity(&self) -> Identity {
        Identity {
            modified: self.first.modified.map(|at| at.as_millis() / 1_000),
            claims: self.first.claims,
        }
    }

    /// Deletes the key, since the work is done. Tries for as long as the claim lasts.
    pub(super) fn finish(&mut self) -> Result<Done, Failure> {
        self.conclude(|work, client| client.delete_revision(&work.key, work.revision).map(drop))
    }

    /// Moves the key to where nobody claims it, and says where that is.
    pub(super) fn move_to(&mut self, letters: &DeadLetters) -> Result<(Done, Key), Failure> {
        let to = self.give(|client| letters.vacant(client, &self.key))?;
        let done = self.conclude(|work, client| {
            let from = (&work.key, work.revision);
            move_key(client, from, &work.value, &to)
        })?;
        Ok((done, to))
    }

    /// Makes a change after which the key is gone.
    fn conclude(
        &mut self,
        change: impl Fn(&Self, &Client) -> Result<(), Error>,
    ) -> Result<Done, Failure> {
        loop {
            let client = self.giving_back.client.with_retry_for(self.until.left());
            match change(self, &client) {
                Ok(()) => return Ok(Done::Yes),
                Err(error) => match self.settle(&client, error)? {
                    Standing::Ours => std::thread::sleep(PAUSE),
                    Standing::Gone => return Ok(Done::Yes),
                    Standing::Lost => return Ok(Done::Lost),
                },
            }
        }
    }

    /// Leaves the claim to run out after this time: until then nobody takes the key.
    pub(super) fn leave_for(&self, delay: Duration) {
        match self.give(|client| client.renew(&self.key, self.revision, delay)) {
            Ok(_) | Err(Error::PreconditionFailed(_) | Error::NoSuchKey(_)) => {}
            Err(error) => output::warn(format!(
                "{} is free again only when its claim runs out: {}",
                self.key,
                Failure::from(error)
            )),
        }
    }

    /// Releases the claim. One that can't be released runs out by itself.
    pub(super) fn give_back(&self) {
        match self.give(|client| client.release(&self.key, self.revision)) {
            // Somebody may have it already, or its time was over.
            Ok(_) | Err(Error::PreconditionFailed(_) | Error::NoSuchKey(_)) => {}
            Err(error) => output::warn(format!(
                "{} could not be given back and is free when the claim runs out: {}",
                self.key,
                Failure::from(error)
            )),
        }
    }

    /// Runs a request that gives the key back, while the server is away for no longer than the claim lasts.
    fn give<T>(&self, request: impl FnOnce(&Client) -> T) -> T {
        let what = format!("giving {} back", self.key);
        self.giving_back.run(self.until.left(), &what, request)
    }

    /// Whether the key is still ours after a request that failed, and under which revision.
    fn settle(&mut self, client: &Client, error: Error) -> Result<Standing, Error> {
        let refused = matches!(error, Error::PreconditionFailed(_) | Error::NoSuchKey(_));
        if refused && self.answers == Answers::Complete {
            return Ok(Standing::Lost);
        }
        if !refused && error.fate() == Fate::NotApplied {
            return Err(error);
        }
        self.answers = Answers::Lost;
        let Some(now) = client.head(&self.key)? else {
            return Ok(Standing::Gone);
        };
        // A claim leaves alone when the key came into being and when its value was set; before the end
        // of ours nobody else can have claimed it. So the revision is that of our own last request.
        let untouched = now.created == self.first.created && now.modified == self.first.modified;
        if !untouched || now.claimed_until.is_none() || self.until.is_past() {
            return Ok(Standing::Lost);
        }
        self.revision = now.revision;
        self.answers = Answers::Complete;
        Ok(Standing::Ours)
    }
}

/// Whose a key is.
enum Standing {
    Ours,
    Gone,
    Lost,
}

impl Hold for Work {
    fn renew(&mut self) -> Renewal {
        let lost =
            || Renewal::Lost("its time had run out, or somebody set or deleted it".to_owned());
        let asked = Moment::now();
        let client = self.giving_back.client.clone();
        match client.renew(&self.key, self.revision, self.hold) {
            Ok(held) => {
                self.revision = held.revision;
                self.until = asked.after(self.hold);
                self.answers = Answers::Complete;
                Renewal::Kept
            }
            Err(error) => {
                let text = error.to_string();
                match self.settle(&client, error) {
                    // The request that changed it may have been an earlier one: ask again.
                    Ok(Standing::Ours) | Err(_) => Renewal::Unknown(text),
                    Ok(Standing::Gone | Standing::Lost) => lost(),
                }
            }
        }
    }
}
