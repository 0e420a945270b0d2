//! Faults that an engine over several servers can have: outdated replicas, transactions sent twice, and requests whose
//! fate is unknown.

use prominence_tests::history::check::Check;
use prominence_tests::history::linear;
use prominence_tests::history::operation::{Answer, Call, Change, Event, EventKind, Expect, Watch};

use super::{demand, finders};
use crate::sound::{Story, entry, get, set};

/// A batch that adds one to a counter and sets a key.
fn transaction() -> Call {
    Call::Batch {
        conditions: Vec::new(),
        changes: vec![
            ("/n/1".into(), Change::Add(1)),
            ("/r/1".into(), Change::Set("alice:1".into())),
        ],
    }
}

/// The answer to the transaction that was executed once, with this sum.
fn once() -> Answer {
    Answer::Done(1, vec![Some(1), None])
}

/// Adds a watch of all keys with the events of these puts.
fn watched(story: &mut Story, puts: &[(u64, &str, &str)]) {
    let events = puts.iter().map(|(revision, key, value)| Event {
        revision: *revision,
        key: (*key).into(),
        kind: EventKind::Put,
        value: Some((*value).into()),
        put: None,
    });
    story.round.watches.push(Watch {
        prefix: "/".into(),
        since: 0,
        until: puts.last().map_or(0, |(revision, ..)| *revision),
        events: events.collect(),
    });
}

/// An empty history of the user alice.
fn story() -> Story {
    let mut story = Story::default();
    story.round.user = "alice".into();
    story
}

#[test]
fn a_transaction_that_took_effect_twice_is_found_by_its_sum() {
    let mut story = story();
    story
        .tell(transaction(), once())
        .tell(get("/n/1"), Answer::Found(entry("2", 2)));
    demand(&story.round, &[Check::Linearizability]);
    watched(
        &mut story,
        &[
            (1, "/n/1", "1"),
            (1, "/r/1", "alice:1"),
            (2, "/n/1", "2"),
            (2, "/r/1", "alice:1"),
        ],
    );
    demand(&story.round, &[Check::Linearizability, Check::Order]);
}

#[test]
fn a_transaction_that_took_effect_twice_is_found_by_its_revision() {
    let mut story = story();
    story
        .tell(transaction(), once())
        // The value is the same, so only the revision shows the second write.
        .tell(get("/r/1"), Answer::Found(entry("alice:1", 2)));
    demand(&story.round, &[Check::Linearizability, Check::Order]);
}

#[test]
fn a_replica_that_lags_behind_another_one_is_found() {
    let mut story = story();
    let expect = Expect::Anything;
    story
        .tell(set("/r/1", "alice:1", expect.clone()), Answer::Written(1))
        .tell(set("/r/1", "alice:2", expect), Answer::Written(2))
        .tell(get("/r/1"), Answer::Found(entry("alice:2", 2)))
        .tell(get("/r/1"), Answer::Found(entry("alice:1", 1)));
    demand(&story.round, &[Check::Linearizability, Check::Order]);
}

#[test]
fn a_replica_that_lags_by_a_whole_listing_is_found_though_each_key_is_read_once() {
    let mut story = story();
    let expect = Expect::Anything;
    let old = [("/r/1".into(), entry("alice:1", 1))].into();
    story
        .tell(set("/r/1", "alice:1", expect.clone()), Answer::Written(1))
        .tell(set("/r/2", "alice:2", expect), Answer::Written(2))
        .tell(Call::List("/r/".into()), Answer::Listed(old));
    demand(&story.round, &[Check::Linearizability]);
    watched(
        &mut story,
        &[(1, "/r/1", "alice:1"), (2, "/r/2", "alice:2")],
    );
    demand(&story.round, &[Check::Linearizability, Check::Order]);
}

#[test]
fn a_transaction_without_an_answer_may_take_effect_late_but_only_once() {
    let mut late = story();
    late.tell(transaction(), Answer::Lost)
        .tell(get("/n/1"), Answer::Absent)
        .tell(get("/n/1"), Answer::Found(entry("1", 1)))
        .tell(get("/r/1"), Answer::Found(entry("alice:1", 1)));
    assert_eq!(finders(&late.round), []);

    let mut twice = story();
    twice
        .tell(transaction(), Answer::Lost)
        .tell(get("/n/1"), Answer::Found(entry("1", 1)))
        .tell(get("/n/1"), Answer::Found(entry("2", 2)));
    demand(&twice.round, &[Check::Linearizability]);
}

#[test]
fn a_transaction_without_an_answer_that_took_effect_by_halves_is_found() {
    let mut story = story();
    story
        .tell(transaction(), Answer::Lost)
        .tell(get("/n/1"), Answer::Found(entry("1", 1)))
        .tell(get("/r/1"), Answer::Absent);
    watched(&mut story, &[(1, "/n/1", "1")]);
    assert_eq!(
        linear::check(&story.round).1.len(),
        0,
        "each key alone is right"
    );
    demand(&story.round, &[Check::Order]);
}

#[test]
fn a_deletion_of_a_folder_without_an_answer_that_took_effect_by_halves_is_found() {
    let mut story = story();
    let both = ["/d/1/a", "/d/1/b"];
    story.round.before = both.map(|key| (key.into(), entry("alice:0", 0))).into();
    let left = [("/d/1/b".into(), entry("alice:0", 0))].into();
    story
        .tell(Call::DeletePrefix("/d/1/".into()), Answer::Lost)
        .tell(Call::List("/".into()), Answer::Listed(left));
    story.round.watches.push(Watch {
        prefix: "/".into(),
        since: 0,
        until: 1,
        events: vec![Event {
            revision: 1,
            key: "/d/1/a".into(),
            kind: EventKind::Delete,
            value: None,
            put: None,
        }],
    });
    assert_eq!(
        linear::check(&story.round).1.len(),
        0,
        "each key alone is right"
    );
    demand(&story.round, &[Check::Order]);
}
