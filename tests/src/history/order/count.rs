//! Counts: how many keys a prefix has after each revision.

use crate::history::log::{Held, Log};
use crate::history::operation::Text;

/// How many keys a prefix shows after a revision.
pub(super) fn count(log: &Log, prefix: &Text, revision: u64) -> u64 {
    let here = |key: &&Text| matches!(log.at(key, revision).1, Held::Here(_));
    let count = log.shown(prefix).filter(here).count();
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// After which revision, from `floor` on, a prefix had so many keys.
pub(super) fn counted(log: &Log, prefix: &Text, told: u64, floor: u64) -> Result<u64, String> {
    let mut place = floor;
    let mut later = log.commits().range(floor + 1..);
    while count(log, prefix, place) != told {
        let change = later.find(|(_, commit)| commit.keys().any(|key| key.starts_with(&**prefix)));
        let Some((revision, _)) = change else {
            let least = count(log, prefix, floor);
            return Err(format!(
                "{prefix} never had {told} keys from {floor} on, where it had {least}"
            ));
        };
        place = *revision;
    }
    Ok(place)
}
