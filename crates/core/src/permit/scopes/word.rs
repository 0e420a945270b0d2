//! One word of a token's scope, and the keys that it covers.

use super::ScopeError;
use crate::key::{Key, KeyError, Prefix};

/// The access that a scope allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading, listing and watching.
    Read,
    /// Creating keys.
    Create,
    /// Creating, replacing and deleting keys.
    Modify,
}

/// One scope that limits a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Grant {
        access: Access,
        subtree: Subtree,
    },
    /// A capability for another service, or one that this service does not know. It allows no access here, and a token
    /// with no other scope has none.
    Nothing(Box<str>),
}

/// The keys that a path covers.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Subtree {
    /// Without a trailing `/`; empty for the root.
    path: Box<str>,
    /// True if the path ended in `/`: then the key of this name is not covered, only those below it (WLCG profile,
    /// section 2.2.1).
    only_below: bool,
}

/// The beginning of words that have a meaning for this service alone.
const OWN: &str = "prominence.";

/// A word that allows no access.
const NOTHING: &str = "prominence.none";

impl Scope {
    /// The scope of a token whose access is limited to none.
    pub(super) fn nothing() -> Self {
        Self(Kind::Nothing(NOTHING.into()))
    }

    /// Reads a word; `None` for a word that does not limit a token.
    pub(super) fn parse(word: &str) -> Result<Option<Self>, ScopeError> {
        if let Some(capability) = word.strip_prefix("storage.") {
            return Self::of_storage(word, capability).map(Some);
        }
        // By the profile, section 2.2.3, a capability for another service limits the token here as well.
        if word.starts_with("compute.") || word.starts_with(OWN) {
            return Ok(Some(Self(Kind::Nothing(word.into()))));
        }
        // The words of SciTokens. Others, such as `read:user`, belong to other services.
        let Some((name, path)) = word.split_once(':') else {
            return Ok(None);
        };
        match name {
            "read" if path.starts_with('/') => Self::grant(Access::Read, word, path).map(Some),
            "write" if path.starts_with('/') => Self::grant(Access::Modify, word, path).map(Some),
            _ => Ok(None),
        }
    }

    /// Reads a word that begins with `storage.`. A malformed word is refused even if the capability is unknown, as the
    /// profile demands.
    fn of_storage(word: &str, capability: &str) -> Result<Self, ScopeError> {
        let (name, path) = match capability.split_once(':') {
            Some((name, path)) if !name.is_empty() && path.starts_with('/') => (name, path),
            _ => return Err(ScopeError::NoPath(super::shorten(word))),
        };
        match name {
            // Staging is a superset of reading (WLCG profile, section 2.2.1).
            "read" | "stage" => Self::grant(Access::Read, word, path),
            "create" => Self::grant(Access::Create, word, path),
            "modify" => Self::grant(Access::Modify, word, path),
            _ => {
                Subtree::parse(word, path)?;
                Ok(Self(Kind::Nothing(word.into())))
            }
        }
    }

    fn grant(access: Access, word: &str, path: &str) -> Result<Self, ScopeError> {
        let subtree = Subtree::parse(word, path)?;
        Ok(Self(Kind::Grant { access, subtree }))
    }

    /// The same without a meaning for this service alone: such a word becomes one that allows nothing.
    pub(super) fn without_own_meaning(self) -> Self {
        match self.0 {
            Kind::Nothing(word) if word.starts_with(OWN) => Self::nothing(),
            kind => Self(kind),
        }
    }

    /// True if it allows any access here.
    #[must_use]
    pub fn allows_something(&self) -> bool {
        matches!(self.0, Kind::Grant { .. })
    }

    pub(super) fn covers(&self, wanted: Access, key: &Key) -> bool {
        self.granting(wanted).is_some_and(|subtree| {
            subtree.rest(key.as_str()).is_some_and(|rest| {
                rest.starts_with('/') || (rest.is_empty() && !subtree.only_below)
            })
        })
    }

    pub(super) fn covers_all(&self, wanted: Access, prefix: &Prefix) -> bool {
        self.granting(wanted).is_some_and(|subtree| {
            let rest = subtree.rest(prefix.as_str());
            rest.is_some_and(|rest| rest.starts_with('/'))
        })
    }

    /// True if it allows everything that another one allows.
    pub(super) fn includes(&self, other: &Self) -> bool {
        match &other.0 {
            Kind::Nothing(_) => self == other,
            Kind::Grant { access, subtree } => self
                .granting(*access)
                .is_some_and(|own| own.includes(subtree)),
        }
    }

    /// The subtree in which it grants an access.
    fn granting(&self, wanted: Access) -> Option<&Subtree> {
        match &self.0 {
            Kind::Grant { access, subtree } => {
                let grants =
                    *access == wanted || (*access == Access::Modify && wanted == Access::Create);
                grants.then_some(subtree)
            }
            Kind::Nothing(_) => None,
        }
    }

    /// This scope as a word, in the spelling of the WLCG profile.
    pub(super) fn word(&self) -> String {
        match &self.0 {
            Kind::Grant { access, subtree } => {
                let end = if subtree.only_below || subtree.path.is_empty() {
                    "/"
                } else {
                    ""
                };
                word(*access, &format!("{}{end}", subtree.path))
            }
            Kind::Nothing(word) => word.to_string(),
        }
    }

    /// The bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        let text = match &self.0 {
            Kind::Grant { subtree, .. } => subtree.path.len(),
            Kind::Nothing(word) => word.len(),
        };
        size_of::<Self>() + text
    }
}

impl Subtree {
    fn parse(word: &str, path: &str) -> Result<Self, ScopeError> {
        let bytes = decode(path).ok_or_else(|| ScopeError::Escape(super::shorten(word)))?;
        let unusable = |reason: KeyError| ScopeError::Path {
            scope: super::shorten(word),
            reason,
        };
        let path = Prefix::from_bytes(&bytes).map_err(unusable)?;
        let path = path.as_str();
        let bare = path.strip_suffix('/');
        Ok(Self {
            path: bare.unwrap_or(path).into(),
            only_below: bare.is_some(),
        })
    }

    /// True if this subtree covers every key that another one covers.
    fn includes(&self, other: &Self) -> bool {
        self.rest(&other.path).is_some_and(|rest| {
            rest.starts_with('/') || (rest.is_empty() && (!self.only_below || other.only_below))
        })
    }

    fn rest<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(&*self.path)
    }
}

/// The word for an access to a path.
pub(in crate::permit) fn word(access: Access, path: &str) -> String {
    let access = match access {
        Access::Read => "read",
        Access::Create => "create",
        Access::Modify => "modify",
    };
    format!("storage.{access}:{}", encode(path))
}

/// Decodes the escapes of a path once; `None` for a `%` without two hexadecimal digits.
fn decode(path: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        decoded.push(u8::try_from(16 * high + low).ok()?);
    }
    Some(decoded)
}

/// Escapes the characters that are not allowed in a word of a scope (RFC 6749, section 3.3), and `%`.
fn encode(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'%') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
