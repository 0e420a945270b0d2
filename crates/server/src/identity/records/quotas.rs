//! Quotas of single users.

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
            self.quotas.set(user, None);
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
        self.quotas.set(user, Some(own.into()));
        Ok(())
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
