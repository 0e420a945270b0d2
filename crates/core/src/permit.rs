//! Who may do what: the only way from a caller to a store.
//!
//! A [`Gate`] owns the store and gives out permits: values that stand for one allowed action of
//! one [`Principal`] and that alone can reach the store. Code that forgot to ask has nothing to
//! call.
//!
//! Scopes follow the WLCG Common JWT Profiles (version 1.0, section "Capability-based
//! Authorization"): `storage.read:PATH`, `storage.create:PATH` (new keys only) and
//! `storage.modify:PATH` (create, replace and delete) cover PATH and everything below it. A
//! principal with none of them has the whole of its namespace.

mod scopes;

use std::sync::Arc;

use crate::change::{Changes, Cursor, Extent, Interest, Signal};
use crate::commit::{Commit, Committed, Condition, Operation, Precondition};
use crate::entry::Entry;
use crate::error::StoreError;
use crate::key::{Key, Prefix};
use crate::namespace::{Job, Namespace};
use crate::scan::{Depth, Page, PageLimit, Projection, Scan, Visibility};
use crate::store::{Store, Usage};
use crate::time::Timestamp;

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
    /// Who issued the token.
    pub issuer: String,
}

/// The action that a token's scopes don't cover.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token's scopes do not allow {action} {place}")]
pub struct Forbidden {
    action: &'static str,
    place: String,
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

/// May read one key.
pub struct ReadPermit {
    store: Arc<dyn Store>,
    namespace: Namespace,
    key: Key,
}

/// May list, count and watch what begins with one prefix.
pub struct ListPermit {
    store: Arc<dyn Store>,
    namespace: Namespace,
    prefix: Prefix,
}

/// May do one commit.
pub struct CommitPermit {
    store: Arc<dyn Store>,
    namespace: Namespace,
    author: Option<Job>,
    commit: Commit,
    /// Keys that the token may create but not replace.
    create_only: Vec<Key>,
}

/// May count the keys that deleting one prefix would remove.
pub struct DryRunPermit {
    store: Arc<dyn Store>,
    namespace: Namespace,
    prefix: Prefix,
}

/// May see what the namespace holds in all.
pub struct UsagePermit {
    store: Arc<dyn Store>,
    namespace: Namespace,
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
            return Err(Forbidden {
                action: "reading",
                place: key.to_string(),
            });
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
            return Err(beyond("listing", &prefix));
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
        for condition in commit.conditions() {
            check_condition(&who.scopes, condition)?;
        }
        let mut create_only = Vec::new();
        for operation in commit.operations() {
            if let Some(key) = check_operation(&who.scopes, operation)? {
                create_only.push(key.clone());
            }
        }
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
            return Err(beyond("deleting", &prefix));
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
                action: "reading",
                place: "the usage of all keys".into(),
            });
        }
        Ok(UsagePermit {
            store: Arc::clone(&self.store),
            namespace: who.user.clone(),
        })
    }
}

impl ReadPermit {
    /// See [`Store::get`].
    ///
    /// # Errors
    /// The store's.
    pub async fn get(&self) -> Result<Option<Entry>, StoreError> {
        self.store.get(&self.namespace, &self.key).await
    }

    /// Listens for changes of the key; see [`Store::listen`].
    ///
    /// # Errors
    /// The store's.
    pub async fn listen(&self) -> Result<Signal, StoreError> {
        let interest = Interest::Key(self.key.clone());
        self.store.listen(&self.namespace, &interest).await
    }
}

impl ListPermit {
    /// One page; see [`Store::scan`].
    ///
    /// # Errors
    /// The store's.
    pub async fn page(
        &self,
        after: Option<Prefix>,
        limit: PageLimit,
        depth: Depth,
        projection: Projection,
    ) -> Result<Page, StoreError> {
        let scan = Scan {
            prefix: self.prefix.clone(),
            after,
            limit,
            depth,
            projection,
        };
        self.store.scan(&self.namespace, &scan).await
    }

    /// How many keys a listing shows; see [`Store::count`].
    ///
    /// # Errors
    /// The store's.
    pub async fn count(&self) -> Result<u64, StoreError> {
        self.store
            .count(&self.namespace, &self.prefix, Visibility::Listed)
            .await
    }

    /// See [`Store::changes`].
    ///
    /// # Errors
    /// The store's.
    pub async fn changes(&self, after: Cursor) -> Result<Changes, StoreError> {
        self.store
            .changes(&self.namespace, &self.prefix, after)
            .await
    }

    /// Listens for changes under the prefix; see [`Store::listen`].
    ///
    /// # Errors
    /// The store's.
    pub async fn listen(&self) -> Result<Signal, StoreError> {
        let interest = Interest::Prefix(self.prefix.clone());
        self.store.listen(&self.namespace, &interest).await
    }

    /// The entry of one of the keys that the prefix shows, or `None`; see [`Store::get`].
    ///
    /// # Errors
    /// The store's.
    pub async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        if !self.prefix.shows(key) {
            return Ok(None);
        }
        self.store.get(&self.namespace, key).await
    }

    /// How far the log reaches; see [`Store::extent`].
    ///
    /// # Errors
    /// The store's.
    pub async fn extent(&self) -> Result<Extent, StoreError> {
        self.store.extent(&self.namespace).await
    }
}

impl CommitPermit {
    /// See [`Store::commit`].
    ///
    /// # Errors
    /// The store's, and [`CommitError::Forbidden`] where a token that may only create met a key
    /// that exists.
    pub async fn apply(self) -> Result<Committed, CommitError> {
        let answer = self
            .store
            .commit(&self.namespace, self.author.as_ref(), self.commit)
            .await;
        answer.map_err(|error| match error {
            StoreError::PreconditionFailed { key, .. } if self.create_only.contains(&key) => {
                Forbidden {
                    action: "replacing",
                    place: key.to_string(),
                }
                .into()
            }
            other => other.into(),
        })
    }
}

impl DryRunPermit {
    /// How many keys would be removed; see [`Store::count`].
    ///
    /// # Errors
    /// The store's.
    pub async fn count(&self) -> Result<u64, StoreError> {
        self.store
            .count(&self.namespace, &self.prefix, Visibility::All)
            .await
    }
}

impl UsagePermit {
    /// See [`Store::usage`].
    ///
    /// # Errors
    /// The store's.
    pub async fn usage(&self) -> Result<Usage, StoreError> {
        self.store.usage(&self.namespace).await
    }
}

fn beyond(action: &'static str, prefix: &Prefix) -> Forbidden {
    let hint = if prefix.as_str().ends_with('/') {
        ""
    } else {
        " (a scope's path ends at a \"/\")"
    };
    Forbidden {
        action,
        place: format!("everything that begins with {prefix}{hint}"),
    }
}

/// A condition tells something about its key, so it needs the right to read it; one that a key
/// be absent tells no more than creating it would.
fn check_condition(scopes: &Scopes, condition: &Condition) -> Result<(), Forbidden> {
    let key = &condition.key;
    let enough: &[Access] = match condition.expect {
        Precondition::Absent => &[Access::Read, Access::Create, Access::Modify],
        Precondition::Present | Precondition::Revision(_) => &[Access::Read, Access::Modify],
        Precondition::Value(_) => &[Access::Read],
    };
    if enough.iter().any(|access| scopes.allow(*access, key)) {
        return Ok(());
    }
    Err(Forbidden {
        action: "a condition on",
        place: key.to_string(),
    })
}

/// Answers the key where the scopes allow creating it but not replacing it.
fn check_operation<'a>(
    scopes: &Scopes,
    operation: &'a Operation,
) -> Result<Option<&'a Key>, Forbidden> {
    let refuse = |action, place: String| Err(Forbidden { action, place });
    match operation {
        Operation::Set { key, .. } | Operation::Add { key, .. } => {
            if scopes.allow(Access::Modify, key) {
                Ok(None)
            } else if scopes.allow(Access::Create, key) {
                Ok(Some(key))
            } else {
                refuse("writing", key.to_string())
            }
        }
        Operation::Delete { key } | Operation::Renew { key, .. } | Operation::Release { key } => {
            if scopes.allow(Access::Modify, key) {
                Ok(None)
            } else {
                refuse("changing", key.to_string())
            }
        }
        Operation::DeletePrefix { prefix } => {
            if scopes.allow_prefix(Access::Modify, prefix) {
                Ok(None)
            } else {
                Err(beyond("deleting", prefix))
            }
        }
        // Claiming answers the value, so it needs both rights.
        Operation::Claim { prefix, .. } => {
            if scopes.allow_prefix(Access::Modify, prefix)
                && scopes.allow_prefix(Access::Read, prefix)
            {
                Ok(None)
            } else {
                Err(beyond("claiming from", prefix))
            }
        }
    }
}

#[cfg(test)]
mod tests;
