//! Which tokens a revocation is about, and the key of its record.

use prominence_core::{Job, Key, Namespace};

use super::{decode, encode, key};
use crate::failure::Failure;
use crate::identity::token::{hexadecimal, parse_id};

/// The folder of the records.
pub(super) const FOLDER: &str = "/revoked";

/// In the place of a user's name: of anybody.
const ANYBODY: &str = "*";

/// Tokens that are revoked together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    /// The token with this id, if it is one of this user or of anybody: nobody can revoke the token of another user.
    Token { id: [u8; 32], of: Option<Namespace> },
    /// Those of an account of an issuer that had the name of this user, and those that were made from them.
    Account { id: [u8; 32], of: Namespace },
    /// Those of a job of this user or of anybody.
    Job { job: Job, of: Option<Namespace> },
    /// All of a user.
    User(Namespace),
}

impl Target {
    /// The names of the kinds, in keys, metrics and answers.
    pub(super) const KINDS: [&str; 4] = ["id", "job", "user", "account"];

    /// The user whose bound on records it counts for.
    pub(super) fn counts_for(&self) -> Option<&Namespace> {
        match self {
            Self::Token { of, .. } | Self::Job { of, .. } => of.as_ref(),
            // The operator's, or always possible.
            Self::User(_) | Self::Account { .. } => None,
        }
    }

    /// The name of its kind.
    pub(crate) fn kind(&self) -> &'static str {
        let [id, job, user, account] = Self::KINDS;
        match self {
            Self::Token { .. } => id,
            Self::Job { .. } => job,
            Self::User(_) => user,
            Self::Account { .. } => account,
        }
    }

    /// The key of its record.
    pub(super) fn key(&self) -> Result<Key, Failure> {
        let owner = |of: &Option<Namespace>| match of {
            Some(user) => encode(user.as_str()),
            None => ANYBODY.to_owned(),
        };
        let kind = self.kind();
        match self {
            Self::Token { id, of } => key(&[FOLDER, kind, &owner(of), &hexadecimal(id)]),
            Self::Job { job, of } => key(&[FOLDER, kind, &owner(of), &encode(job.as_str())]),
            Self::User(user) => key(&[FOLDER, kind, &encode(user.as_str())]),
            Self::Account { id, of } => {
                key(&[FOLDER, kind, &encode(of.as_str()), &hexadecimal(id)])
            }
        }
    }

    /// The target of a record with this key; `None` for records of another kind.
    pub(super) fn parse(key: &Key) -> Option<Self> {
        let owner = |part: &str| match part {
            ANYBODY => Some(None),
            name => Some(Some(Namespace::parse(&decode(name)?).ok()?)),
        };
        let mut parts = key
            .as_str()
            .strip_prefix(FOLDER)?
            .strip_prefix('/')?
            .split('/');
        let target = match (parts.next()?, parts.next()?, parts.next()) {
            ("id", of, Some(id)) => Self::Token {
                id: parse_id(id)?,
                of: owner(of)?,
            },
            ("job", of, Some(job)) => Self::Job {
                job: Job::parse(&decode(job)?).ok()?,
                of: owner(of)?,
            },
            ("user", user, None) => Self::User(Namespace::parse(&decode(user)?).ok()?),
            ("account", of, Some(id)) => Self::Account {
                id: parse_id(id)?,
                of: owner(of)??,
            },
            _ => return None,
        };
        Some(target)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_target_is_read_back_from_its_key_and_names_do_not_lead_elsewhere() {
        let odd = ["*", "a/b", "..", "_internal_", "é", "x y"];
        for name in odd {
            let user = Namespace::parse(name).unwrap();
            let job = Job::parse(name).unwrap();
            let mut keys = HashSet::new();
            let account = Target::Account {
                id: [0xab; 32],
                of: user.clone(),
            };
            let key = account.key().unwrap();
            assert_eq!(Target::parse(&key), Some(account));
            keys.insert(key);
            for of in [None, Some(user.clone())] {
                for target in [
                    Target::Token {
                        id: [0xab; 32],
                        of: of.clone(),
                    },
                    Target::Job {
                        job: job.clone(),
                        of,
                    },
                    Target::User(user.clone()),
                ] {
                    let key = target.key().unwrap();
                    assert_eq!(Target::parse(&key), Some(target));
                    keys.insert(key);
                }
            }
            assert_eq!(keys.len(), 6, "{name}: anybody is not the user *");
        }
        for other in ["/revoked/id/x", "/quota/YQ", "/revoked/user/YQ/YQ"] {
            assert_eq!(Target::parse(&Key::parse(other).unwrap()), None);
        }
    }

    #[test]
    fn the_longest_names_fit_into_a_key() {
        let long = "é".repeat(128);
        let target = Target::Job {
            job: Job::parse(&long).unwrap(),
            of: Some(Namespace::parse(&long).unwrap()),
        };
        assert_eq!(Target::parse(&target.key().unwrap()), Some(target));
    }
}
