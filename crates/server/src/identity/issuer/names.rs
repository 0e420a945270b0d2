//! From a claim to a namespace: the file of names, the prefix, and the rule that no issuer names another's users.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prominence_core::{Namespace, Timestamp};

use super::config::{IssuerConfig, Unnamed};
use crate::identity::token::Rejected;

/// A file of names is looked at so often.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(60);

/// Whose names begin how, over all issuers.
#[derive(Default)]
pub(super) struct Owners {
    /// By issuer: its prefix, and the issuers with which it shares names.
    prefixes: Vec<(String, Vec<usize>)>,
}

/// The names of one issuer's users.
pub(super) struct Names {
    prefix: String,
    file: Option<(NamesFile, Unnamed)>,
}

/// A file with lines CLAIM=NAMESPACE, which is read again when it changes.
struct NamesFile {
    path: PathBuf,
    /// For the log.
    issuer: String,
    read: Mutex<Read>,
}

struct Read {
    by_claim: Arc<HashMap<String, Namespace>>,
    text: String,
    next_look: Timestamp,
}

/// The reason why a file of names can't be used.
#[derive(Debug, thiserror::Error)]
pub enum NamesError {
    /// It can't be read.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// A line is not CLAIM=NAMESPACE.
    #[error("line {line}: {why}")]
    Line {
        /// The line.
        line: usize,
        /// The mistake.
        why: String,
    },
}

impl Owners {
    /// Of issuers in their order.
    pub(super) fn of(issuers: &[IssuerConfig]) -> Self {
        let index_of = |name: &String| issuers.iter().position(|other| other.name == *name);
        let prefixes = issuers.iter().map(|issuer| {
            let shared = issuer.shares_names_with.iter().filter_map(index_of);
            (issuer.namespace_prefix.clone(), shared.collect())
        });
        Self {
            prefixes: prefixes.collect(),
        }
    }

    /// True if an issuer may name this namespace: it, or one that it shares names with, has the longest of the
    /// prefixes that it begins with.
    fn allow(&self, issuer: usize, name: &str) -> bool {
        let fitting = self.prefixes.iter().map(|(prefix, _)| prefix);
        let fitting = fitting.filter(|prefix| name.starts_with(prefix.as_str()));
        let Some(longest) = fitting.map(String::len).max() else {
            return false;
        };
        let owns = |index: usize| {
            let prefix = self.prefixes.get(index).map(|(prefix, _)| prefix);
            prefix
                .is_some_and(|prefix| prefix.len() == longest && name.starts_with(prefix.as_str()))
        };
        let shared = self.prefixes.get(issuer).map(|(_, shared)| shared);
        owns(issuer) || shared.is_some_and(|shared| shared.iter().any(|other| owns(*other)))
    }
}

impl Names {
    /// Reads the file, if there is one.
    pub(super) fn of(issuer: &IssuerConfig) -> Result<Self, NamesError> {
        let file = match &issuer.names {
            None => None,
            Some((path, unnamed)) => Some((NamesFile::open(path, &issuer.name)?, *unnamed)),
        };
        Ok(Self {
            prefix: issuer.namespace_prefix.clone(),
            file,
        })
    }

    /// The namespace of a user, by what the issuer calls the user.
    pub(super) async fn namespace(
        &self,
        (owners, issuer): (&Owners, usize),
        user: &str,
        now: Timestamp,
    ) -> Result<Namespace, Rejected> {
        if let Some((file, unnamed)) = &self.file {
            // A line is the operator's word: it may name anybody.
            if let Some(namespace) = file.names(now).await.get(user) {
                return Ok(namespace.clone());
            }
            if *unnamed == Unnamed::Refuse {
                let why = "the operator has not given this user a name here; ask the operator";
                return Err(Rejected::NotAdmitted(why.to_owned()));
            }
        }
        let name = format!("{}{user}", self.prefix);
        let namespace = Namespace::parse(&name).map_err(|why| Rejected::Name(why.to_string()))?;
        if owners.allow(issuer, &name) {
            Ok(namespace)
        } else {
            let why = "it is a name of another issuer's users";
            Err(Rejected::Name(why.to_owned()))
        }
    }
}

impl NamesFile {
    fn open(path: &Path, issuer: &str) -> Result<Self, NamesError> {
        let text = std::fs::read_to_string(path)?;
        let by_claim = Arc::new(parse(&text)?);
        Ok(Self {
            path: path.to_owned(),
            issuer: issuer.to_owned(),
            read: Mutex::new(Read {
                by_claim,
                text,
                next_look: Timestamp::from_secs(0),
            }),
        })
    }

    /// The names, read again where that is due. A file that can't be used leaves them as they were.
    async fn names(&self, now: Timestamp) -> Arc<HashMap<String, Namespace>> {
        {
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            if now < read.next_look {
                return Arc::clone(&read.by_claim);
            }
            read.next_look = now.after(LOOKED_AT_EVERY);
        }
        let path = self.path.clone();
        let text = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let read_again = match text {
            Ok(Ok(text)) if text == read.text => return Arc::clone(&read.by_claim),
            Ok(Ok(text)) => parse(&text).map(|by_claim| (text, by_claim)),
            Ok(Err(error)) => Err(error.into()),
            Err(error) => Err(NamesError::Read(std::io::Error::other(error))),
        };
        match read_again {
            Ok((text, by_claim)) => {
                read.text = text;
                read.by_claim = Arc::new(by_claim);
            }
            Err(error) => {
                let (issuer, file) = (&self.issuer, self.path.display());
                tracing::error!(issuer, %file, %error, "the file of names can't be used; the old names stay");
            }
        }
        Arc::clone(&read.by_claim)
    }
}

/// Reads lines CLAIM=NAMESPACE, or a name alone that is both. Empty lines don't count.
fn parse(text: &str) -> Result<HashMap<String, Namespace>, NamesError> {
    let mut by_claim = HashMap::new();
    for (line, text) in (1..).zip(text.lines()) {
        if text.is_empty() {
            continue;
        }
        let wrong = |why: String| NamesError::Line { line, why };
        let (claim, name) = text.split_once('=').unwrap_or((text, text));
        if claim.is_empty() {
            return Err(wrong("there is nothing before the \"=\"".to_owned()));
        }
        let namespace = Namespace::parse(name).map_err(|error| wrong(error.to_string()))?;
        if by_claim.insert(claim.to_owned(), namespace).is_some() {
            return Err(wrong(format!("{claim:?} is named a second time")));
        }
    }
    Ok(by_claim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owners(prefixes: &[(&str, &[usize])]) -> Owners {
        let prefixes = prefixes.iter();
        Owners {
            prefixes: prefixes
                .map(|(prefix, shared)| ((*prefix).to_owned(), shared.to_vec()))
                .collect(),
        }
    }

    #[test]
    fn an_issuer_names_nobody_whose_name_begins_with_a_longer_prefix_of_another() {
        let owners = owners(&[("", &[]), ("egi:", &[]), ("k8s-", &[0])]);
        assert!(owners.allow(0, "alice"));
        assert!(owners.allow(0, "egi"));
        assert!(!owners.allow(0, "egi:alice"));
        assert!(owners.allow(1, "egi:alice"));
        assert!(!owners.allow(1, "alice"));
        assert!(owners.allow(2, "k8s-alice"));
        assert!(owners.allow(2, "alice"), "it shares the names of the first");
        assert!(!owners.allow(2, "egi:alice"));
        assert!(!owners.allow(0, "k8s-alice"), "and not the other way round");
    }

    #[test]
    fn issuers_with_one_prefix_name_each_others_users() {
        let owners = owners(&[("", &[1]), ("", &[0])]);
        assert!(owners.allow(0, "alice") && owners.allow(1, "alice"));
    }

    #[test]
    fn a_file_of_names_is_read_line_by_line() {
        let names = parse("a=b\n\nalice\nhttps://x/u=Alice B=C\n").unwrap();
        let name = |claim: &str| names.get(claim).map(Namespace::as_str);
        assert_eq!(name("a"), Some("b"));
        assert_eq!(name("alice"), Some("alice"));
        assert_eq!(name("https://x/u"), Some("Alice B=C"));
        assert_eq!(name("b"), None);
        for (text, why) in [
            ("a\n=b", "line 2"),
            ("a=", "line 1"),
            ("a=b\na=c", "second time"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[tokio::test]
    async fn a_changed_file_counts_after_a_minute_and_a_bad_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("names");
        std::fs::write(&path, "a=one").unwrap();
        let file = NamesFile::open(&path, "test").unwrap();
        let name = async |now| {
            let names = file.names(Timestamp::from_secs(now)).await;
            names.get("a").map(ToString::to_string).unwrap_or_default()
        };
        assert_eq!(name(100).await, "one");
        std::fs::write(&path, "a=two").unwrap();
        assert_eq!(name(159).await, "one");
        assert_eq!(name(160).await, "two");
        std::fs::write(&path, "a=").unwrap();
        assert_eq!(name(220).await, "two");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(name(280).await, "two");
        std::fs::write(&path, "a=three").unwrap();
        assert_eq!(name(340).await, "three");
    }
}
