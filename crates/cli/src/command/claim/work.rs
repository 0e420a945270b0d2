//! One piece of work that is claimed: renewed, done or given back.

use std::time::Duration;

use prominence_client::error::Fate;
use prominence_client::{Claimed, Client, Error, Metadata};
use prominence_core::{Key, Revision};

use crate::failure::Failure;
use crate::held::clock::Moment;
use crate::held::keeper::{Hold, Renewal};
use crate::output;

/// The pause before a deletion whose answer was lost is asked for again.
const PAUSE: Duration = Duration::from_millis(200);

/// A key that this process has claimed.
pub(super) struct Work {
    /// Repeats nothing by itself.
    client: Client,
    /// How long the claim is tried to be given back while the server is away.
    patience: Duration,
    pub(super) key: Key,
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

/// What became of a key that was to be deleted.
pub(super) enum Done {
    /// It is deleted.
    Yes,
    /// It was not ours any more.
    Lost,
}

impl Work {
    /// What was claimed no earlier than `since`.
    pub(super) fn new(
        (client, patience): (Client, Duration),
        claimed: &Claimed,
        hold: Duration,
        since: Moment,
    ) -> Self {
        Self {
            client,
            patience,
            key: claimed.key.clone(),
            first: claimed.entry.metadata.clone(),
            revision: claimed.entry.metadata.revision,
            hold,
            until: since.after(hold),
            answers: Answers::Complete,
        }
    }

    /// Deletes the key, since the work is done. Tries for as long as the claim lasts.
    pub(super) fn finish(&mut self) -> Result<Done, Failure> {
        loop {
            let client = self.client.with_retry_for(self.until.left());
            match client.delete_revision(&self.key, self.revision) {
                Ok(_) => return Ok(Done::Yes),
                Err(error) => match self.settle(&client, error)? {
                    Standing::Ours => std::thread::sleep(PAUSE),
                    Standing::Gone => return Ok(Done::Yes),
                    Standing::Lost => return Ok(Done::Lost),
                },
            }
        }
    }

    /// Releases the claim. One that can't be released runs out by itself.
    pub(super) fn give_back(&self) {
        let client = self
            .client
            .with_retry_for(self.patience.min(self.until.left()));
        match client.release(&self.key, self.revision) {
            // Somebody may have it already, or its time was over.
            Ok(_) | Err(Error::PreconditionFailed(_) | Error::NoSuchKey(_)) => {}
            Err(error) => output::warn(format!(
                "{} could not be given back and is free when the claim runs out: {}",
                self.key,
                Failure::from(error)
            )),
        }
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
        let client = self.client.clone();
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
