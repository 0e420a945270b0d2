//! A claimed key: its claim is renewed, and the key is deleted, moved or released.

use std::time::Duration;

use prominence_client::error::Fate;
use prominence_client::{Claimed, Client, Error, Metadata};
use prominence_core::{Key, Revision};

use super::attempts::{DeadLetters, move_key};
use crate::failure::Failure;
use crate::lease::clock::Moment;
use crate::lease::release::Releaser;
use crate::lease::renewer::{Lease, Renewal};
use crate::output;

/// The pause before a change whose answer was lost is repeated.
const PAUSE: Duration = Duration::from_millis(200);

/// A key that this process has claimed.
pub(super) struct ClaimedKey {
    releaser: Releaser,
    pub(super) key: Key,
    value: Vec<u8>,
    /// Its metadata when it was claimed.
    first: Metadata,
    /// The revision for the next request.
    revision: Revision,
    hold: Duration,
    /// Until then no other worker can have claimed the key, by this machine's clock.
    until: Moment,
    answers: Answers,
}

/// True if all requests have been answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    Complete,
    /// The result of a request is not known, so this process itself may have changed the revision.
    Lost,
}

/// One attempt: a value, and the number of the claim. A later set of the key makes it another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AttemptId {
    /// When the value was set, to the second.
    pub(super) modified: Option<u64>,
    pub(super) claims: u32,
}

impl AttemptId {
    /// True if the key still has the value and the claim of this attempt.
    pub(super) fn is_of(self, now: Self) -> bool {
        // A set starts the count again.
        self.modified == now.modified && self.claims <= now.claims
    }
}

/// The result of a deletion or a move.
pub(super) enum Done {
    /// The key is gone.
    Yes,
    /// The claim was lost.
    Lost,
}

impl ClaimedKey {
    /// A key whose claim began no earlier than `since`.
    pub(super) fn new(releaser: Releaser, claimed: Claimed, hold: Duration, since: Moment) -> Self {
        let Claimed { key, entry } = claimed;
        Self {
            releaser,
            key,
            value: entry.value,
            revision: entry.metadata.revision,
            first: entry.metadata,
            hold,
            until: since.after(hold),
            answers: Answers::Complete,
        }
    }

    /// The number of claims since the value was set; `None` if the server does not count.
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

    pub(super) fn identity(&self) -> AttemptId {
        AttemptId {
            modified: self.first.modified.map(|at| at.as_millis() / 1_000),
            claims: self.first.claims,
        }
    }

    /// Deletes the key, since its command succeeded. Repeats the request for as long as the claim lasts.
    pub(super) fn finish(&mut self) -> Result<Done, Failure> {
        self.conclude(|work, client| client.delete_revision(&work.key, work.revision).map(drop))
    }

    /// Moves the key below the dead-letter prefix, and returns its new name.
    pub(super) fn move_to(&mut self, letters: &DeadLetters) -> Result<(Done, Key), Failure> {
        let to = self.release_by(|client| letters.vacant(client, &self.key))?;
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
            let client = self.releaser.client.with_retry_for(self.until.left());
            match change(self, &client) {
                Ok(()) => return Ok(Done::Yes),
                Err(error) => match self.check_ownership(&client, error)? {
                    Ownership::Ours => std::thread::sleep(PAUSE),
                    Ownership::Gone => return Ok(Done::Yes),
                    Ownership::Lost => return Ok(Done::Lost),
                },
            }
        }
    }

    /// Leaves the claim to run out after this time: until then no worker claims the key.
    pub(super) fn leave_for(&self, delay: Duration) {
        match self.release_by(|client| client.renew(&self.key, self.revision, delay)) {
            Ok(_) | Err(Error::PreconditionFailed(_) | Error::NoSuchKey(_)) => {}
            Err(error) => output::warn(format!(
                "{} is free again only when its claim runs out: {}",
                self.key,
                Failure::from(error)
            )),
        }
    }

    /// Releases the claim. One that can't be released runs out by itself.
    pub(super) fn release(&self) {
        match self.release_by(|client| client.release(&self.key, self.revision)) {
            // The claim ran out, and another worker may have the key.
            Ok(_) | Err(Error::PreconditionFailed(_) | Error::NoSuchKey(_)) => {}
            Err(error) => output::warn(format!(
                "{} could not be released and is free when the claim runs out: {}",
                self.key,
                Failure::from(error)
            )),
        }
    }

    /// Runs a request that ends the claim; repeats it for no longer than the claim lasts.
    fn release_by<T>(&self, request: impl FnOnce(&Client) -> T) -> T {
        let what = format!("releasing {}", self.key);
        self.releaser.run(self.until.left(), &what, request)
    }

    /// True if the claim is still ours after a request that failed; reads the revision again.
    fn check_ownership(&mut self, client: &Client, error: Error) -> Result<Ownership, Error> {
        let refused = matches!(error, Error::PreconditionFailed(_) | Error::NoSuchKey(_));
        if refused && self.answers == Answers::Complete {
            return Ok(Ownership::Lost);
        }
        if !refused && error.fate() == Fate::NotApplied {
            return Err(error);
        }
        self.answers = Answers::Lost;
        let Some(now) = client.head(&self.key)? else {
            return Ok(Ownership::Gone);
        };
        // A claim changes neither the creation of the key nor the time of its value, and no other worker can have claimed
        // it before the end of our claim. So the revision is that of our own last request.
        let untouched = now.created == self.first.created && now.modified == self.first.modified;
        if !untouched || now.claimed_until.is_none() || self.until.is_past() {
            return Ok(Ownership::Lost);
        }
        self.revision = now.revision;
        self.answers = Answers::Complete;
        Ok(Ownership::Ours)
    }
}

/// The owner of a key.
enum Ownership {
    Ours,
    Gone,
    Lost,
}

impl Lease for ClaimedKey {
    fn renew(&mut self) -> Renewal {
        let lost = || Renewal::Lost("it had run out, or the key was set or deleted".to_owned());
        let asked = Moment::now();
        let client = self.releaser.client.clone();
        match client.renew(&self.key, self.revision, self.hold) {
            Ok(held) => {
                self.revision = held.revision;
                self.until = asked.after(self.hold);
                self.answers = Answers::Complete;
                Renewal::Renewed
            }
            Err(error) => {
                let text = error.to_string();
                match self.check_ownership(&client, error) {
                    // An earlier request may have changed the revision: the renewal is repeated.
                    Ok(Ownership::Ours) | Err(_) => Renewal::Unknown(text),
                    Ok(Ownership::Gone | Ownership::Lost) => lost(),
                }
            }
        }
    }
}
