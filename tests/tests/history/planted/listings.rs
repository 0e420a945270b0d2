//! Faults of listings, pages and counts, and of windows that end a namespace early.

use prominence_tests::history::check::{Check, check};
use prominence_tests::history::listing::INSIDE;
use prominence_tests::history::operation::{
    Answer, Call, Event, EventKind, Expect, Follows, Round, Snapshot, Watch,
};

use super::{answered, demand};
use crate::sound::{Story, entry, set};

/// The keys of the history, in the order in which they are set; each value is the key's own.
const KEYS: [&str; 5] = ["/i/_internal_/1", "/i/1", "/r/1", "/r/2", "/r/3"];

fn value(revision: u64) -> String {
    format!("alice:{revision}")
}

fn shown(keys: &[&str]) -> Snapshot {
    let revision = |key: &&str| (1..).zip(KEYS).find(|(_, other)| other == key);
    let found = keys.iter().filter_map(revision);
    found
        .map(|(revision, key)| (key.into(), entry(&value(revision), revision)))
        .collect()
}

fn page(after: Option<&str>) -> Call {
    Call::Page {
        prefix: "/r/".into(),
        after: after.map(Into::into),
        limit: 2,
    }
}

fn first_page() -> Answer {
    Answer::Page(shown(&["/r/1", "/r/2"]), Follows::More)
}

fn last_page() -> Answer {
    Answer::Page(shown(&["/r/3"]), Follows::Nothing)
}

fn count(prefix: &str) -> Call {
    Call::Count {
        prefix: prefix.into(),
        barrier: None,
    }
}

fn watch(prefix: &str, keys: &[&str]) -> Watch {
    let told = (1..).zip(KEYS).filter(|(_, key)| keys.contains(key));
    let events = told.map(|(revision, key)| Event {
        revision,
        key: key.into(),
        kind: EventKind::Put,
        value: Some(value(revision).into()),
        put: None,
    });
    Watch {
        prefix: prefix.into(),
        since: 0,
        until: 5,
        events: events.collect(),
    }
}

/// A key of the platform, one in the same folder and three others are set, and then listed in every way.
fn sound() -> Round {
    let mut story = Story::default();
    story.round.user = "alice".into();
    for (revision, key) in (1..).zip(KEYS) {
        let put = set(key, &value(revision), Expect::Anything);
        story.tell(put, Answer::Written(revision));
    }
    let list = |prefix: &str| Call::List(prefix.into());
    story
        .tell(page(None), first_page())
        .tell(page(Some("/r/2")), last_page())
        .tell(count("/r/"), Answer::Counted(3))
        .tell(count("/i/"), Answer::Counted(1))
        .tell(list("/i/"), Answer::Listed(shown(&KEYS[1..2])))
        .tell(list(INSIDE), Answer::Listed(shown(&KEYS[..1])))
        .tell(list("/"), Answer::Listed(shown(&KEYS[1..])));
    let mut round = story.round;
    round.watches = vec![watch("/", &KEYS[1..]), watch(INSIDE, &KEYS[..1])];
    round
}

#[test]
fn nothing_is_found_where_listings_show_what_they_should() {
    let (size, findings) = check(&sound());
    assert_eq!((size.listings, findings), (5, Vec::new()));
}

#[test]
fn a_page_that_leaves_out_a_key_is_found() {
    for (right, wrong) in [
        (first_page(), Answer::Page(shown(&["/r/2"]), Follows::More)),
        (last_page(), Answer::Page(Snapshot::new(), Follows::Nothing)),
        // An answer without a next page says the same as a list of all further keys.
        (
            first_page(),
            Answer::Page(shown(&["/r/1", "/r/2"]), Follows::Nothing),
        ),
    ] {
        let mut round = sound();
        answered(&mut round, right).answer = wrong;
        demand(&round, &[Check::Linearizability, Check::Order]);
    }
}

#[test]
fn a_page_that_shows_a_key_of_another_page_is_found() {
    let mut round = sound();
    answered(&mut round, last_page()).answer =
        Answer::Page(shown(&["/r/2", "/r/3"]), Follows::Nothing);
    demand(&round, &[Check::Listings]);
}

#[test]
fn a_page_that_is_longer_than_asked_for_is_found() {
    let mut round = sound();
    answered(&mut round, first_page()).answer =
        Answer::Page(shown(&["/r/1", "/r/2", "/r/3"]), Follows::Nothing);
    demand(&round, &[Check::Listings]);
}

#[test]
fn an_empty_page_that_says_that_more_follows_is_found() {
    let mut round = sound();
    answered(&mut round, last_page()).answer = Answer::Page(Snapshot::new(), Follows::More);
    demand(&round, &[Check::Listings]);
}

#[test]
fn a_wrong_count_is_found() {
    for (right, wrong) in [(3, 2), (3, 4)] {
        let mut round = sound();
        answered(&mut round, Answer::Counted(right)).answer = Answer::Counted(wrong);
        demand(&round, &[Check::Order]);
    }
    let mut round = sound();
    // The wrong count includes a key of the platform.
    answered(&mut round, Answer::Counted(1)).answer = Answer::Counted(2);
    demand(&round, &[Check::Order]);
}

#[test]
fn a_key_of_the_platform_that_a_listing_shows_is_found() {
    let mut round = sound();
    answered(&mut round, Answer::Listed(shown(&KEYS[1..2]))).answer =
        Answer::Listed(shown(&KEYS[..2]));
    demand(&round, &[Check::Listings]);
}

#[test]
fn a_key_of_the_platform_that_a_watch_tells_of_is_found() {
    let mut round = sound();
    round.watches[0] = watch("/", &KEYS);
    demand(&round, &[Check::Listings]);
}

#[test]
fn a_key_of_the_platform_that_its_own_prefix_does_not_show_is_found() {
    let mut round = sound();
    answered(&mut round, Answer::Listed(shown(&KEYS[..1]))).answer =
        Answer::Listed(Snapshot::new());
    demand(&round, &[Check::Linearizability, Check::Order]);

    let mut round = sound();
    round.watches[1].events.clear();
    demand(&round, &[Check::Order]);
}
