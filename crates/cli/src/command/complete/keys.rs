//! The keys that begin with what was typed, one level at a time.

use prominence_api::Listed;
use prominence_client::{Levels, ListOptions, Show};
use prominence_core::Prefix;

use super::Candidate;
use crate::config::{self, Connection};

/// Keys that are offered at once: more than anybody reads, and little to fetch.
const MAX_KEYS: usize = 1_000;

/// Stands for the keys that are not shown. Because of it a shell does not complete what only the shown
/// keys have in common.
const MORE: &str = "…";

/// The keys and folders of one level; empty if they can't be read.
pub(super) fn beginning_with(typed: &str, connection: &Connection) -> Vec<Candidate> {
    let Ok(prefix) = Prefix::parse(typed) else {
        return Vec::new();
    };
    let Ok(client) = config::client(connection) else {
        return Vec::new();
    };
    let options = ListOptions {
        levels: Levels::One,
        show: Show::Names,
        ..ListOptions::default()
    };
    // The prefix may have been typed in another way, such as without its first slash; what is typed
    // stays as it is.
    let shown = if typed.is_empty() { "/" } else { typed };
    let candidate = |rest: &str| Candidate {
        text: format!("{shown}{rest}"),
        description: String::new(),
    };
    let mut keys = Vec::new();
    for item in client.list(&prefix, options) {
        let Ok(Listed::Name(name)) = item else {
            return Vec::new();
        };
        if keys.len() == MAX_KEYS {
            keys.push(candidate(MORE));
            break;
        }
        if let Some(rest) = name.strip_prefix(prefix.as_str()) {
            keys.push(candidate(rest));
        }
    }
    keys
}
