//! Faults of waits and barriers.

use prominence_tests::history::check::{Check, check};
use prominence_tests::history::operation::{
    Answer, Barrier, Call, Entry, Event, EventKind, Expect, Round, Watch,
};

use super::{answered, demand};
use crate::sound::{SECOND, Story, entry, set};

/// The time for which the clients of these histories wait.
const WAITS: u64 = 10 * SECOND;

fn wait(unlike: Option<u64>) -> Call {
    Call::Wait {
        key: "/e/1".into(),
        unlike,
        within: WAITS,
    }
}

fn barrier(at_least: u64) -> Call {
    Call::Count {
        prefix: "/d/1/".into(),
        barrier: Some(Barrier {
            at_least,
            within: WAITS,
        }),
    }
}

fn first() -> Entry {
    entry("alice:1", 1)
}

fn second() -> Entry {
    entry("alice:2", 2)
}

/// Clients wait for a key to exist, to change and to change again, and for a folder to have two keys.
fn sound() -> Round {
    let mut story = Story::default();
    story.round.user = "alice".into();
    let puts = [
        ("/e/1", "alice:1"),
        ("/e/1", "alice:2"),
        ("/d/1/a", "alice:3"),
        ("/d/1/b", "alice:4"),
    ];
    // Each put ends the wait that has begun a second before.
    let held = [
        (wait(None), Answer::Found(first())),
        (wait(Some(1)), Answer::Found(second())),
        (barrier(1), Answer::Counted(1)),
        (barrier(2), Answer::Counted(2)),
    ];
    for (revision, ((key, value), (call, answer))) in (1..).zip(puts.into_iter().zip(held)) {
        let now = story.now() + 10;
        let put = set(key, value, Expect::Anything);
        story.overlap(now, now + SECOND + 9, call, answer).overlap(
            now + SECOND,
            now + SECOND + 5,
            put,
            Answer::Written(revision),
        );
    }
    let now = story.now() + 10;
    story
        .overlap(now, now + WAITS, wait(Some(2)), Answer::Unchanged)
        .overlap(now + 1, now + WAITS + 1, barrier(3), Answer::Counted(2));
    let events = (1..).zip(puts).map(|(revision, (key, value))| Event {
        revision,
        key: key.into(),
        kind: EventKind::Put,
        value: Some(value.into()),
        put: None,
    });
    story.round.watches.push(Watch {
        prefix: "/".into(),
        since: 0,
        until: 4,
        events: events.collect(),
    });
    story.round
}

#[test]
fn nothing_is_found_where_who_waits_is_told_at_once() {
    let (size, findings) = check(&sound());
    assert_eq!((size.held, findings), (6, Vec::new()));
}

#[test]
fn a_lost_wake_up_is_found() {
    for answer in [
        Answer::Found(first()),
        Answer::Found(second()),
        Answer::Counted(1),
    ] {
        let mut round = sound();
        // It still ends before its time is over, since the server read the state once more.
        answered(&mut round, answer).end += 5 * SECOND;
        demand(&round, &[Check::Held]);
    }
}

#[test]
fn a_wait_in_vain_for_what_was_there_is_found() {
    let mut round = sound();
    let lost = answered(&mut round, Answer::Found(first()));
    lost.answer = Answer::Absent;
    lost.end = lost.start + WAITS;
    demand(&round, &[Check::Held, Check::Order, Check::Linearizability]);

    let mut round = sound();
    let lost = answered(&mut round, Answer::Found(second()));
    lost.answer = Answer::Unchanged;
    lost.end = lost.start + WAITS;
    demand(&round, &[Check::Held, Check::Order, Check::Linearizability]);
}

#[test]
fn a_wake_up_may_be_late_where_the_server_stood_still() {
    let mut round = sound();
    let late = answered(&mut round, Answer::Found(second()));
    late.end += 5 * SECOND;
    let end = late.end;
    round.disturbed.push((end - 5 * SECOND, end - SECOND));
    assert_eq!(check(&round).1, []);
    // A later end is not allowed.
    round.disturbed[0].1 = end - 4 * SECOND;
    demand(&round, &[Check::Held]);
}

#[test]
fn a_wait_that_gives_up_before_its_time_is_found() {
    let mut round = sound();
    answered(&mut round, Answer::Unchanged).end -= SECOND;
    demand(&round, &[Check::Held]);

    let mut round = sound();
    let last = round.records.last_mut().unwrap();
    last.end -= SECOND;
    demand(&round, &[Check::Held]);
}

#[test]
fn a_wait_that_is_told_of_no_change_is_found() {
    let mut round = sound();
    answered(&mut round, Answer::Unchanged).answer = Answer::Found(second());
    demand(&round, &[Check::Held]);
}

#[test]
fn a_wait_that_is_told_what_is_past_is_found() {
    let mut round = sound();
    let unchanged = answered(&mut round, Answer::Unchanged);
    unchanged.call = wait(Some(1));
    demand(&round, &[Check::Order, Check::Linearizability]);
}

#[test]
fn a_barrier_that_opens_too_early_is_found() {
    let mut round = sound();
    answered(&mut round, Answer::Counted(1)).call = barrier(2);
    demand(&round, &[Check::Held]);
}

#[test]
fn a_barrier_that_opens_for_keys_that_are_not_there_is_found() {
    let mut round = sound();
    let last = round.records.last_mut().unwrap();
    last.answer = Answer::Counted(3);
    demand(&round, &[Check::Order]);
}
