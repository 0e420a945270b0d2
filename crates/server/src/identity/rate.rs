//! The limit on the rate of each user's requests, by their cost.
//!
//! The unit is a small request, such as a get. Each request takes one unit before it is done, and afterwards what it has
//! cost beyond that. So a user can be in debt, and the next request is refused until the debt is paid (the generic cell
//! rate algorithm, with debts).

use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};
use prominence_api::ErrorCode;
use prominence_core::Namespace;

use super::records::OwnLimits;
use crate::failure::Failure;

/// The units that a user can use at once are those of this time.
const BURST: Duration = Duration::from_secs(1);

/// The most debt: a user never has to wait for longer.
const MOST_DEBT: Duration = Duration::from_secs(60);

/// Entries that are listed, or operations of a batch, for each unit. They have no parsing of a head and no wake-up of a task,
/// which is most of the time of a small request.
const ITEMS_PER_UNIT: usize = 50;

/// Bytes for each unit: about the time of a small request to copy and send them.
const BYTES_PER_UNIT: usize = 64 << 10;

/// Keys that are counted for each unit.
const COUNTED_PER_UNIT: u64 = 256;

/// Locks of the table, so that users seldom wait for each other.
const SHARDS: usize = 16;

/// After this many requests users whose units are all back are removed from the table, so that it holds only users of the
/// last moments.
const REQUESTS_BETWEEN_CLEANINGS: u32 = 100_000;

/// The rates of all users.
pub(crate) struct RateLimit {
    /// Of users without a limit of their own; 0 for no limit.
    per_second: u32,
    own: Arc<OwnLimits>,
    began: Instant,
    hasher: DefaultHashBuilder,
    shards: [Mutex<HashTable<Debtor>>; SHARDS],
    until_cleaning: AtomicU32,
}

/// A user who has used units lately.
struct Debtor {
    user: Namespace,
    /// The time since `began` at which all units are back.
    back: Duration,
}

/// Charges one user for what a request has cost.
#[derive(Clone)]
pub(crate) struct Meter {
    pub(crate) rate: Arc<RateLimit>,
    pub(crate) user: Namespace,
}

impl RateLimit {
    /// That many units a second, and as many at once, or as many as a user's own limit says; 0 for no limit.
    pub(crate) fn new(per_second: u32, own: Arc<OwnLimits>) -> Self {
        Self {
            per_second,
            own,
            began: Instant::now(),
            hasher: DefaultHashBuilder::default(),
            shards: Default::default(),
            until_cleaning: AtomicU32::new(REQUESTS_BETWEEN_CLEANINGS),
        }
    }

    /// Takes a unit of the user's for a request that came at this time.
    ///
    /// # Errors
    /// 429 if the user has none, with the time until there is one.
    pub(crate) fn admit(&self, user: &Namespace, at: Instant) -> Result<(), Failure> {
        let now = at.saturating_duration_since(self.began);
        self.take(user, now).map_err(|wait| {
            let limit = self.per_second_of(user);
            let message = format!(
                "too many requests: the limit is {limit} a second; large listings, counts, batches and watches count as several"
            );
            Failure::new(ErrorCode::RateLimited, message).retry_after(wait)
        })
    }

    /// The same at this time; an error says how long to wait.
    fn take(&self, user: &Namespace, now: Duration) -> Result<(), Duration> {
        let Some(one) = self.time_of(user, 1) else {
            return Ok(());
        };
        if self.until_cleaning.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.clean(now);
        }
        self.debtor(user, |debtor| {
            let used = debtor.back.saturating_sub(now) + one;
            if used > BURST {
                return Err(used - BURST);
            }
            debtor.back = now + used;
            Ok(())
        })
    }

    /// Charges a user for units that a request has used.
    fn charge(&self, user: &Namespace, units: u64, now: Duration) {
        let Some(time) = self.time_of(user, units) else {
            return;
        };
        self.debtor(user, |debtor| {
            let used = debtor.back.saturating_sub(now) + time;
            debtor.back = now + used.min(BURST + MOST_DEBT);
        });
    }

    fn per_second_of(&self, user: &Namespace) -> u32 {
        let own = self.own.of(user).requests_per_second;
        own.unwrap_or(self.per_second)
    }

    /// The time in which so many units of the user's come back; `None` without a limit.
    fn time_of(&self, user: &Namespace, units: u64) -> Option<Duration> {
        // No request uses so many units that this saturates.
        let nanos = units.saturating_mul(1_000_000_000);
        let nanos = nanos.checked_div(u64::from(self.per_second_of(user)))?;
        Some(Duration::from_nanos(nanos))
    }

    fn clean(&self, now: Duration) {
        self.until_cleaning
            .store(REQUESTS_BETWEEN_CLEANINGS, Ordering::Relaxed);
        for shard in &self.shards {
            lock(shard).retain(|debtor| debtor.back > now);
        }
    }

    /// Changes what is known of a user. The name is hashed once, for the shard and for its table.
    fn debtor<T>(&self, user: &Namespace, change: impl FnOnce(&mut Debtor) -> T) -> T {
        let hash = self.hasher.hash_one(user);
        // The table uses the highest and the lowest bits.
        let shard = (hash >> 32) % SHARDS as u64;
        let mut shard = lock(&self.shards[usize::try_from(shard).unwrap_or_default()]);
        let same = |debtor: &Debtor| debtor.user == *user;
        let rehash = |debtor: &Debtor| self.hasher.hash_one(&debtor.user);
        let mut debtor = match shard.entry(hash, same, rehash) {
            Entry::Occupied(known) => known,
            Entry::Vacant(place) => place.insert(Debtor {
                user: user.clone(),
                back: Duration::ZERO,
            }),
        };
        change(debtor.get_mut())
    }
}

/// No step under the lock can fail halfway.
fn lock<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The units of entries and their bytes, beyond that of their request.
fn units_of(items: usize, bytes: usize) -> u64 {
    (items / ITEMS_PER_UNIT + bytes / BYTES_PER_UNIT) as u64
}

impl Meter {
    /// Charges for entries that were read or written together, and their bytes.
    pub(crate) fn items(&self, items: usize, bytes: usize) {
        self.charge(units_of(items, bytes));
    }

    /// Charges for keys that were counted.
    pub(crate) fn counted(&self, keys: u64) {
        self.charge(keys / COUNTED_PER_UNIT);
    }

    fn charge(&self, units: u64) {
        if units > 0 {
            let now = self.rate.began.elapsed();
            self.rate.charge(&self.user, units, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::records::OwnLimit;

    fn user(name: &str) -> Namespace {
        Namespace::parse(name).unwrap()
    }

    #[test]
    fn a_request_is_admitted_again_after_the_time_that_was_told_and_not_before() {
        let rate = RateLimit::new(5, Arc::default());
        let (alice, bob) = (user("alice"), user("bob"));
        let now = Duration::from_secs(100);
        for _ in 0..5 {
            assert_eq!(rate.take(&alice, now), Ok(()));
        }
        let wait = rate.take(&alice, now).unwrap_err();
        assert_eq!(wait, Duration::from_millis(200));
        assert_eq!(
            rate.take(&bob, now),
            Ok(()),
            "each user has units of their own"
        );
        let early = now + wait - Duration::from_nanos(1);
        assert_eq!(rate.take(&alice, early), Err(Duration::from_nanos(1)));
        assert_eq!(rate.take(&alice, now + wait), Ok(()));
        assert!(rate.take(&alice, now + wait).is_err());
    }

    #[test]
    fn what_a_request_has_cost_is_paid_before_the_next_one() {
        let rate = RateLimit::new(100, Arc::default());
        let alice = user("alice");
        let now = Duration::from_secs(100);
        assert_eq!(rate.take(&alice, now), Ok(()));
        rate.charge(&alice, 299, now);
        let wait = rate.take(&alice, now).unwrap_err();
        assert_eq!(wait, Duration::from_millis(2_010));
        assert_eq!(rate.take(&alice, now + wait), Ok(()));
        rate.charge(&alice, u64::MAX, now + wait);
        let wait = rate.take(&alice, now + wait).unwrap_err();
        assert!(wait <= MOST_DEBT + Duration::from_millis(10), "{wait:?}");
    }

    #[test]
    fn a_user_has_the_usual_rate_or_one_of_its_own_or_none() {
        let own = Arc::new(OwnLimits::default());
        let rate = RateLimit::new(0, Arc::clone(&own));
        let (alice, bob) = (user("alice"), user("bob"));
        let now = Duration::from_secs(100);
        let taken = |user| (0..10).take_while(|_| rate.take(user, now).is_ok()).count();
        assert_eq!((taken(&alice), taken(&bob)), (10, 10));
        let limits = |requests_per_second| {
            let limits = OwnLimit {
                requests_per_second,
                ..OwnLimit::default()
            };
            own.set(alice.clone(), Some(limits));
        };
        limits(Some(3));
        assert_eq!((taken(&alice), taken(&bob)), (3, 10));
        limits(Some(0));
        assert_eq!(taken(&alice), 10);
    }

    #[test]
    fn users_whose_units_are_back_take_no_memory() {
        let rate = RateLimit::new(10, Arc::default());
        let now = Duration::from_secs(100);
        for number in 0..1_000 {
            let name = format!("user{number}");
            rate.take(&user(&name), now).unwrap();
        }
        let known = || {
            rate.shards
                .iter()
                .map(|shard| lock(shard).len())
                .sum::<usize>()
        };
        assert_eq!(known(), 1_000);
        rate.clean(now);
        assert_eq!(known(), 1_000, "their units are not back yet");
        rate.clean(now + BURST);
        assert_eq!(known(), 0);
    }

    #[test]
    fn large_requests_cost_more_and_small_ones_no_more_than_their_unit() {
        assert_eq!(units_of(49, 65_535), 0);
        assert_eq!(units_of(1_000, 1 << 20), 20 + 16);
        let rate = Arc::new(RateLimit::new(1, Arc::default()));
        let meter = Meter {
            rate: Arc::clone(&rate),
            user: user("alice"),
        };
        let is_charged = || rate.shards.iter().any(|shard| !lock(shard).is_empty());
        meter.items(49, 65_535);
        meter.counted(255);
        assert!(!is_charged());
        meter.counted(256);
        assert!(is_charged());
    }
}
