//! Tests of the checker: it finds nothing in a sound history, and finds every planted fault.

mod engines;
mod held;
mod listings;
mod promises;
mod watches;

use prominence_tests::history::check::{Check, check};
use prominence_tests::history::operation::{
    Answer, Call, Change, Event, EventKind, Expect, Record, Round, Snapshot, Watch,
};
use prominence_tests::history::{linear, record};

use crate::sound::{Story, entry, get, set, sound};

/// The checks that have findings.
fn finders(round: &Round) -> Vec<Check> {
    let (_, findings) = check(round);
    let mut by: Vec<_> = findings.iter().map(|finding| finding.by).collect();
    by.dedup();
    by
}

/// Fails unless at least these checks have findings.
#[track_caller]
fn demand(round: &Round, expected: &[Check]) {
    let found = finders(round);
    for one in expected {
        assert!(
            found.contains(one),
            "{one:?} found nothing, only {found:?} did"
        );
    }
}

/// The only record with this answer.
#[track_caller]
fn answered(round: &mut Round, answer: Answer) -> &mut Record {
    let mut found = round.records.iter_mut().filter(|one| one.answer == answer);
    let first = found.next().expect("one record has this answer");
    assert!(found.next().is_none(), "only one record has this answer");
    first
}

/// Inserts a request after the one with this answer.
fn insert(round: &mut Round, after: Answer, call: Call, answer: Answer) {
    let end = answered(round, after).end;
    let record = Record {
        client: 99,
        start: end + 1,
        end: end + 2,
        call,
        answer,
    };
    // The listing of all keys stays the last record.
    let last = round.records.len() - 1;
    round.records.insert(last, record);
}

/// The listing of all keys at the end.
fn after(round: &mut Round) -> &mut Snapshot {
    match round.records.last_mut().map(|last| &mut last.answer) {
        Some(Answer::Listed(after)) => after,
        _ => panic!("the last record is the listing of all keys"),
    }
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    assert_eq!(check(&sound()).1, []);
    let mut unwatched = sound();
    unwatched.watches.clear();
    assert_eq!(check(&unwatched).1, [], "without watches less is known");
}

#[test]
fn nothing_is_found_where_what_was_there_before_is_read() {
    let mut round = sound();
    let old = entry("alice:0", 0);
    round.before = [("/r/0".into(), old.clone())].into();
    after(&mut round).insert("/r/0".into(), old.clone());
    insert(
        &mut round,
        Answer::Written(2),
        get("/r/0"),
        Answer::Found(old),
    );
    assert_eq!(check(&round).1, []);
}

#[test]
fn a_history_that_was_written_down_is_read_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("histories/one.ndjson");
    record::write(&sound(), &path).unwrap();
    assert_eq!(record::read(&path).unwrap(), sound());
}

#[test]
fn a_stale_read_is_found() {
    let mut round = sound();
    answered(&mut round, Answer::Found(entry("alice:2", 2))).answer =
        Answer::Found(entry("alice:1", 1));
    demand(&round, &[Check::Linearizability, Check::Order]);
    round.watches.clear();
    demand(&round, &[Check::Linearizability, Check::Order]);
}

#[test]
fn a_stale_read_that_no_revision_gives_away_is_found() {
    let mut round = sound();
    // The key was deleted directly before.
    answered(&mut round, Answer::Absent).answer = Answer::Found(entry("alice:5", 4));
    demand(&round, &[Check::Linearizability, Check::Order]);
}

#[test]
fn reads_that_see_two_overlapping_writes_in_different_orders_are_found() {
    let mut story = Story::default();
    let expect = Expect::Anything;
    story
        .overlap(
            10,
            90,
            set("/r/1", "alice:1", expect.clone()),
            Answer::Written(1),
        )
        .overlap(10, 90, set("/r/1", "alice:2", expect), Answer::Written(2))
        .overlap(20, 30, get("/r/1"), Answer::Found(entry("alice:2", 2)))
        .overlap(40, 50, get("/r/1"), Answer::Found(entry("alice:1", 1)));
    demand(&story.round, &[Check::Linearizability, Check::Order]);
}

#[test]
fn a_read_of_the_future_is_found() {
    let mut story = Story::default();
    story
        .tell(get("/r/1"), Answer::Found(entry("alice:1", 1)))
        .tell(set("/r/1", "alice:1", Expect::Anything), Answer::Written(1));
    demand(&story.round, &[Check::Linearizability, Check::Order]);
}

#[test]
fn a_lost_update_is_found() {
    let mut round = sound();
    // Two requests replace the same revision.
    insert(
        &mut round,
        Answer::Written(2),
        set("/r/1", "alice:16", Expect::Revision(1)),
        Answer::Written(23),
    );
    demand(&round, &[Check::Linearizability, Check::Order]);
}

#[test]
fn an_acknowledged_write_that_a_kill_lost_is_found() {
    let mut round = sound();
    after(&mut round).insert("/r/1".into(), entry("alice:1", 1));
    demand(&round, &[Check::Linearizability, Check::Order]);

    let mut round = sound();
    after(&mut round).remove("/res/a");
    demand(&round, &[Check::Linearizability, Check::Order]);
}

#[test]
fn a_deletion_that_comes_undone_is_found() {
    let mut round = sound();
    after(&mut round).insert("/r/2".into(), entry("alice:5", 4));
    demand(&round, &[Check::Linearizability, Check::Order]);
}

#[test]
fn a_folder_that_is_deleted_by_halves_is_found() {
    let mut round = sound();
    after(&mut round).insert("/d/1/b".into(), entry("alice:7", 11));
    demand(&round, &[Check::Linearizability, Check::Order]);
}

#[test]
fn a_batch_that_is_seen_by_halves_is_found() {
    let mut story = Story::default();
    let batch = Call::Batch {
        conditions: Vec::new(),
        changes: ["/r/1", "/r/2"]
            .map(|key| {
                let change = Change::Set("alice:1".into());
                (key.into(), change)
            })
            .into(),
    };
    let listed = [("/r/1".into(), entry("alice:1", 1))].into();
    story
        .overlap(10, 90, batch, Answer::Done(1, vec![None, None]))
        .overlap(20, 30, Call::List("/r/".into()), Answer::Listed(listed));
    story.round.watches = vec![Watch {
        prefix: "/".into(),
        since: 0,
        until: 1,
        events: ["/r/1", "/r/2"]
            .map(|key| Event {
                revision: 1,
                key: key.into(),
                kind: EventKind::Put,
                value: Some("alice:1".into()),
                put: None,
            })
            .into(),
    }];
    assert_eq!(
        linear::check(&story.round).1.len(),
        0,
        "each key alone is right"
    );
    demand(&story.round, &[Check::Order]);
}

#[test]
fn a_revision_that_is_given_twice_is_found() {
    let mut round = sound();
    answered(&mut round, Answer::Written(11)).answer = Answer::Written(10);
    demand(&round, &[Check::Order]);
}

#[test]
fn an_order_of_revisions_against_real_time_is_found() {
    let mut story = Story::default();
    story
        .tell(set("/r/1", "alice:1", Expect::Anything), Answer::Written(2))
        .tell(set("/r/2", "alice:2", Expect::Anything), Answer::Written(1));
    assert_eq!(
        linear::check(&story.round).1.len(),
        0,
        "each key alone is right"
    );
    demand(&story.round, &[Check::Order]);
}

#[test]
fn an_answer_that_the_interface_does_not_have_is_found() {
    let mut round = sound();
    answered(&mut round, Answer::Absent).answer = Answer::Odd(500, "oops".into());
    demand(&round, &[Check::Answers]);
}

#[test]
fn a_lost_request_may_have_happened_or_not_but_not_be_seen_and_then_be_gone() {
    let both = [
        vec![Answer::Absent, Answer::Absent],
        vec![Answer::Absent, Answer::Found(entry("alice:1", 1))],
        vec![Answer::Found(entry("alice:1", 1)); 2],
    ];
    for answers in both {
        let mut story = Story::default();
        story.tell(set("/r/1", "alice:1", Expect::Anything), Answer::Lost);
        for answer in answers {
            story.tell(get("/r/1"), answer);
        }
        story.round.user = "alice".into();
        assert_eq!(finders(&story.round), []);
    }
    let mut story = Story::default();
    story
        .tell(set("/r/1", "alice:1", Expect::Anything), Answer::Lost)
        .tell(get("/r/1"), Answer::Found(entry("alice:1", 1)))
        .tell(get("/r/1"), Answer::Absent);
    demand(&story.round, &[Check::Linearizability]);
}
