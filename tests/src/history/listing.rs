//! Listings, pages and watches show no key of another prefix or page. The platform's keys are shown only where the
//! prefix is inside one of their folders.

use super::operation::{Answer, Call, Follows, Record, Round, Snapshot};

/// The segment that all keys of the platform have.
const INTERNAL: &str = "_internal_";

/// The only folder of the platform's keys that is used, so that a watch of it and a watch of all other keys show every
/// change.
pub const INSIDE: &str = "/i/_internal_/";

/// True if listings and watches of a prefix show a key that exists.
#[must_use]
pub fn shows(prefix: &str, key: &str) -> bool {
    let reaches_inside = prefix.contains("/_internal_/");
    key.starts_with(prefix) && (reaches_inside || key.split('/').all(|part| part != INTERNAL))
}

/// True if the listing of a request has to show a key that exists.
#[must_use]
pub fn covers(record: &Record, key: &str) -> bool {
    match (&record.call, &record.answer) {
        (Call::List(prefix), _) => shows(prefix, key),
        (Call::Page { prefix, after, .. }, Answer::Page(page, follows)) => {
            let is_later = after.as_ref().is_none_or(|after| **after < *key);
            let last = page.keys().next_back();
            // The last page ends at the end of the prefix.
            let is_passed = *follows == Follows::More && last.is_some_and(|last| **last < *key);
            shows(prefix, key) && is_later && !is_passed
        }
        _ => false,
    }
}

/// The part of a listing in the answer of a request.
#[must_use]
pub fn listed(record: &Record) -> Option<&Snapshot> {
    match &record.answer {
        Answer::Listed(listed) | Answer::Page(listed, _) => Some(listed),
        _ => None,
    }
}

/// Checks a round; returns the number of listings, and each violation in words.
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
