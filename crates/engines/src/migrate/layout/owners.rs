//! The owners of the keys in the other layout, and the namespace of each.

use std::collections::BTreeMap;

use prominence_core::Namespace;
use prominence_core::namespace::NameError;

use super::START;

/// The separator of the names in a list.
const BECOMES: char = '=';

/// The names, each with the namespace that it becomes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    /// By the name in the other layout.
    by_name: BTreeMap<Vec<u8>, Owner>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    name: Vec<u8>,
    namespace: Namespace,
}

/// The reason why a list of names can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadOwners {
    /// A line is no name.
    #[error("line {line} has no name of a user: {cause}")]
    Name {
        /// The line.
        line: usize,
        /// The problem.
        cause: NameError,
    },
    /// Two lines give the same name a namespace.
    #[error("line {line} names {name:?} a second time")]
    Twice {
        /// The later one.
        line: usize,
        /// The name.
        name: String,
    },
    /// Two names would become one namespace.
    #[error("line {line} gives {name:?} the keys of two users")]
    Merged {
        /// The later one.
        line: usize,
        /// The namespace.
        name: String,
    },
    /// There is none.
    #[error("it names nobody")]
    Empty,
}

impl Owners {
    /// Reads a list: one name on a line, or `OLD=NEW` where the namespace is called otherwise.
    /// Empty lines don't count.
    ///
    /// # Errors
    /// See [`BadOwners`].
    pub fn parse(text: &str) -> Result<Self, BadOwners> {
        let mut owners = Self::default();
        for (number, text) in (1..).zip(text.lines()) {
            if text.is_empty() {
                continue;
            }
            let (name, namespace) = text.split_once(BECOMES).unwrap_or((text, text));
            let bad = |cause| BadOwners::Name {
                line: number,
                cause,
            };
            if name.is_empty() {
                return Err(bad(NameError::Empty));
            }
            let namespace = Namespace::parse(namespace).map_err(bad)?;
            if owners
                .by_name
                .values()
                .any(|one| one.namespace == namespace)
            {
                let name = namespace.to_string();
                return Err(match owners.by_name.contains_key(name.as_bytes()) {
                    true => BadOwners::Twice { line: number, name },
                    false => BadOwners::Merged { line: number, name },
                });
            }
            if owners.add(name.as_bytes(), namespace).is_some() {
                return Err(BadOwners::Twice {
                    line: number,
                    name: name.to_owned(),
                });
            }
        }
        match owners.by_name.is_empty() {
            true => Err(BadOwners::Empty),
            false => Ok(owners),
        }
    }

    pub(super) fn add(&mut self, name: &[u8], namespace: Namespace) -> Option<Owner> {
        let owner = Owner {
            name: name.to_vec(),
            namespace,
        };
        self.by_name.insert(name.to_vec(), owner)
    }

    /// Whose a key is, and the path within what is theirs. Of several whose name it begins with
    /// it is that of the longest.
    pub(super) fn find<'k>(&self, key: &'k [u8]) -> Option<(&Owner, &'k [u8])> {
        let rest = key.strip_prefix(START)?;
        let slashes = rest.iter().enumerate().rev();
        let mut ends = slashes.filter_map(|(at, byte)| (*byte == b'/').then_some(at));
        ends.find_map(|end| {
            let (name, path) = rest.split_at_checked(end)?;
            Some((self.by_name.get(name)?, path))
        })
    }

    /// In the order of the namespaces.
    pub(super) fn by_namespace(&self) -> Vec<&Owner> {
        let mut owners: Vec<_> = self.by_name.values().collect();
        owners.sort_by(|one, other| one.namespace.cmp(&other.namespace));
        owners
    }
}

impl Owner {
    pub(super) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The place where the keys are that are theirs, or of somebody whose name is longer.
    pub(super) fn range(&self) -> (Vec<u8>, Vec<u8>) {
        let with = |end: u8| [START, &self.name, &[end]].concat();
        (with(b'/'), with(b'/' + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(owners: &Owners, key: &str) -> Option<(String, String)> {
        let (owner, path) = owners.find(key.as_bytes())?;
        let path = String::from_utf8(path.to_vec()).unwrap();
        Some((owner.namespace.to_string(), path))
    }

    #[test]
    fn the_longest_name_that_ends_at_a_slash_has_the_key() {
        let owners = Owners::parse("alice\nalice/lab\nal=albert\n").unwrap();
        let pair = |name: &str, path: &str| Some((name.to_owned(), path.to_owned()));
        assert_eq!(found(&owners, "/alice/x"), pair("alice", "/x"));
        assert_eq!(found(&owners, "/alice/lab/x/y"), pair("alice/lab", "/x/y"));
        assert_eq!(found(&owners, "/alice/lab"), pair("alice", "/lab"));
        assert_eq!(
            found(&owners, "/alice/laboratory"),
            pair("alice", "/laboratory")
        );
        assert_eq!(found(&owners, "/al/x"), pair("albert", "/x"));
        assert_eq!(found(&owners, "/alice2/x"), None);
        assert_eq!(found(&owners, "/alice"), None);
        assert_eq!(found(&owners, "alice/x"), None);
    }

    #[test]
    fn a_list_that_leaves_a_doubt_is_refused_with_the_line() {
        let line = |text| match Owners::parse(text) {
            Err(
                BadOwners::Name { line, .. }
                | BadOwners::Twice { line, .. }
                | BadOwners::Merged { line, .. },
            ) => line,
            other => panic!("{other:?}"),
        };
        assert_eq!(line("a\n\n=b\n"), 3);
        assert_eq!(line("a=\n"), 1);
        assert_eq!(line("a\nb\na\n"), 3);
        assert_eq!(line("a=b\na=c\n"), 2);
        assert_eq!(line("a=c\nb=c\n"), 2);
        assert_eq!(line("a\tb\n"), 1);
        assert_eq!(Owners::parse("\n\n"), Err(BadOwners::Empty));
    }
}
