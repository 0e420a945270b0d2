//! A prefix that no key begins with: more likely misspelt than meant. That is told on standard error, with the
//! folder of a similar name where there is one; it is no failure.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use prominence_api::Listed;
use prominence_client::{Client, Levels, ListOptions, Show};
use prominence_core::Prefix;

use crate::output;

/// Names of one level that are compared with the one that was typed: one page of a listing.
const MAX_COMPARED: u64 = 1_000;

/// The most letters in which a name of up to [`SHORT`] characters may differ, and a longer one.
const MAX_EDITS: (usize, usize) = (1, 2);

/// Characters of a short name.
const SHORT: usize = 4;

/// The sentence about a prefix that no key begins with.
pub(super) struct Absent<'a> {
    prefix: &'a Prefix,
    /// A folder of a similar name.
    near: Option<String>,
}

impl<'a> Absent<'a> {
    /// Looks for a folder of a similar name by one listing of the level that the prefix ends in. To be asked
    /// once it is known that no key begins with the prefix.
    pub(super) fn of(client: &Client, prefix: &'a Prefix) -> Self {
        Self {
            prefix,
            near: near(client, prefix),
        }
    }

    /// The next step, as the end of a sentence.
    pub(super) fn next_step(&self) -> String {
        match &self.near {
            _ if self.prefix.is_everything() => "prominence kv set KEY VALUE stores one".to_owned(),
            Some(near) => format!("there is {near}, if that is meant"),
            None => {
                let (folder, _) = split(self.prefix);
                format!("prominence kv list --dirs {folder} shows what there is")
            }
        }
    }

    /// Says it on standard error.
    pub(super) fn tell(client: &Client, prefix: &'a Prefix) {
        output::warn(Self::of(client, prefix));
    }

    /// Says it on standard error to a person at a terminal, and does nothing otherwise: an empty list is an
    /// answer that a program understands.
    pub(super) fn hint(client: &Client, prefix: &'a Prefix) {
        if io::stderr().is_terminal() {
            Self::tell(client, prefix);
        }
    }
}

impl fmt::Display for Absent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = self.prefix;
        if prefix.is_everything() {
            f.write_str("there are no keys")?;
        } else if prefix.as_str().ends_with('/') {
            write!(f, "there are no keys below {prefix}")?;
        } else {
            write!(f, "there are no keys that begin with {prefix}")?;
        }
        write!(f, "; {}", self.next_step())
    }
}

/// The folder beside a prefix whose name is most similar. Where it can't be had, there is none: what was
/// asked for is what counts.
fn near(client: &Client, prefix: &Prefix) -> Option<String> {
    let (folder, name) = split(prefix);
    let level = Prefix::parse(folder).ok().filter(|_| !name.is_empty())?;
    let options = ListOptions {
        levels: Levels::One,
        show: Show::Names,
        limit: Some(MAX_COMPARED),
        ..ListOptions::default()
    };
    let once = client.with_retry_for(Duration::ZERO);
    let mut nearest: Option<(usize, String)> = None;
    for item in once.list(&level, options) {
        let (Listed::Name(other) | Listed::Folder { prefix: other, .. }) = item.ok()? else {
            return None;
        };
        // A key is no folder.
        let Some(other_name) = other
            .strip_prefix(folder)
            .and_then(|rest| rest.strip_suffix('/'))
        else {
            continue;
        };
        let edits = strsim::osa_distance(name, other_name);
        let is_nearer = nearest.as_ref().is_none_or(|(least, _)| edits < *least);
        if edits <= max_edits(name) && is_nearer {
            nearest = Some((edits, other));
        }
    }
    nearest.map(|(_, folder)| folder)
}

fn max_edits(name: &str) -> usize {
    if name.chars().count() <= SHORT {
        MAX_EDITS.0
    } else {
        MAX_EDITS.1
    }
}

/// The folder that a prefix ends in, and the name within it, without a `/` at its end.
fn split(prefix: &Prefix) -> (&str, &str) {
    let text = prefix.as_str();
    let text = text.strip_suffix('/').unwrap_or(text);
    match text.rfind('/') {
        Some(at) => text.split_at(at + 1),
        None => ("/", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_name_in_a_folder() {
        let split = |text: &str| {
            let prefix = Prefix::parse(text).unwrap();
            let (folder, name) = split(&prefix);
            (folder.to_owned(), name.to_owned())
        };
        let pair = |folder: &str, name: &str| (folder.to_owned(), name.to_owned());
        assert_eq!(split("/a/bc/"), pair("/a/", "bc"));
        assert_eq!(split("/a/bc"), pair("/a/", "bc"));
        assert_eq!(split("/a"), pair("/", "a"));
        assert_eq!(split("/"), pair("/", ""));
    }
}
