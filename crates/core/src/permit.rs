//! Who may do what: the only way from a caller to a store.
//!
//! A [`Gate`] owns the store and gives out permits: values that stand for one allowed action of
//! one [`Principal`] and that alone can reach the store. Code that forgot to ask has nothing to
//! call.
//!
//! Scopes follow the WLCG Common JWT Profiles (version 1.0, section "Capability-based
//! Authorization"): `storage.read:PATH`, `storage.create:PATH` (new keys only) and
//! `storage.modify:PATH` (create, replace and delete) cover PATH and everything below it. A
//! principal whose scopes name no capability has the whole of its namespace; see [`Scopes::of_words`].

mod permits;
mod rules;
mod scopes;

use std::sync::Arc;

use crate::commit::{Commit, Condition, Precondition};
use crate::entry::Entry;
use crate::error::StoreError;
use crate::key::{Key, Prefix};
use crate::namespace::{Job, Namespace};
use crate::store::Store;
use crate::time::Timestamp;

pub use permits::{CommitPermit, DryRunPermit, ListPermit, ReadPermit, UsagePermit};
use rules::{beyond, check_commit, outside};
pub use scopes::{Access, Scope, ScopeError, Scopes};

/// A caller whose token has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The user's namespace.
    pub user: Namespace,
    /// The job that the token was made for.
    pub job: Option<Job>,
    /// What the token is limited to.
    pub scopes: Scopes,
    /// When the token ends.
    pub expires: Timestamp,
    /// When the token was issued, if it says so.
    pub issued: Option<Timestamp>,
    /// Who issued the token.
    pub issuer: String,
    /// A digest of the token: equal for two spellings of the same signed text, and different for all others.
    pub id: [u8; 32],
    /// The digests of the tokens that it was made from, the first one first. With one of them it ends, too.
    pub made_from: Vec<[u8; 32]>,
}

/// The action that a token's scopes don't cover.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token's scopes do not allow {action} {place}; use a token whose scopes do")]
pub struct Forbidden {
    action: &'static str,
    place: String,
    scope: Option<String>,
}

impl Forbidden {
    /// The scope that would allow it, if one would.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }
}

/// Why a permitted commit was not done.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The token may create keys but not replace them, and one exists.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The store's own answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Keeps the store behind permits.
#[derive(Clone)]
pub struct Gate {
    store: Arc<dyn Store>,
}

impl Gate {
    /// Puts a store behind permits.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Whether the store answers; tells nothing about any user.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.store.ready().await
    }

    /// Asks to read a key.
    ///
    /// # Errors
    /// When no scope covers it.
    pub fn read(&self, who: &Principal, key: Key) -> Result<ReadPermit, Forbidden> {
        if !who.scopes.allow(Access::Read, &key) {
            return Err(outside("reading", Access::Read, &key));
        }
        Ok(ReadPermit {
            store: Arc::clone(&self.store),
            namespace: who.user.clone(),
            key,
        })
    }

    /// Reads a key where the store can answer at once and a scope covers it; otherwise ask for a
    /// permit. See [`Store::get_at_once`].
    #[must_use]
    pub fn read_at_once(&self, who: &Principal, key: &Key) -> Option<Entry> {
        if !who.scopes.allow(Access::Read, key) {
            return None;
        }
        self.store.get_at_once(&who.user, key)
    }

    /// Asks to list, count or watch a prefix.
    ///
    /// # Errors
    /// When a key that begins with it may lie outside the token's scopes.
    pub fn list(&self, who: &Principal, prefix: Prefix) -> Result<ListPermit, Forbidden> {
        if !who.scopes.allow_prefix(Access::Read, &prefix) {
            return Err(beyond("listing", Access::Read, &prefix));
        }
        Ok(ListPermit {
            store: Arc::clone(&self.store),
            namespace: who.user.clone(),
            prefix,
        })
    }

    /// Asks to do a commit.
    ///
    /// # Errors
    /// When one of its operations or conditions touches what no scope covers.
    pub fn commit(&self, who: &Principal, mut commit: Commit) -> Result<CommitPermit, Forbidden> {
        let mut create_only = check_commit(&who.scopes, &commit)?;
        // Where the caller itself demands that a key be absent, one that exists is an unmet condition and not a
        // missing right: so the owner of the token can tell a race from a wrong token.
        create_only.retain(|key| {
            let mut own = commit.conditions().iter();
            !own.any(|own| own.key == *key && own.expect == Precondition::Absent)
        });
        for key in &create_only {
            commit.demand(Condition {
                key: key.clone(),
                expect: Precondition::Absent,
            });
        }
        Ok(CommitPermit {
            store: Arc::clone(&self.store),
            namespace: who.user.clone(),
            author: who.job.clone(),
            commit,
            create_only,
        })
    }

    /// Asks to count what deleting a prefix would remove; needs what deleting it would need.
    ///
    /// # Errors
    /// When a key that begins with it may lie outside the token's scopes.
    pub fn dry_run(&self, who: &Principal, prefix: Prefix) -> Result<DryRunPermit, Forbidden> {
        if !who.scopes.allow_prefix(Access::Modify, &prefix) {
            return Err(beyond("deleting", Access::Modify, &prefix));
        }
        Ok(DryRunPermit {
            store: Arc::clone(&self.store),
            namespace: who.user.clone(),
            prefix,
        })
    }

    /// Asks what the namespace holds.
    ///
    /// # Errors
    /// When the token may not read all of it.
    pub fn usage(&self, who: &Principal) -> Result<UsagePermit, Forbidden> {
        if !who.scopes.allow_prefix(Access::Read, &Prefix::everything()) {
            return Err(Forbidden {
                place: "the usage of all keys".into(),
                ..beyond("reading", Access::Read, &Prefix::everything())
            });
        }
        Ok(UsagePermit {
            store: Arc::clone(&self.store),
            namespace: who.user.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
