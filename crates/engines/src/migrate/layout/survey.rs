//! Finds the keys that can't be imported, all of them before any is imported.

use std::collections::BTreeMap;
use std::fmt;

use prominence_core::Namespace;
use prominence_core::namespace::NameError;

use super::{END, MigrateError, OpenLayout, Owners, START, Unowned, read};

/// Problems that are kept to be shown; the others are counted.
const MAX_SHOWN: usize = 20;

/// The keys that can't be imported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    /// The first of them.
    pub first: Vec<Problem>,
    /// Their number.
    pub count: u64,
}

/// One thing that can't be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key in the cluster, with bytes that are not ASCII escaped.
    pub key: String,
    /// The problem.
    pub what: String,
}

/// The reason why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Some keys or values can't be taken over.
    #[error(
        "{} keys can't be imported, so nothing was; correct or delete them in the existing \
        service, or list more users, and run it again", .0.count
    )]
    Problems(Problems),
    /// The owner of some keys is ambiguous.
    #[error(
        "it can't be told whose the keys of {} users are, as a user's name may have a slash in \
        it; name all users, one a line, in a file given with --users", .0.count
    )]
    Ambiguous(Problems),
}

impl Problems {
    fn add(&mut self, key: &[u8], what: impl ToString) {
        self.count += 1;
        if self.first.len() < MAX_SHOWN {
            self.first.push(Problem {
                key: key.escape_ascii().to_string(),
                what: what.to_string(),
            });
        }
    }

    fn is_some(&self) -> bool {
        self.count > 0
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.what)
    }
}

impl OpenLayout {
    /// Looks at everything, and learns the names where none are listed. Says how many keys will
    /// be imported.
    pub(in crate::migrate) fn survey(&mut self) -> Result<u64, MigrateError> {
        if self.owners.is_none() {
            self.owners = Some(self.learn_owners()?);
        }
        let owners = self.owners.as_ref();
        let revision = self.cluster.revision()?;
        let mut rows = self.cluster.rows(START.to_vec(), END.to_vec(), revision);
        let mut problems = Problems::default();
        let mut entries = 0;
        while let Some((key, row)) = rows.next()? {
            if self.is_left_out(&key) {
                continue;
            }
            match owners.and_then(|owners| owners.find(&key)) {
                Some((_, path)) => match read(path, &row) {
                    Ok(_) => entries += 1,
                    Err(how) => problems.add(&key, how),
                },
                None if self.unowned == Unowned::Leave => {}
                None => problems.add(&key, "it belongs to no user"),
            }
        }
        match problems.is_some() {
            true => Err(Unfit::Problems(problems).into()),
            false => Ok(entries),
        }
    }

    /// Takes the first segments for the names, where every key has two: then there is no other
    /// way to read them.
    fn learn_owners(&self) -> Result<Owners, MigrateError> {
        let revision = self.cluster.revision()?;
        let mut rows = self.cluster.rows(START.to_vec(), END.to_vec(), revision);
        let mut names = BTreeMap::new();
        let mut doubts = BTreeMap::new();
        let mut problems = Problems::default();
        while let Some((key, _)) = rows.next()? {
            if self.is_left_out(&key) {
                continue;
            }
            let mut segments = key
                .strip_prefix(START)
                .unwrap_or(&key)
                .split(|b| *b == b'/');
            let first = segments.next().unwrap_or_default().to_vec();
            if segments.count() > 1 {
                doubts.entry(first).or_insert(key);
                continue;
            }
            match name(&first) {
                Ok(namespace) => {
                    names.entry(first).or_insert(namespace);
                }
                Err(how) => problems.add(&key, how),
            }
        }
        if !doubts.is_empty() {
            let mut ambiguous = Problems::default();
            for (first, key) in doubts {
                let first = String::from_utf8_lossy(&first).into_owned();
                let what =
                    format!("it is of {first:?}, or of one whose name begins with \"{first}/\"");
                ambiguous.add(&key, what);
            }
            return Err(Unfit::Ambiguous(ambiguous).into());
        }
        if problems.is_some() {
            return Err(Unfit::Problems(problems).into());
        }
        let mut owners = Owners::default();
        for (name, namespace) in names {
            owners.add(&name, namespace);
        }
        Ok(owners)
    }
}

/// The namespace of a user with this name.
fn name(bytes: &[u8]) -> Result<Namespace, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the user's name is not UTF-8".to_owned())?;
    let named = |error: NameError| format!("the user's name can't be kept: {error}");
    Namespace::parse(text).map_err(named)
}
