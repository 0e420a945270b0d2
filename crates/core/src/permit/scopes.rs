//! The scopes of a token.

mod word;

use crate::key::{Key, KeyError, Prefix};

pub(super) use word::word;
pub use word::{Access, Scope};

/// The largest number of scopes of a token: each is compared at every request.
const MAX_SCOPES: usize = 100;

/// The largest number of characters of a scope that an error repeats.
const SHOWN_CHARACTERS: usize = 100;

/// The scopes of a token, which limit its access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scopes {
    /// No scope that limits the token: access to the whole namespace.
    Unrestricted,
    /// The access that these scopes allow, which may be none.
    Only(Vec<Scope>),
}

/// A scope that can't be parsed, so that the token is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// A word that begins with `storage.` has no path.
    #[error(
        "the scope \"{0}\" is not of the form storage.read:/PATH, storage.create:/PATH, storage.modify:/PATH"
    )]
    NoPath(String),
    /// A `%` in a path is not followed by two hexadecimal digits.
    #[error(
        "the path of the scope \"{0}\" has a \"%\" without two hexadecimal digits after it; write \"%25\" for a \"%\""
    )]
    Escape(String),
    /// The path can't be that of a key.
    #[error("the path of the scope \"{scope}\" is not valid: {reason}")]
    Path {
        /// The scope.
        scope: String,
        /// The error.
        reason: KeyError,
    },
    /// More scopes that limit the token than the largest number.
    #[error("the token has more than {MAX_SCOPES} scopes that limit it")]
    TooMany,
    /// A word of scopes that are asked for means nothing here.
    #[error(
        "\"{0}\" is not a scope; write storage.read:/PATH, storage.create:/PATH or storage.modify:/PATH"
    )]
    Unknown(String),
    /// There is no word in scopes that are asked for.
    #[error("it is empty; name a scope such as storage.read:/PATH, or leave the parameter out")]
    Empty,
}

impl Scopes {
    /// Reads words separated by white space.
    ///
    /// # Errors
    /// As [`Scopes::of_words`].
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        Self::of_words(text.split_ascii_whitespace())
    }

    /// Reads the words of a token's scope:
    ///
    /// | word | allows |
    /// | --- | --- |
    /// | `storage.read:/P`, `storage.stage:/P`, `read:/P` | reading |
    /// | `storage.create:/P` | making keys that do not exist |
    /// | `storage.modify:/P`, `write:/P` | making, replacing and deleting keys |
    /// | other words that begin with `storage.`, `compute.` or `prominence.` | nothing |
    ///
    /// A token with one of these is limited to the access that they allow. Other words are ignored. `P` is
    /// percent-decoded once; it covers the key of this name and those below it, and with a `/` at the end only those
    /// below it.
    ///
    /// # Errors
    /// For a word that begins with `storage.` and can't be parsed: ignoring it could give the token more access.
    pub fn of_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, ScopeError> {
        let mut scopes = Vec::new();
        for word in words {
            if let Some(scope) = Scope::parse(word)? {
                if scopes.len() == MAX_SCOPES {
                    return Err(ScopeError::TooMany);
                }
                scopes.push(scope);
            }
        }
        Ok(if scopes.is_empty() {
            Self::Unrestricted
        } else {
            Self::Only(scopes)
        })
    }

    /// Reads the scopes that somebody asks for, to limit a token. Each word has to mean something here: without a misspelt
    /// one the token would be limited less than it was meant to be, or not at all.
    ///
    /// # Errors
    /// As [`Scopes::of_words`], for other words, and where there is none.
    pub fn asked_for(text: &str) -> Result<Self, ScopeError> {
        for word in text.split_ascii_whitespace() {
            if Scope::parse(word)?.is_none() {
                return Err(ScopeError::Unknown(shorten(word)));
            }
        }
        match Self::parse(text)? {
            Self::Unrestricted => Err(ScopeError::Empty),
            limited @ Self::Only(_) => Ok(limited),
        }
    }

    /// No access to any key.
    #[must_use]
    pub fn nothing() -> Self {
        Self::Only(vec![Scope::nothing()])
    }

    /// The scopes of a token that somebody else has issued. Words that have a meaning for this service alone, such as
    /// `prominence.revoke`, limit it and mean nothing more: only the service's operator can give what they stand for.
    #[must_use]
    pub fn of_another_issuer(self) -> Self {
        match self {
            Self::Unrestricted => Self::Unrestricted,
            Self::Only(scopes) => {
                let scopes = scopes.into_iter().map(Scope::without_own_meaning);
                Self::Only(scopes.collect())
            }
        }
    }

    /// True if this access to the key is allowed.
    #[must_use]
    pub fn allow(&self, access: Access, key: &Key) -> bool {
        self.any(|scope| scope.covers(access, key))
    }

    /// True if this access to every key that begins with a prefix is allowed.
    #[must_use]
    pub fn allow_prefix(&self, access: Access, prefix: &Prefix) -> bool {
        self.any(|scope| scope.covers_all(access, prefix))
    }

    /// True if these scopes allow everything that the others allow, so that a token with those has no more rights.
    /// Capabilities for other services count as well: they have to be among these.
    #[must_use]
    pub fn include(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unrestricted, Self::Unrestricted) => true,
            // The holder of a token without limits may limit it to keys. But a capability that it does not have could
            // mean something to whoever else is shown the new token.
            (Self::Unrestricted, Self::Only(others)) => others.iter().all(Scope::allows_something),
            // A token that names no scope has everything.
            (Self::Only(_), Self::Unrestricted) => false,
            (Self::Only(own), Self::Only(others)) => others
                .iter()
                .all(|other| own.iter().any(|scope| scope.includes(other))),
        }
    }

    /// True if they allow nothing at all.
    #[must_use]
    pub fn allow_nothing(&self) -> bool {
        match self {
            Self::Unrestricted => false,
            Self::Only(scopes) => !scopes.iter().any(Scope::allows_something),
        }
    }

    /// True if this is one of the words.
    #[must_use]
    pub fn has_word(&self, word: &str) -> bool {
        match self {
            Self::Unrestricted => false,
            Self::Only(scopes) => scopes.iter().any(|scope| scope.word() == word),
        }
    }

    /// The scopes as words; empty for [`Scopes::Unrestricted`] alone.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        match self {
            Self::Unrestricted => Vec::new(),
            Self::Only(scopes) => scopes.iter().map(Scope::word).collect(),
        }
    }

    /// The bytes of memory that they take beside the value itself.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Unrestricted => 0,
            Self::Only(scopes) => scopes.iter().map(Scope::bytes).sum(),
        }
    }

    fn any(&self, covers: impl Fn(&Scope) -> bool) -> bool {
        match self {
            Self::Unrestricted => true,
            Self::Only(scopes) => scopes.iter().any(covers),
        }
    }
}

/// A word in the form in which an error repeats it: of bounded length, and without characters that could begin a new
/// line in a log.
fn shorten(word: &str) -> String {
    let shown = word.chars().take(SHOWN_CHARACTERS);
    let shown = shown.map(|letter| match letter.is_control() {
        true => char::REPLACEMENT_CHARACTER,
        false => letter,
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(raw: &str) -> Key {
        Key::parse(raw).unwrap()
    }

    #[test]
    fn words_keep_their_meaning_when_they_are_written_and_read_again() {
        for (text, written) in [
            (
                "openid storage.read:/ storage.modify:/out/",
                "storage.read:/ storage.modify:/out/",
            ),
            ("storage.read://a//b", "storage.read:/a/b"),
            (
                "storage.stage:/x read:/y write:/z/",
                "storage.read:/x storage.read:/y storage.modify:/z/",
            ),
            (
                "storage.read:/a%20b%25%22%5C/%C3%A9",
                "storage.read:/a%20b%25%22%5C/%C3%A9",
            ),
            ("storage.read:/é", "storage.read:/%C3%A9"),
            (
                "storage.poll:/ compute.create prominence.revoke",
                "storage.poll:/ compute.create prominence.revoke",
            ),
        ] {
            let scopes = Scopes::parse(text).unwrap();
            assert_eq!(scopes.words().join(" "), written);
            assert_eq!(Scopes::parse(written).unwrap(), scopes, "{text}");
        }
    }

    #[test]
    fn words_of_other_services_do_not_limit_a_token() {
        let others = "openid email wlcg.groups storage compute read write read:user write:org READ:/x offline_access";
        assert_eq!(Scopes::parse(others).unwrap(), Scopes::Unrestricted);
        assert_eq!(Scopes::parse(" ").unwrap(), Scopes::Unrestricted);
    }

    #[test]
    fn a_capability_that_is_not_for_keys_limits_a_token_to_nothing() {
        for text in [
            "compute.create",
            "prominence.revoke",
            "storage.poll:/",
            "storage.x:/a",
        ] {
            let scopes = Scopes::parse(text).unwrap();
            for access in [Access::Read, Access::Create, Access::Modify] {
                assert!(!scopes.allow(access, &key("/a")), "{text}");
                assert!(
                    !scopes.allow_prefix(access, &Prefix::everything()),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn scopes_that_are_asked_for_are_all_understood() {
        for good in [
            "storage.read:/a",
            " write:/b  compute.create ",
            "storage.poll:/",
        ] {
            assert_eq!(Scopes::asked_for(good), Scopes::parse(good), "{good}");
        }
        for odd in [
            "Storage.read:/a",
            "storage_read:/a",
            "storage:read:/a",
            "reed:/a",
            "READ:/a",
            "/a/",
            "foo",
            "openid",
            "storage.read:/a wrte:/b",
        ] {
            assert!(
                matches!(Scopes::asked_for(odd), Err(ScopeError::Unknown(_))),
                "{odd}"
            );
        }
        for empty in ["", "  "] {
            assert_eq!(Scopes::asked_for(empty), Err(ScopeError::Empty));
        }
        assert!(Scopes::asked_for("storage.read").is_err());
    }

    #[test]
    fn another_issuer_can_not_give_what_words_of_this_service_stand_for() {
        let words = |text: &str| Scopes::parse(text).unwrap().of_another_issuer().words();
        assert_eq!(
            words("storage.read:/a prominence.revoke compute.create"),
            ["storage.read:/a", "prominence.none", "compute.create"]
        );
        let alone = Scopes::parse("prominence.revoke")
            .unwrap()
            .of_another_issuer();
        assert!(alone.allow_nothing() && !alone.has_word("prominence.revoke"));
        assert_eq!(
            Scopes::Unrestricted.of_another_issuer(),
            Scopes::Unrestricted
        );
    }

    #[test]
    fn a_storage_scope_that_is_not_understood_is_refused() {
        for odd in [
            "storage.",
            "storage.read",
            "storage.read:",
            "storage.read:x",
            "storage.:/x",
            "storage.read:/../x",
            "storage.read:/a/./b",
            "storage.read:/%",
            "storage.read:/%2",
            "storage.read:/%zz",
            "storage.read:/%+1",
            "storage.read:/%00",
            "storage.read:/%ff",
            "storage.read:/%2e%2e",
            "storage.poll",
            "storage.poll:/%zz",
            "read:/%zz",
            "write:/a/../b",
        ] {
            assert!(Scopes::parse(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_path_with_a_slash_at_its_end_covers_what_is_below_it_alone() {
        let below = Scopes::parse("storage.modify:/out/").unwrap();
        assert!(!below.allow(Access::Modify, &key("/out")));
        assert!(below.allow(Access::Modify, &key("/out/x")));
        assert!(below.allow_prefix(Access::Modify, &Prefix::parse("/out/").unwrap()));
        assert!(!below.allow_prefix(Access::Modify, &Prefix::parse("/out").unwrap()));
        let all = Scopes::parse("storage.modify:/").unwrap();
        assert!(all.allow(Access::Modify, &key("/out")));
        assert!(all.allow_prefix(Access::Modify, &Prefix::everything()));
    }

    #[test]
    fn escapes_are_decoded_once() {
        let scopes = Scopes::parse("storage.read:/a%20b storage.read:/c%252F").unwrap();
        assert!(scopes.allow(Access::Read, &key("/a b")));
        assert!(scopes.allow(Access::Read, &key("/a b/x")));
        assert!(!scopes.allow(Access::Read, &key("/a%20b")));
        assert!(scopes.allow(Access::Read, &key("/c%2F")));
    }

    #[test]
    fn modify_includes_create_but_not_read() {
        for text in ["storage.modify:/", "write:/"] {
            let scopes = Scopes::parse(text).unwrap();
            assert!(scopes.allow(Access::Create, &key("/a")));
            assert!(scopes.allow(Access::Modify, &key("/a")));
            assert!(!scopes.allow(Access::Read, &key("/a")));
        }
    }

    #[test]
    fn scopes_include_what_allows_no_more() {
        let include = |own: &str, other: &str| {
            Scopes::parse(own)
                .unwrap()
                .include(&Scopes::parse(other).unwrap())
        };
        for (own, other) in [
            ("", ""),
            ("", "storage.read:/a storage.modify:/"),
            ("storage.read:/", "storage.read:/a storage.read:/a/"),
            ("storage.read:/a", "storage.read:/a storage.read:/a/b"),
            ("storage.read:/a/", "storage.read:/a/ storage.read:/a/b"),
            ("storage.modify:/a", "storage.create:/a/b"),
            ("compute.create storage.read:/a", "compute.create"),
        ] {
            assert!(include(own, other), "{own} for {other}");
        }
        for (own, other) in [
            ("storage.read:/a", ""),
            ("storage.read:/a", "openid"),
            ("storage.read:/a", "storage.read:/"),
            ("storage.read:/a", "storage.read:/ab"),
            ("storage.read:/a/", "storage.read:/a"),
            ("storage.read:/a", "storage.create:/a"),
            ("storage.create:/a", "storage.modify:/a"),
            ("storage.modify:/a", "storage.read:/a"),
            ("storage.read:/a", "storage.read:/a compute.create"),
            ("", "prominence.revoke"),
            ("", "storage.read:/a compute.create"),
            ("storage.read:/", "prominence.revoke"),
        ] {
            assert!(!include(own, other), "{own} for {other}");
        }
    }

    #[test]
    fn only_a_bounded_number_of_scopes_is_taken_and_errors_are_short() {
        let words = |number: usize| vec!["storage.read:/a"; number].join(" ");
        assert!(Scopes::parse(&format!("openid {}", words(100))).is_ok());
        assert_eq!(Scopes::parse(&words(101)), Err(ScopeError::TooMany));
        let long = format!("storage.read:\u{1b}{}", "x".repeat(10_000));
        let error = Scopes::parse(&long).unwrap_err().to_string();
        assert!(error.len() < 300 && !error.contains('\u{1b}'), "{error}");
    }
}
