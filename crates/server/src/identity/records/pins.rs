//! The subjects that names belong to.
//!
//! An issuer may give a name such as `preferred_username` to somebody else once its owner has left; `sub` is never given to
//! another person (OpenID Connect Core, section 5.7). So the first subject that comes with a name keeps it here.

use std::time::Duration;

use prominence_core::{
    Commit, Condition, Item, Key, Lifetime, Namespace, Operation, PageLimit, Precondition,
    StoreError, Timestamp,
};
use serde::{Deserialize, Serialize};

use super::tokens::Revocation;
use super::{Records, Target, below, encode, key, lasting, parse, set};
use crate::failure::Failure;
use crate::identity::token::{Rejected, digest_of};

/// The folder of the records.
const FOLDER: &str = "/pins";

/// The most records of the service. Names have most of them; the other kinds have lower bounds of their own.
const MAX_RECORDS: u64 = 1_000_000;

/// The subject that has a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pin {
    version: u8,
    pub(crate) issuer: String,
    pub(crate) subject: String,
}

impl Pin {
    /// A subject of an issuer.
    pub(crate) fn new(issuer: &str, subject: &str) -> Self {
        Self {
            version: 1,
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
        }
    }

    /// The name of the account among what a token was made from. No token has the same one, because no signed text
    /// begins with a bracket.
    pub(crate) fn account(&self) -> [u8; 32] {
        digest_of(&serde_json::json!([self.issuer, self.subject]).to_string())
    }
}

impl Records {
    /// Gives a name to a subject, unless another one has it.
    ///
    /// # Errors
    /// If another subject of the same issuer has it, or the store can't tell.
    pub(crate) async fn pin(&self, user: &Namespace, pin: &Pin) -> Result<(), Rejected> {
        let unconfirmed = |_| Rejected::Unconfirmed;
        let key = pin_key(user, &pin.issuer).map_err(unconfirmed)?;
        if let Some(owner) = self
            .read::<Pin>(&key)
            .await
            .map_err(|_| Rejected::Unconfirmed)?
        {
            return owner.check(pin);
        }
        let usage = self.registry.usage().await;
        if usage.map_err(|_| Rejected::Unconfirmed)?.keys >= MAX_RECORDS {
            return Err(Rejected::Full);
        }
        // Of two servers that see the name for the first time, one wins.
        let absent = Condition {
            key: key.clone(),
            expect: Precondition::Absent,
        };
        let write = set(key.clone(), pin, Lifetime::Permanent).map_err(unconfirmed)?;
        match self
            .registry
            .commit(Commit::single(Some(absent), write))
            .await
        {
            Ok(_) => {
                tracing::info!(%user, issuer = pin.issuer, "a name belongs to its first subject from now on");
                let Pin {
                    issuer, subject, ..
                } = pin;
                self.tell(&format!(
                    "the name {user} belongs to the account {subject} of {issuer} from now on"
                ));
                Ok(())
            }
            Err(StoreError::PreconditionFailed { .. }) => {
                let owner = self.read::<Pin>(&key).await;
                match owner.map_err(|_| Rejected::Unconfirmed)? {
                    Some(owner) => owner.check(pin),
                    None => Err(Rejected::Unconfirmed),
                }
            }
            Err(_) => Err(Rejected::Unconfirmed),
        }
    }

    /// The subjects that have a name: at most one of each issuer.
    pub(crate) async fn pins_of(&self, user: &Namespace) -> Result<Vec<Pin>, Failure> {
        let prefix = below(&[FOLDER, &encode(user.as_str())])?;
        let page = self.registry.page(&prefix, None, PageLimit::MAX).await?;
        let mut pins = Vec::new();
        for item in page.items {
            if let Item::Entry(key, entry) = item {
                pins.push(parse(&key, &entry)?);
            }
        }
        Ok(pins)
    }

    /// Gives a name to a subject, whoever has it. The tokens that another one has had of the name so far are revoked, and
    /// with them those that were made from them. Those of the subject itself count again if it has lost the name before.
    pub(crate) async fn give_name(
        &self,
        user: &Namespace,
        pin: &Pin,
        revoking: Former,
    ) -> Result<(), Failure> {
        let key = pin_key(user, &pin.issuer)?;
        let former = self.read::<Pin>(&key).await?;
        let former: Vec<_> = former.into_iter().filter(|one| one != pin).collect();
        let own = Target::Account {
            id: pin.account(),
            of: user.clone(),
        };
        let operations = vec![
            set(key, pin, Lifetime::Permanent)?,
            Operation::Delete { key: own.key()? },
        ];
        self.write_and_revoke(user, operations, &former, revoking)
            .await?;
        self.revocations.remove(&own);
        let Pin {
            issuer, subject, ..
        } = pin;
        self.tell(&format!(
            "the name {user} was given to the account {subject} of {issuer}"
        ));
        Ok(())
    }

    /// Takes a name from its subjects: the next one that comes with it has it. The tokens that they have had of the name
    /// so far are revoked, and with them those that were made from them. Answers whether anybody had it.
    pub(crate) async fn unpin(&self, user: &Namespace, revoking: Former) -> Result<bool, Failure> {
        let pins = self.pins_of(user).await?;
        if pins.is_empty() {
            return Ok(false);
        }
        let remove = |pin: &Pin| -> Result<Operation, Failure> {
            Ok(Operation::Delete {
                key: pin_key(user, &pin.issuer)?,
            })
        };
        let operations = pins.iter().map(remove).collect::<Result<_, _>>()?;
        self.write_and_revoke(user, operations, &pins, revoking)
            .await?;
        self.tell(&format!("the name {user} was taken from its accounts"));
        Ok(true)
    }

    /// Writes changes of the owners of a name together with the revocation of the former owners' tokens, so that there
    /// is no moment at which both have it.
    async fn write_and_revoke(
        &self,
        user: &Namespace,
        mut operations: Vec<Operation>,
        former: &[Pin],
        Former {
            before,
            remembered_for,
        }: Former,
    ) -> Result<(), Failure> {
        let targets = former.iter().map(|pin| Target::Account {
            id: pin.account(),
            of: user.clone(),
        });
        let targets: Vec<_> = targets.collect();
        for target in &targets {
            let record = Revocation::of(Some(before));
            operations.push(set(target.key()?, &record, lasting(remembered_for))?);
        }
        self.write(operations).await?;
        for target in targets {
            self.revocations.add(target, before);
        }
        Ok(())
    }
}

/// The tokens of the former owners of a name that are revoked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Former {
    /// Those issued before this.
    pub(crate) before: Timestamp,
    /// As long as they could last.
    pub(crate) remembered_for: Duration,
}

impl Pin {
    fn check(&self, other: &Self) -> Result<(), Rejected> {
        if self == other {
            return Ok(());
        }
        let why = "this name belonged to another account; ask the operator";
        Err(Rejected::Pinned(why.to_owned()))
    }
}

fn pin_key(user: &Namespace, issuer: &str) -> Result<Key, Failure> {
    key(&[FOLDER, &encode(user.as_str()), &encode(issuer)])
}
