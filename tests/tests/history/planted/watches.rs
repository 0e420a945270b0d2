//! Faults of watches.

use prominence_tests::history::check::{Check, check};
use prominence_tests::history::operation::{Answer, Event, EventKind, Round};

use super::demand;
use crate::sound::sound;

pub(super) fn event(round: &mut Round, watch: usize, revision: u64) -> &mut Event {
    let events = &mut round.watches[watch].events;
    let found = events.iter_mut().find(|event| event.revision == revision);
    found.expect("the watch has this event")
}

#[test]
fn a_phantom_event_of_a_watch_is_found() {
    let mut round = sound();
    let phantom = Event {
        revision: 8,
        key: "/r/7".into(),
        kind: EventKind::Put,
        value: Some("alice:77".into()),
        put: None,
    };
    round.watches[0].events.insert(8, phantom.clone());
    demand(&round, &[Check::Order]);

    let mut round = sound();
    round.watches[1].events.insert(5, phantom);
    demand(&round, &[Check::Watches]);
}

#[test]
fn a_missing_event_of_a_watch_is_found() {
    for revision in [1, 2, 4, 5] {
        let mut round = sound();
        round.watches[1]
            .events
            .retain(|event| event.revision != revision);
        demand(&round, &[Check::Watches]);
    }
    // The watch of all keys is compared with the answers.
    for revision in [1, 5, 7, 12, 16, 19, 20] {
        let mut round = sound();
        round.watches[0]
            .events
            .retain(|event| event.revision != revision);
        demand(&round, &[Check::Order]);
    }
}

#[test]
fn events_of_a_watch_that_are_out_of_order_are_found() {
    let mut round = sound();
    round.watches[1].events.swap(1, 2);
    demand(&round, &[Check::Watches]);
}

#[test]
fn an_event_that_a_watch_tells_twice_is_found() {
    let mut round = sound();
    let twice = event(&mut round, 0, 6).clone();
    round.watches[0].events.insert(6, twice);
    demand(&round, &[Check::Watches]);
}

#[test]
fn a_watch_that_tells_of_another_value_is_found() {
    let mut round = sound();
    event(&mut round, 1, 4).value = Some("alice:4".into());
    demand(&round, &[Check::Watches]);
}

#[test]
fn a_value_that_one_watch_tells_and_another_one_came_too_late_for_is_not_found() {
    let mut round = sound();
    // The answer was lost, so only the watches show the value.
    let added = Answer::Sum(2, 7);
    let lost = round.records.iter_mut().find(|one| one.answer == added);
    lost.unwrap().answer = Answer::Lost;
    event(&mut round, 0, 7).value = None;
    let mut counters = round.watches[0].clone();
    counters.prefix = "/c/".into();
    counters.events.retain(|event| event.key.starts_with("/c/"));
    let told = counters.events.iter_mut().find(|event| event.revision == 7);
    told.unwrap().value = Some("2".into());
    round.watches.push(counters);
    assert_eq!(check(&round).1, []);

    // All watches must have the same value.
    let mut third = round.watches[2].clone();
    let told = third.events.iter_mut().find(|event| event.revision == 7);
    told.unwrap().value = Some("3".into());
    round.watches.push(third);
    demand(&round, &[Check::Order, Check::Watches]);
}
