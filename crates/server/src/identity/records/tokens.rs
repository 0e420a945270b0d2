//! The records of revoked tokens, and of tokens that were made here.

use std::cmp::Reverse;
use std::time::Duration;

use prominence_api::ErrorCode;
use prominence_core::limits::MAX_COMMIT_OPERATIONS;
use prominence_core::permit::Scopes;
use prominence_core::{
    Condition, Item, Job, Key, Lifetime, Namespace, Operation, PageLimit, Precondition, Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{Records, Subject, Target, below, encode, key, lasting, parse, set};
use crate::failure::Failure;
use crate::identity::token::{hexadecimal, parse_id};

/// The folder of the records of tokens that were made here.
const MADE: &str = "/tokens";

/// The most records of tokens made for one user. They are listed on one page.
const MAX_MADE: usize = 1_000;

/// The most revocations of single tokens and jobs of one user. A revocation of all tokens of the user is possible
/// beyond that.
const MAX_REVOKED_OF_USER: usize = 1_000;

/// The part of a bound of a user that a token can use up. One with scopes could otherwise make tokens and revoke them
/// until its user can't list or revoke any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// Of the operator, who is to be able to revoke tokens when users have used up what there is for all of them: twice as
    /// much as that, and no bound of single users.
    Operator,
    /// Of a token without scopes.
    Whole,
    /// Of a token with scopes.
    Half,
}

impl Share {
    /// The share of a token with these scopes.
    pub(crate) fn of(scopes: &Scopes) -> Self {
        match scopes {
            Scopes::Unrestricted => Self::Whole,
            Scopes::Only(_) => Self::Half,
        }
    }

    /// The most tokens in a user's list with which another one is listed.
    pub(crate) fn of_listed(self) -> usize {
        self.part(MAX_MADE)
    }

    /// So much of a bound.
    fn part(self, bound: usize) -> usize {
        match self {
            Self::Operator | Self::Whole => bound,
            Self::Half => bound / 2,
        }
    }
}

/// The record of a revocation.
#[derive(Serialize, Deserialize)]
pub(super) struct Revocation {
    version: u8,
    /// Tokens issued before this second, since 1970; every one where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<u64>,
}

impl Revocation {
    /// The record for tokens issued before an instant, or for every one.
    pub(super) fn of(before: Option<Timestamp>) -> Self {
        Self {
            version: 1,
            before: before.map(Timestamp::as_secs),
        }
    }

    /// The instant before which its tokens were issued.
    pub(super) fn before(&self) -> Timestamp {
        self.before.map_or(Timestamp::MAX, Timestamp::from_secs)
    }
}

/// A token that was made here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TokenRecord {
    pub(crate) version: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) job: Option<String>,
    pub(crate) scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
    /// The names of the tokens that it was made from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) from: Vec<String>,
    /// Seconds since 1970.
    pub(crate) made: u64,
    pub(crate) ends: u64,
    /// The day on which it was last used, as its first second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) used: Option<u64>,
}

/// A use of a token that was made here.
#[derive(Clone, Debug)]
pub(crate) struct Used {
    pub(crate) user: Namespace,
    pub(crate) id: [u8; 32],
    /// The first second of its day.
    pub(crate) day: u64,
}

impl Records {
    /// Revokes tokens. When this returns, the revocation is durable, this server refuses them, and requests of theirs that
    /// wait are told.
    ///
    /// # Errors
    /// 507 if there are too many revocations, and the store's.
    pub(crate) async fn revoke(
        &self,
        target: Target,
        before: Option<Timestamp>,
        remembered_for: Duration,
        share: Share,
    ) -> Result<(), Failure> {
        let _turn = match target.counts_for() {
            Some(user) => Some(self.turns.of(user).await),
            None => None,
        };
        self.check_bounds(&target, share)?;
        let key = target.key()?;
        let record = Revocation::of(before);
        let mut operations = vec![set(key.clone(), &record, lasting(remembered_for))?];
        if let Target::Token { id, of: Some(user) } = &target {
            operations.push(Operation::Delete {
                key: made_key(user, id)?,
            });
        }
        loop {
            let known = self.registry.get(&key).await?;
            let expect = match &known {
                Some(entry) => Precondition::Revision(entry.metadata.revision),
                None => Precondition::Absent,
            };
            let known = known.map(|entry| parse::<Revocation>(&key, &entry));
            if let Some(known) = known.transpose()?
                && known.before() >= record.before()
            {
                // One for an earlier instant must not let tokens in again.
                self.revocations.add(target, known.before());
                return Ok(());
            }
            let unchanged = Condition {
                key: key.clone(),
                expect,
            };
            match self.write_if(vec![unchanged], operations.clone()).await {
                // Another revocation of the same tokens came in between; it may be one for an earlier instant.
                Err(failure) if failure.is(ErrorCode::PreconditionFailed) => {}
                written => {
                    written?;
                    break;
                }
            }
        }
        // At once, and not when the follower comes to it.
        self.revocations.add(target, record.before());
        Ok(())
    }

    /// A revocation that is there already, and one of all tokens of a user, is always possible.
    fn check_bounds(&self, target: &Target, share: Share) -> Result<(), Failure> {
        if matches!(target, Target::User(_)) || self.revocations.has(target) {
            return Ok(());
        }
        let (all, of_user) = self.revocations.counts(target.counts_for());
        let has_room = match share {
            Share::Operator => all < self.max_revocations.saturating_mul(2),
            Share::Whole | Share::Half => {
                all < self.max_revocations && of_user < share.part(MAX_REVOKED_OF_USER)
            }
        };
        if has_room {
            return Ok(());
        }
        let message = match share {
            Share::Operator | Share::Whole => {
                "there are as many revocations as can be remembered; revoke all tokens of the user, or wait until \
                 revoked tokens have ended"
            }
            Share::Half => {
                "there are as many revocations as tokens with scopes can be given; revoke it by its id with a token \
                 without scopes, or wait until revoked tokens have ended"
            }
        };
        Err(Failure::new(ErrorCode::QuotaExceeded, message))
    }

    /// Lists a token that was made here for its user until it ends, if there is room for it. Answers whether there was.
    pub(crate) async fn list_token(
        &self,
        user: &Namespace,
        id: &[u8; 32],
        record: &TokenRecord,
        share: Share,
    ) -> Result<bool, Failure> {
        // Without it, tokens that are made at the same time could all find the last place.
        let _turn = self.turns.of(user).await;
        let most = share.of_listed() as u64;
        if self.count_listed(user).await? >= most {
            // Those that were revoked with their user, job or parent have still a record.
            self.forget_revoked(user).await?;
            if self.count_listed(user).await? >= most {
                return Ok(false);
            }
        }
        self.add_token(user, id, record).await?;
        Ok(true)
    }

    async fn count_listed(&self, user: &Namespace) -> Result<u64, Failure> {
        let made = below(&[MADE, &encode(user.as_str())])?;
        Ok(self.registry.count(&made).await?.keys)
    }

    async fn forget_revoked(&self, user: &Namespace) -> Result<(), Failure> {
        let mut revoked = Vec::new();
        for (id, record) in self.made_for(user).await? {
            if self.is_revoked(user, id, &record) {
                revoked.push(Operation::Delete {
                    key: made_key(user, &id)?,
                });
            }
        }
        for operations in revoked.chunks(MAX_COMMIT_OPERATIONS) {
            self.write(operations.to_vec()).await?;
        }
        Ok(())
    }

    /// Adds a token that was made here to those that its user can list, until it ends.
    pub(super) async fn add_token(
        &self,
        user: &Namespace,
        id: &[u8; 32],
        record: &TokenRecord,
    ) -> Result<(), Failure> {
        let lasts = Duration::from_secs(record.ends.saturating_sub(record.made));
        let operation = set(made_key(user, id)?, record, lasting(lasts))?;
        self.write(vec![operation]).await
    }

    /// The tokens that were made here for a user and are good, the newest first.
    pub(crate) async fn tokens_of(
        &self,
        user: &Namespace,
    ) -> Result<Vec<(String, TokenRecord)>, Failure> {
        let mut tokens = self.made_for(user).await?;
        tokens.retain(|(id, record)| !self.is_revoked(user, *id, record));
        tokens.sort_by_key(|(_, token)| Reverse(token.made));
        let named = tokens
            .into_iter()
            .map(|(id, token)| (hexadecimal(&id), token));
        Ok(named.collect())
    }

    /// The tokens that were made here for a user, also those that are revoked.
    async fn made_for(&self, user: &Namespace) -> Result<Vec<([u8; 32], TokenRecord)>, Failure> {
        let prefix = below(&[MADE, &encode(user.as_str())])?;
        let page = self.registry.page(&prefix, None, PageLimit::MAX).await?;
        let mut tokens = Vec::new();
        for item in page.items {
            let Item::Entry(key, entry) = item else {
                continue;
            };
            let name = key.as_str().rsplit('/').next().unwrap_or_default();
            if let Some(id) = parse_id(name) {
                tokens.push((id, parse(&key, &entry)?));
            }
        }
        Ok(tokens)
    }

    fn is_revoked(&self, user: &Namespace, id: [u8; 32], record: &TokenRecord) -> bool {
        let job = record.job.as_deref();
        let job = job.and_then(|job| Job::parse(job).ok());
        let made_from: Vec<_> = record.from.iter().filter_map(|id| parse_id(id)).collect();
        let token = Subject {
            user,
            job: job.as_ref(),
            id,
            made_from: &made_from,
            since: Some(Timestamp::from_secs(record.made)),
            job_since: Some(Timestamp::from_secs(record.made)),
        };
        self.revocations.is_revoked(token, Duration::ZERO)
    }

    /// Has the use of a token written down soon. It is left out if too many wait.
    pub(crate) fn note_use(&self, used: Used) {
        if let Some(uses) = self.uses.get() {
            let _ = uses.try_send(used);
        }
    }

    /// Writes the day of a use into the record of a token, if there is one.
    pub(super) async fn write_down(&self, used: Used) -> Result<(), Failure> {
        let key = made_key(&used.user, &used.id)?;
        let Some(entry) = self.registry.get(&key).await? else {
            return Ok(());
        };
        let mut record: TokenRecord = parse(&key, &entry)?;
        if record.used.is_some_and(|known| known >= used.day) {
            return Ok(());
        }
        record.used = Some(used.day);
        let lifetime = match entry.metadata.expires {
            Some(end) => Lifetime::Until(end),
            None => Lifetime::Permanent,
        };
        // Not if the token was revoked meanwhile, or noted by another server.
        let unchanged = Condition {
            key: key.clone(),
            expect: Precondition::Revision(entry.metadata.revision),
        };
        let operation = set(key, &record, lifetime)?;
        match self.write_if(vec![unchanged], vec![operation]).await {
            Err(failure) if failure.is(ErrorCode::PreconditionFailed) => Ok(()),
            written => written,
        }
    }
}

fn made_key(user: &Namespace, id: &[u8; 32]) -> Result<Key, Failure> {
    key(&[MADE, &encode(user.as_str()), &hexadecimal(id)])
}
