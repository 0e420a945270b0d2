//! The storage scopes of a token.

use crate::key::{Key, KeyError, Prefix};

/// What a scope allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading, listing and watching.
    Read,
    /// Making keys that do not exist.
    Create,
    /// Making, replacing and deleting keys.
    Modify,
}

/// One scope: an access and the subtree that it covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    access: Access,
    /// Without a trailing `/`; empty for the root.
    path: String,
}

/// Everything that a token is limited to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scopes {
    /// No storage scope: the whole namespace.
    Unrestricted,
    /// These alone.
    Only(Vec<Scope>),
}

/// A storage scope that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// After `storage.` comes none of `read`, `create`, `modify`.
    #[error(
        "the scope \"{0}\" is not one of storage.read:/PATH, storage.create:/PATH, storage.modify:/PATH"
    )]
    Unknown(String),
    /// The path is none.
    #[error("the path of the scope \"{scope}\" is not valid: {reason}")]
    Path {
        /// The scope.
        scope: String,
        /// What is wrong.
        reason: KeyError,
    },
}

impl Scopes {
    /// Reads a token's `scope`: words separated by spaces. Words that don't begin with `storage.`
    /// speak of other services and are left aside.
    ///
    /// # Errors
    /// For a storage scope that can't be understood: leaving it aside could widen the token.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let scopes = text
            .split_ascii_whitespace()
            .filter(|word| word.starts_with("storage."))
            .map(Scope::parse)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(if scopes.is_empty() {
            Self::Unrestricted
        } else {
            Self::Only(scopes)
        })
    }

    /// Whether one key may be accessed so.
    #[must_use]
    pub fn allow(&self, access: Access, key: &Key) -> bool {
        self.any(access, |scope| {
            key.as_str()
                .strip_prefix(scope.path.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// Whether every key that begins with a prefix may be accessed so.
    #[must_use]
    pub fn allow_prefix(&self, access: Access, prefix: &Prefix) -> bool {
        self.any(access, |scope| {
            prefix
                .as_str()
                .strip_prefix(scope.path.as_str())
                .is_some_and(|rest| rest.starts_with('/'))
        })
    }

    /// The scopes as words; empty for [`Scopes::Unrestricted`].
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        match self {
            Self::Unrestricted => Vec::new(),
            Self::Only(scopes) => scopes.iter().map(Scope::word).collect(),
        }
    }

    fn any(&self, access: Access, covers: impl Fn(&Scope) -> bool) -> bool {
        match self {
            Self::Unrestricted => true,
            Self::Only(scopes) => scopes
                .iter()
                .any(|scope| scope.grants(access) && covers(scope)),
        }
    }
}

impl Scope {
    fn parse(word: &str) -> Result<Self, ScopeError> {
        let unknown = || ScopeError::Unknown(word.to_owned());
        let (name, path) = word.split_once(':').ok_or_else(unknown)?;
        let access = match name {
            "storage.read" => Access::Read,
            "storage.create" => Access::Create,
            "storage.modify" => Access::Modify,
            _ => return Err(unknown()),
        };
        if !path.starts_with('/') {
            return Err(unknown());
        }
        let path = Prefix::parse(path).map_err(|reason| ScopeError::Path {
            scope: word.to_owned(),
            reason,
        })?;
        Ok(Self {
            access,
            path: path.as_str().trim_end_matches('/').to_owned(),
        })
    }

    fn grants(&self, access: Access) -> bool {
        self.access == access || (self.access == Access::Modify && access == Access::Create)
    }

    fn word(&self) -> String {
        let access = match self.access {
            Access::Read => "read",
            Access::Create => "create",
            Access::Modify => "modify",
        };
        let path = if self.path.is_empty() {
            "/"
        } else {
            &self.path
        };
        format!("storage.{access}:{path}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_scopes_are_kept_and_others_left_aside() {
        let scopes = Scopes::parse("openid storage.read:/ storage.modify:/out/").unwrap();
        assert_eq!(scopes.words(), ["storage.read:/", "storage.modify:/out"]);
        assert_eq!(Scopes::parse("openid email").unwrap(), Scopes::Unrestricted);
    }

    #[test]
    fn a_storage_scope_that_is_not_understood_is_refused() {
        for odd in [
            "storage.stage:/x",
            "storage.read",
            "storage.read:x",
            "storage.read:/../x",
        ] {
            assert!(Scopes::parse(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn modify_includes_create_but_not_read() {
        let scopes = Scopes::parse("storage.modify:/").unwrap();
        let key = Key::parse("/a").unwrap();
        assert!(scopes.allow(Access::Create, &key));
        assert!(scopes.allow(Access::Modify, &key));
        assert!(!scopes.allow(Access::Read, &key));
    }
}
