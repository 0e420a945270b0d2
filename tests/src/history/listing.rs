//! Listings, pages and watches show nothing that doesn't belong in them: other prefixes, other pages, and
//! the platform's keys, which only a prefix that reaches inside one of their folders shows.

use super::operation::{Answer, Call, Follows, Record, Round, Snapshot};

/// The segment of the platform's keys.
const INTERNAL: &str = "_internal_";

/// A folder of the platform's keys. Of these only such as begin so are used, so that a watch of them and
/// one of everything else tell of all there is.
pub const INSIDE: &str = "/i/_internal_/";

/// Whether listings and watches of a prefix show a key that is there.
#[must_use]
pub fn shows(prefix: &str, key: &str) -> bool {
    let reaches_inside = prefix.contains("/_internal_/");
    key.starts_with(prefix) && (reaches_inside || key.split('/').all(|part| part != INTERNAL))
}

/// Whether what a request listed has to show a key that is there.
#[must_use]
pub fn covers(record: &Record, key: &str) -> bool {
    match (&record.call, &record.answer) {
        (Call::List(prefix), _) => shows(prefix, key),
        (Call::Page { prefix, after, .. }, Answer::Page(page, follows)) => {
            let is_later = after.as_ref().is_none_or(|after| **after < *key);
            let last = page.keys().next_back();
            // Where nothing follows, the page reaches to the end of the prefix.
            let is_passed = *follows == Follows::More && last.is_some_and(|last| **last < *key);
            shows(prefix, key) && is_later && !is_passed
        }
        _ => false,
    }
}

/// What a request was shown of a listing.
#[must_use]
pub fn listed(record: &Record) -> Option<&Snapshot> {
    match &record.answer {
        Answer::Listed(listed) | Answer::Page(listed, _) => Some(listed),
        _ => None,
    }
}

/// Checks a round; answers how many listings there were and what is wrong, in words.
#[must_use]
pub fn check(round: &Round) -> (usize, Vec<String>) {
    let mut listings = 0;
    let mut findings = Vec::new();
    for record in &round.records {
        let Some(listed) = listed(record) else {
            continue;
        };
        listings += 1;
        let strange: Vec<_> = listed.keys().filter(|key| !covers(record, key)).collect();
        if !strange.is_empty() {
            findings.push(format!("{strange:?} were listed by {:?}", record.call));
        }
        if let (Call::Page { limit, .. }, Answer::Page(page, follows)) =
            (&record.call, &record.answer)
        {
            let is_idle = page.is_empty() && *follows == Follows::More;
            if page.len() > *limit || is_idle {
                findings.push(format!("a page can't be so long: {record:?}"));
            }
        }
    }
    for watch in &round.watches {
        for event in &watch.events {
            if !shows(&watch.prefix, &event.key) {
                findings.push(format!("a watch of {} told of {event:?}", watch.prefix));
            }
        }
    }
    (listings, findings)
}
