//! The keys that are left in a queue: free ones, and those of other workers, which may be released.

use prominence_api::Listed;
use prominence_api::time::parse_rfc3339;
use prominence_client::{Client, Error, ListOptions, Show};
use prominence_core::{Key, Prefix, Revision, Timestamp};

use super::claimed::AttemptId;
use super::event::{Event, HeldKey};
use super::run_state::Tried;
use crate::command::list::unexpected;
use crate::failure::Failure;

/// The most keys that one listing keeps: more than one run claims or a person reads.
const MAX_REMEMBERED: usize = 100;

/// The most keys that one listing reads. It only has to find out whether any key is left.
pub(super) const MAX_LOOK: u64 = 1_000;

/// The keys that are left in the queue, without those that failed in this run.
#[derive(Default)]
pub(super) struct Remaining {
    /// The number of keys, up to [`MAX_LOOK`].
    pub(super) keys: u64,
    /// The number of claimed ones.
    pub(super) held: u64,
    /// The first claimed ones.
    pub(super) holders: Vec<HeldKey>,
    /// The first free ones.
    pub(super) free: Vec<Key>,
    /// The key whose claim ends first, and that end.
    pub(super) next: Option<(Key, Revision, u64)>,
}

impl Remaining {
    /// Lists the queue at this time of the server's clock.
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
            let Listed::Detail(detail) = item.map_err(explained)? else {
                return Err(unexpected());
            };
            let Ok(key) = Key::parse(&detail.key) else {
                return Err(unexpected());
            };
            let modified = millis(&detail.modified).map(|at| at / 1_000);
            let claims = detail.claims;
            if has_failed(tried, &key, AttemptId { modified, claims }) {
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

/// True if a key, as it is now, has failed in this run.
pub(super) fn has_failed(tried: &Tried, key: &Key, now: AttemptId) -> bool {
    tried.get(key).is_some_and(|then| then.is_of(now))
}

/// Adds the reason for the listing.
fn explained(error: Error) -> Failure {
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
