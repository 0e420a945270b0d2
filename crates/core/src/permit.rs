//! Permissions: a caller reaches the store only through a permit.
//!
//! A [`Gate`] owns the store and gives out permits. A permit is a value that allows one action of one [`Principal`],
//! and only permits have access to the store, so code can't forget the check.
//!
//! Scopes follow the WLCG Common JWT Profiles (version 1.0, section "Capability-based Authorization"):
//! `storage.read:PATH`, `storage.create:PATH` (new keys only) and `storage.modify:PATH` (create, replace and delete)
//! cover PATH and everything below it. A principal whose scopes name no capability has access to its whole namespace;
//! see [`Scopes::of_words`].

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
    /// The job for which the token was made.
    pub job: Option<Job>,
    /// The scopes of the token.
    pub scopes: Scopes,
    /// The time at which the token ends.
    pub expires: Timestamp,
    /// The time at which the token was issued, if it has it.
    pub issued: Option<Timestamp>,
    /// The time at which the first of the tokens that it was made from was issued, and otherwise its own. A revocation
    /// of a user's tokens counts from there, because a token that is revoked can be shown to a server that does not know
    /// it yet.
    pub since: Option<Timestamp>,
    /// The same with those tokens alone that were of the same job.
    pub job_since: Option<Timestamp>,
    /// The issuer of the token.
    pub issuer: String,
    /// A digest of the token: equal for two spellings of the same signed text, and different for all others.
    pub id: [u8; 32],
    /// The digests of what it was made from, the first one first: the account of an issuer, and tokens. With one of them it
    /// ends, too.
    pub made_from: Vec<[u8; 32]>,
}

/// An action that a token's scopes don't allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token's scopes do not allow {action} {place}; use a token whose scopes do")]
pub struct Forbidden {
    action: &'static str,
    place: String,
    scope: Option<String>,
}

impl Forbidden {
    /// The scope that would allow the action, if there is one.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }
}

/// The reason why a permitted commit was not executed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The token may create keys but not replace them, and a key exists.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The error of the store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Owns the store, and gives access to it by permits.
#[derive(Clone)]
pub struct Gate {
    store: Arc<dyn Store>,
}

impl Gate {
    /// A gate to this store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Checks that the store answers; needs no permit, since the result says nothing about any user.
    ///
    /// # Errors
    /// Those of [`Store::ready`].
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.store.ready().await
    }

    /// A permit to read a key.
    ///
    /// # Errors
    /// If no scope covers the key.
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

    /// Reads a key if the store can answer at once and a scope covers the key; after `None`, use a permit. See
    /// [`Store::get_at_once`].
    #[must_use]
    pub fn read_at_once(&self, who: &Principal, key: &Key) -> Option<Entry> {
        if !who.scopes.allow(Access::Read, key) {
            return None;
        }
        self.store.get_at_once(&who.user, key)
    }

    /// A permit to list, count or watch a prefix.
    ///
    /// # Errors
    /// If a key that begins with the prefix may be outside the token's scopes.
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

    /// A permit to execute a commit.
    ///
    /// # Errors
    /// If no scope covers a key of one of its operations or conditions.
    pub fn commit(&self, who: &Principal, mut commit: Commit) -> Result<CommitPermit, Forbidden> {
        let mut create_only = check_commit(&who.scopes, &commit)?;
        // If the caller itself demands that a key is absent, an existing key is an unmet condition and not a missing
        // right, so that the user can tell a race from a wrong token.
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

    /// A permit to count the keys that deleting a prefix would remove; it needs the same scopes as deleting them.
    ///
    /// # Errors
    /// If a key that begins with the prefix may be outside the token's scopes.
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

    /// A permit to read the usage of the namespace.
    ///
    /// # Errors
    /// If the token may not read the whole namespace.
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
