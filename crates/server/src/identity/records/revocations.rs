//! The revocations in memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use prominence_core::permit::Principal;
use prominence_core::{Job, Namespace, Timestamp};
use tokio::sync::watch;

use super::Target;

/// Which tokens are revoked.
pub(crate) struct Revocations {
    list: RwLock<List>,
    /// Rises with every change, after the list has it. Who has looked a token up at one version need not look again
    /// as long as the version is the same, so the number of revocations costs a request nothing.
    version: AtomicU64,
    /// Tells requests that wait.
    told: watch::Sender<u64>,
}

/// Each target, and the instant before which its tokens were issued; the latest for one of a single token.
#[derive(Default)]
pub(super) struct List {
    before: HashMap<Target, Timestamp>,
    /// The number of records of single tokens and jobs of each user.
    of_users: HashMap<Namespace, usize>,
}

/// A token that may be revoked.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) user: &'a Namespace,
    pub(crate) job: Option<&'a Job>,
    pub(crate) id: [u8; 32],
    /// The account and the tokens that it was made from.
    pub(crate) made_from: &'a [[u8; 32]],
    /// [`Principal::since`].
    pub(crate) since: Option<Timestamp>,
    /// [`Principal::job_since`].
    pub(crate) job_since: Option<Timestamp>,
}

impl<'a> From<&'a Principal> for Subject<'a> {
    fn from(who: &'a Principal) -> Self {
        Self {
            user: &who.user,
            job: who.job.as_ref(),
            id: who.id,
            made_from: &who.made_from,
            since: who.since,
            job_since: who.job_since,
        }
    }
}

impl Default for Revocations {
    fn default() -> Self {
        Self {
            list: RwLock::default(),
            version: AtomicU64::new(0),
            told: watch::channel(0).0,
        }
    }
}

impl Revocations {
    /// The version of the list. Read it before [`Revocations::is_revoked`] is asked: then a change in between is noticed.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// True if a token is revoked. The clock of its issuer may be ahead by the leeway, so a token that was issued within
    /// it counts as one from before. A token that does not say when it was issued counts as older than any revocation.
    pub(crate) fn is_revoked(&self, token: Subject<'_>, leeway: Duration) -> bool {
        let list = self.read();
        if list.before.is_empty() {
            return false;
        }
        let is_revoked_since = |target: Target, since: Option<Timestamp>| {
            let before = list.before.get(&target);
            before.is_some_and(|before| since.is_none_or(|since| since < before.after(leeway)))
        };
        let is_before = |target| is_revoked_since(target, token.since);
        let owners = || [Some(token.user.clone()), None].into_iter();
        let mut ids = [token.id]
            .into_iter()
            .chain(token.made_from.iter().copied());
        let mut accounts = token.made_from.iter().map(|id| Target::Account {
            id: *id,
            of: token.user.clone(),
        });
        is_before(Target::User(token.user.clone()))
            || accounts.any(is_before)
            || ids.any(|id| owners().any(|of| is_before(Target::Token { id, of })))
            || token.job.is_some_and(|job| {
                let job = || job.clone();
                owners().any(|of| is_revoked_since(Target::Job { job: job(), of }, token.job_since))
            })
    }

    /// Becomes readable whenever the list has changed.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.told.subscribe()
    }

    /// The number of records of each kind.
    pub(crate) fn by_kind(&self) -> [(&'static str, usize); Target::KINDS.len()] {
        let list = self.read();
        Target::KINDS.map(|kind| {
            let of_kind = list.before.keys().filter(|one| one.kind() == kind);
            (kind, of_kind.count())
        })
    }

    /// The number of records, and those that count for a user.
    pub(super) fn counts(&self, user: Option<&Namespace>) -> (usize, usize) {
        let list = self.read();
        let of_user = user.and_then(|user| list.of_users.get(user));
        (list.before.len(), of_user.copied().unwrap_or(0))
    }

    /// True if they contain a target.
    pub(super) fn has(&self, target: &Target) -> bool {
        self.read().before.contains_key(target)
    }

    pub(super) fn add(&self, target: Target, before: Timestamp) {
        self.change(|list| list.add(target, before));
    }

    pub(super) fn remove(&self, target: &Target) {
        self.change(|list| list.remove(target));
    }

    /// Every target.
    pub(super) fn targets(&self) -> Vec<Target> {
        self.read().before.keys().cloned().collect()
    }

    /// Replaces the targets that were known when the store was read by those that were found there. One that was added
    /// meanwhile stays.
    pub(super) fn replace(&self, known: &[Target], found: List) {
        self.change(|list| {
            for target in known {
                if !found.before.contains_key(target) {
                    list.remove(target);
                }
            }
            for (target, before) in found.before {
                list.add(target, before);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut List)) {
        change(&mut self.list.write().unwrap_or_else(PoisonError::into_inner));
        let version = self.version.fetch_add(1, Ordering::AcqRel) + 1;
        self.told.send_replace(version);
    }

    fn read(&self) -> RwLockReadGuard<'_, List> {
        self.list.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    pub(super) fn add(&mut self, target: Target, before: Timestamp) {
        let user = target.counts_for().cloned();
        let is_new = match self.before.entry(target) {
            Entry::Vacant(place) => {
                place.insert(before);
                true
            }
            Entry::Occupied(mut known) => {
                // One for an earlier instant must not let tokens in again.
                let later = before.max(*known.get());
                known.insert(later);
                false
            }
        };
        if is_new && let Some(user) = user {
            *self.of_users.entry(user).or_default() += 1;
        }
    }

    fn remove(&mut self, target: &Target) {
        if self.before.remove(target).is_none() {
            return;
        }
        if let Some(user) = target.counts_for()
            && let Some(count) = self.of_users.get_mut(user)
        {
            *count -= 1;
            if *count == 0 {
                self.of_users.remove(user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> Namespace {
        Namespace::parse(name).unwrap()
    }

    fn job(id: &str) -> Job {
        Job::parse(id).unwrap()
    }

    /// True if a token of a job of a user, issued at a second, is revoked.
    fn revoked(list: &Revocations, name: &str, id: &str, issued: Option<u64>) -> bool {
        let (user, job) = (user(name), job(id));
        let token = Subject {
            user: &user,
            job: Some(&job),
            id: [7; 32],
            made_from: &[],
            since: issued.map(Timestamp::from_secs),
            job_since: issued.map(Timestamp::from_secs),
        };
        list.is_revoked(token, Duration::from_secs(30))
    }

    #[test]
    fn a_job_is_revoked_for_its_user_alone_and_tokens_made_afterwards_are_good() {
        let list = Revocations::default();
        let of = Some(user("alice"));
        let target = Target::Job { job: job("7"), of };
        list.add(target.clone(), Timestamp::from_secs(100));
        assert!(revoked(&list, "alice", "7", Some(129)), "within the leeway");
        assert!(revoked(&list, "alice", "7", None));
        assert!(!revoked(&list, "alice", "7", Some(130)));
        assert!(!revoked(&list, "alice", "77", Some(99)));
        assert!(!revoked(&list, "bob", "7", Some(99)));
        list.remove(&target);
        assert!(!revoked(&list, "alice", "7", Some(99)));
        let target = Target::Job {
            job: job("7"),
            of: None,
        };
        list.add(target, Timestamp::from_secs(100));
        assert!(revoked(&list, "bob", "7", Some(99)));
    }

    #[test]
    fn the_token_of_another_user_can_not_be_revoked_by_its_id() {
        let list = Revocations::default();
        let target = |of| Target::Token { id: [7; 32], of };
        list.add(target(Some(user("bob"))), Timestamp::MAX);
        assert!(!revoked(&list, "alice", "1", Some(1)));
        assert!(revoked(&list, "bob", "1", Some(1)));
        list.add(target(None), Timestamp::MAX);
        assert!(revoked(&list, "alice", "1", Some(1)));
    }

    #[test]
    fn records_of_a_user_are_counted_once_each() {
        let list = Revocations::default();
        let target = |id| Target::Token {
            id: [id; 32],
            of: Some(user("alice")),
        };
        for id in [1, 1, 2] {
            list.add(target(id), Timestamp::MAX);
        }
        assert_eq!(list.counts(Some(&user("alice"))), (2, 2));
        list.remove(&target(1));
        list.remove(&target(1));
        assert_eq!(list.counts(Some(&user("alice"))), (1, 1));
        assert_eq!(list.counts(Some(&user("bob"))), (1, 0));
    }

    #[test]
    fn a_hundred_thousand_revocations_take_at_most_200_bytes_each() {
        let of_map = size_of::<(Target, Timestamp)>() + 1;
        // A map is at most twice as large as its content and at least three sevenths full.
        assert!(of_map * 7 / 3 <= 200, "{of_map}");
    }
}
