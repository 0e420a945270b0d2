//! Quotas of single users.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use prominence_api::ErrorCode;
use prominence_core::{Item, Key, Lifetime, Namespace, Operation, PageLimit, PartialQuota, Quota};
use serde::{Deserialize, Serialize};

use super::{Records, below, decode, encode, key, parse, set};
use crate::failure::Failure;

/// The folder of the records.
pub(super) const FOLDER: &str = "/quota";

/// The most users with a quota of their own.
const MAX_OWN: u64 = 10_000;

/// A quota of a user; what is left out is as usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OwnQuota {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keys: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<u64>,
    #[serde(default, flatten)]
    pub(crate) limit: OwnLimit,
}

impl OwnQuota {
    /// The quota in words.
    fn words(self) -> String {
        let Self { keys, bytes, limit } = self;
        let OwnLimit {
            requests_per_second,
            held,
        } = limit;
        let parts = [
            keys.map(|keys| format!("{keys} keys")),
            bytes.map(|bytes| format!("{bytes} bytes")),
            requests_per_second.map(|rate| format!("{rate} requests a second")),
            held.map(|held| format!("{held} requests that wait")),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        parts.join(", ")
    }
}

/// The limits of a user on requests; what is left out is as usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OwnLimit {
    /// The rate, by cost; 0 for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) requests_per_second: Option<u32>,
    /// Long polls at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) held: Option<usize>,
}

/// The limits of the users that have some of their own. They are looked up at every request and seldom change, so a change
/// replaces the whole table.
#[derive(Default)]
pub(crate) struct OwnLimits(ArcSwap<HashMap<Namespace, OwnLimit>>);

impl OwnLimits {
    /// Those of a user.
    pub(crate) fn of(&self, user: &Namespace) -> OwnLimit {
        let table = self.0.load();
        // Without the test, the name would be hashed at every request of a site that has none of them.
        if table.is_empty() {
            return OwnLimit::default();
        }
        table.get(user).copied().unwrap_or_default()
    }

    /// Gives a user limits of its own, or the usual ones again.
    pub(crate) fn set(&self, user: Namespace, limit: Option<OwnLimit>) {
        self.0.rcu(|table| {
            let mut table = HashMap::clone(table);
            match limit {
                Some(limit) => table.insert(user.clone(), limit),
                None => table.remove(&user),
            };
            table
        });
    }
}

impl From<OwnQuota> for PartialQuota {
    fn from(own: OwnQuota) -> Self {
        Self {
            keys: own.keys,
            bytes: own.bytes,
        }
    }
}

impl Records {
    /// The quota of a user.
    pub(crate) fn quota_of(&self, user: &Namespace) -> Quota {
        self.quotas.of(user)
    }

    /// Gives this quota to users as far as they have none of their own.
    pub(crate) fn replace_usual_quota(&self, quota: Quota) {
        self.quotas.set_usual(quota);
    }

    /// Gives a user a quota of its own, or the usual one again; in force here at once, and at other servers as soon as
    /// they have followed the log. The user may have no keys yet.
    ///
    /// # Errors
    /// 507 if there are too many, and the store's.
    pub(crate) async fn set_quota(
        &self,
        user: Namespace,
        own: Option<OwnQuota>,
    ) -> Result<(), Failure> {
        let key = key(&[FOLDER, &encode(user.as_str())])?;
        let Some(own) = own else {
            self.write(vec![Operation::Delete { key }]).await?;
            self.tell(&format!("the quota of {user} is the usual one again"));
            self.take_over_quota(user, None);
            return Ok(());
        };
        let is_new = self.read::<OwnQuota>(&key).await?.is_none();
        if is_new && self.registry.count(&below(&[FOLDER])?).await?.keys >= MAX_OWN {
            let message =
                "10000 users have a quota of their own, which is the limit; take one back";
            return Err(Failure::new(ErrorCode::QuotaExceeded, message));
        }
        self.write(vec![set(key, &own, Lifetime::Permanent)?])
            .await?;
        self.tell(&format!("the quota of {user} is {}", own.words()));
        self.take_over_quota(user, Some(own));
        Ok(())
    }

    /// Has a quota of a user in force in this process.
    pub(super) fn take_over_quota(&self, user: Namespace, own: Option<OwnQuota>) {
        let limit = own.map(|own| own.limit);
        let limit = limit.filter(|limit| *limit != OwnLimit::default());
        self.own_limits.set(user.clone(), limit);
        self.quotas.set(user, own.map(PartialQuota::from));
    }

    /// Has these quotas of users in force in this process, and no others.
    pub(super) fn replace_quotas(&self, all: HashMap<Namespace, OwnQuota>) {
        let limits = all.iter().map(|(user, own)| (user.clone(), own.limit));
        let limits = limits.filter(|(_, limit)| *limit != OwnLimit::default());
        self.own_limits.0.store(Arc::new(limits.collect()));
        let quotas = all.into_iter().map(|(user, own)| (user, own.into()));
        self.quotas.replace(quotas.collect());
    }

    /// The limits of single users on requests.
    pub(crate) fn own_limits(&self) -> &Arc<OwnLimits> {
        &self.own_limits
    }

    /// The users with a quota of their own.
    pub(crate) async fn own_quotas(&self) -> Result<Vec<(Namespace, OwnQuota)>, Failure> {
        let folder = below(&[FOLDER])?;
        let page = self.registry.page(&folder, None, PageLimit::MAX).await?;
        let mut all: Vec<(Namespace, OwnQuota)> = Vec::new();
        for item in page.items {
            if let Item::Entry(key, entry) = item
                && let Some(user) = user_of(&key)
            {
                all.push((user, parse(&key, &entry)?));
            }
        }
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(all)
    }
}

/// The user whose quota a record has; `None` for other records.
pub(super) fn user_of(key: &Key) -> Option<Namespace> {
    let rest = key.as_str().strip_prefix(FOLDER)?.strip_prefix('/')?;
    Namespace::parse(&decode(rest)?).ok()
}
