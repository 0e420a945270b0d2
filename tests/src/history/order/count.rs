//! Counts: the number of keys below a prefix after each revision.

use crate::history::log::{Held, Log};
use crate::history::operation::Text;

/// The number of keys below a prefix after a revision.
pub(super) fn count(log: &Log, prefix: &Text, revision: u64) -> u64 {
    let here = |key: &&Text| matches!(log.at(key, revision).1, Held::Here(_));
    let count = log.shown(prefix).filter(here).count();
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The revisions, from `floor` on, after which a prefix had this number of keys.
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
