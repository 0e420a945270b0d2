//! A prefix that is taken for a folder, and matches more than that: `/in` matches `/inside` beside `/in/x`.

use std::time::Duration;

use prominence_api::Listed;
use prominence_client::{Client, Error, Levels, ListOptions, Show};
use prominence_core::Prefix;

use crate::failure::Failure;
use crate::output;

/// Entries of one level that tell whether there are siblings: the key, its folder, and one more.
const ENOUGH: u64 = 3;

/// The keys that begin with a prefix and are neither the key of that name nor in the folder of that name.
pub(super) struct Siblings {
    /// One of them, or a folder of them.
    example: String,
}

impl Siblings {
    /// Looks for siblings where a person may not expect any. `None` where there are none, or where the token
    /// does not allow to list.
    pub(super) fn find(client: &Client, prefix: &Prefix) -> Result<Option<Self>, Failure> {
        let text = prefix.as_str();
        if text.ends_with('/') {
            return Ok(None);
        }
        let options = ListOptions {
            levels: Levels::One,
            show: Show::Names,
            limit: Some(ENOUGH),
            ..ListOptions::default()
        };
        let mut folder = false;
        let mut example = None;
        for item in client.list(prefix, options) {
            let name = match item {
                Ok(Listed::Name(name)) => name,
                Ok(_) => return Err(super::list::unexpected()),
                Err(Error::Forbidden(_)) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            match is_sibling(prefix, &name) {
                false => folder = true,
                true => example = example.or(Some(name)),
            }
        }
        // A prefix such as /sweep/run- that names no folder, and ends between two words, is meant as it is.
        let is_deliberate = !folder && !ends_in_a_word(prefix);
        Ok(example
            .filter(|_| !is_deliberate)
            .map(|example| Self { example }))
    }

    /// Warns if a command takes siblings as well. It never fails, and never waits for a server.
    pub(super) fn tell(client: &Client, prefix: &Prefix) {
        let once = client.with_retry_for(Duration::ZERO);
        if let Ok(Some(siblings)) = Self::find(&once, prefix) {
            siblings.warn(prefix);
        }
    }

    /// Names one of them on standard error.
    pub(super) fn warn(&self, prefix: &Prefix) {
        output::warn(format_args!(
            "{prefix} also matches {}; write {prefix}/ for what is in that folder",
            self.example
        ));
    }
}

/// True if a key that begins with the prefix is outside its folder, and the prefix may be taken for a folder.
pub(super) fn surprises(prefix: &Prefix, key: &str) -> bool {
    ends_in_a_word(prefix) && is_sibling(prefix, key)
}

fn is_sibling(prefix: &Prefix, key: &str) -> bool {
    let rest = key.strip_prefix(prefix.as_str()).unwrap_or_default();
    !prefix.as_str().ends_with('/') && !rest.is_empty() && !rest.starts_with('/')
}

fn ends_in_a_word(prefix: &Prefix) -> bool {
    prefix.as_str().ends_with(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn siblings_are_keys_outside_the_folder_of_a_prefix_that_ends_in_a_word() {
        let surprises = |prefix: &str, key| surprises(&Prefix::parse(prefix).unwrap(), key);
        assert!(surprises("/in", "/inside"));
        assert!(surprises("/in", "/in-1/x"));
        assert!(surprises("/run1", "/run10"));
        assert!(!surprises("/in", "/in"));
        assert!(!surprises("/in", "/in/x"));
        assert!(!surprises("/in/", "/in/x"));
        assert!(!surprises("/run-", "/run-1"));
        assert!(!surprises("/", "/x"));
    }
}
