//! What is left of a queue: keys that nobody holds, and keys of workers who may give them back.

use prominence_api::Listed;
use prominence_api::time::parse_rfc3339;
use prominence_client::{Client, Error, ListOptions, Show};
use prominence_core::{Key, Prefix, Revision, Timestamp};

use super::event::{Event, HeldKey};
use super::tally::Tried;
use super::work::Identity;
use crate::command::list::unexpected;
use crate::failure::Failure;

/// Keys that one look at the queue remembers: more than one run takes or a person reads.
const MAX_REMEMBERED: usize = 100;

/// Keys after which a look at the queue ends. It only has to find out whether anything is left.
pub(super) const MAX_LOOK: u64 = 1_000;

/// What is left of the queue, but for what has failed in this run.
#[derive(Default)]
pub(super) struct Left {
    /// How many keys, up to [`MAX_LOOK`].
    pub(super) keys: u64,
    /// How many of them somebody holds.
    pub(super) held: u64,
    /// The first of those.
    pub(super) holders: Vec<HeldKey>,
    /// The first keys that nobody holds.
    pub(super) free: Vec<Key>,
    /// The key whose claim ends first, and that end.
    pub(super) next: Option<(Key, Revision, u64)>,
}

impl Left {
    /// Looks at the queue at this time of the server's clock.
    pub(super) fn look(
        client: &Client,
        prefix: &Prefix,
        tried: &Tried,
        now: u64,
    ) -> Result<Self, Failure> {
        let options = ListOptions {
            show: Show::Details,
            ..ListOptions::default()
        };
        let mut left = Self::default();
        for item in client.list(prefix, options) {
            let Listed::Detail(detail) = item.map_err(told)? else {
                return Err(unexpected());
            };
            let Ok(key) = Key::parse(&detail.key) else {
                return Err(unexpected());
            };
            let modified = millis(&detail.modified).map(|at| at / 1_000);
            let claims = detail.claims;
            if has_failed(tried, &key, Identity { modified, claims }) {
                continue;
            }
            left.keys += 1;
            let until = detail.claimed_until.as_deref().and_then(millis);
            match (until, detail.claimed_until) {
                (Some(at), Some(claimed_until)) if at > now => {
                    left.held += 1;
                    if left.next.as_ref().is_none_or(|(_, _, end)| at < *end) {
                        left.next = Some((key, Revision::new(detail.revision), at));
                    }
                    if left.holders.len() < MAX_REMEMBERED {
                        left.holders.push(HeldKey {
                            key: detail.key,
                            claimed_until,
                            claimed_by: detail.claimed_by,
                            claims,
                        });
                    }
                }
                _ if left.free.len() < MAX_REMEMBERED => left.free.push(key),
                _ => {}
            }
            if left.keys >= MAX_LOOK {
                break;
            }
        }
        left.holders
            .sort_by(|one, other| one.claimed_until.cmp(&other.claimed_until));
        Ok(left)
    }

    pub(super) fn event(&self) -> Event {
        Event::Waiting {
            held: self.held,
            keys: self.holders.clone(),
        }
    }
}

/// Whether a key, as it is now, has failed in this run.
pub(super) fn has_failed(tried: &Tried, key: &Key, now: Identity) -> bool {
    tried.get(key).is_some_and(|then| then.is_of(now))
}

/// Says why the queue has to be read.
fn told(error: Error) -> Failure {
    let forbidden = matches!(error, Error::Forbidden(_));
    let failure = Failure::from(error);
    if forbidden {
        return failure.after(
            "--until-empty lists the queue to see whether other workers hold keys".to_owned(),
        );
    }
    failure
}

/// An instant in milliseconds.
fn millis(instant: &str) -> Option<u64> {
    parse_rfc3339(instant).map(Timestamp::as_millis)
}
