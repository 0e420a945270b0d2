//! Faults of counters, work items and locks, and of the separation of users.

use prominence_tests::history::check::Check;
use prominence_tests::history::isolation;
use prominence_tests::history::operation::{Answer, Call, Cause, EventKind, Expect, Round};

use super::watches::event;
use super::{after, answered, demand, finders, insert};
use crate::sound::{SECOND, Story, claimed, entry, fenced_write, get, lock, put, sound};

#[test]
fn a_counter_that_is_off_by_one_is_found() {
    let mut round = sound();
    answered(&mut round, Answer::Sum(2, 7)).answer = Answer::Sum(1, 7);
    demand(
        &round,
        &[Check::Linearizability, Check::Order, Check::Counters],
    );

    let mut round = sound();
    after(&mut round).insert("/c/1".into(), entry("5", 9));
    demand(&round, &[Check::Linearizability, Check::Counters]);
}

/// The end of the first claim of the item.
fn first_claim(round: &mut Round) -> &mut u64 {
    let mut untils = round
        .records
        .iter_mut()
        .filter_map(|one| match &mut one.answer {
            Answer::Claimed { until, .. } => Some(until),
            _ => None,
        });
    untils.next().expect("the item was claimed")
}

#[test]
fn a_double_claim_is_found() {
    let mut round = sound();
    *first_claim(&mut round) += 10 * SECOND;
    demand(&round, &[Check::Claims]);
}

#[test]
fn a_claim_that_is_miscounted_or_told_as_another_change_is_found() {
    // The second claim of the item, its first one, and a set.
    for (revision, told) in [
        (19, put(Cause::Claim, 1)),
        (19, put(Cause::Renew, 2)),
        (18, put(Cause::Set, 0)),
        (17, put(Cause::Set, 1)),
        (2, put(Cause::Release, 0)),
    ] {
        let mut round = sound();
        event(&mut round, 0, revision).put = Some(told);
        demand(&round, &[Check::Claims]);
    }
    let mut round = sound();
    let mut answers = round.records.iter_mut().map(|one| &mut one.answer);
    let Some(Answer::Claimed { claims, .. }) =
        answers.find(|answer| matches!(answer, Answer::Claimed { .. }))
    else {
        panic!("the item was claimed");
    };
    *claims = Some(2);
    demand(&round, &[Check::Claims]);
}

#[test]
fn an_item_that_is_done_twice_is_found() {
    let mut round = sound();
    let old = Call::Delete("/w/1".into(), Expect::Revision(18));
    let mut late = round.records.iter_mut().filter(|one| one.call == old);
    late.next().unwrap().answer = Answer::Deleted(1);
    demand(&round, &[Check::Claims, Check::Order]);
}

#[test]
fn an_item_that_comes_back_after_it_was_done_is_found() {
    let mut round = sound();
    answered(&mut round, Answer::Nothing).answer = claimed("/w/1", "alice:13", 23, 100 * SECOND);
    demand(&round, &[Check::Claims]);
}

#[test]
fn an_item_that_vanishes_undone_is_found() {
    let mut round = sound();
    round
        .records
        .retain(|one| one.call != Call::Delete("/w/1".into(), Expect::Revision(19)));
    demand(&round, &[Check::Claims]);
}

#[test]
fn a_write_of_an_old_lock_holder_that_was_taken_is_found() {
    let mut round = sound();
    insert(
        &mut round,
        Answer::Done(16, vec![None]),
        fenced_write(13, "alice:17"),
        Answer::Done(23, vec![None]),
    );
    demand(
        &round,
        &[Check::Fencing, Check::Order, Check::Linearizability],
    );
}

#[test]
fn a_lock_that_two_hold_at_once_is_found() {
    let mut story = Story::default();
    story
        .tell(lock("alice:1"), Answer::Written(1))
        .tell(lock("alice:2"), Answer::Written(2));
    demand(&story.round, &[Check::Linearizability]);
}

#[test]
fn a_lock_that_is_there_after_its_time_is_found() {
    let mut story = Story::default();
    story
        .tell(lock("alice:1"), Answer::Written(1))
        .pass(2 * SECOND)
        .tell(get("/lock/a"), Answer::Found(entry("alice:1", 1)));
    demand(&story.round, &[Check::Linearizability]);
}

#[test]
fn what_ends_early_or_late_by_as_much_as_clocks_differ_is_not_found_and_more_is() {
    let ends = |after: u64, disagreement: u64| {
        let mut story = Story::default();
        story.round.user = "alice".into();
        story.round.disagreement = disagreement;
        // One server answers that the key has expired, and another one that it still exists.
        story
            .tell(lock("alice:1"), Answer::Written(1))
            .pass(after)
            .tell(get("/lock/a"), Answer::Absent)
            .tell(get("/lock/a"), Answer::Found(entry("alice:1", 1)));
        finders(&story.round)
    };
    let half = SECOND / 2;
    assert_eq!(ends(SECOND, half), []);
    assert_eq!(ends(SECOND - half, half), []);
    assert_eq!(ends(SECOND + half - 100, half), []);
    for (after, disagreement) in [
        (SECOND, 0),
        (SECOND - half - 100, half),
        (SECOND + half, half),
    ] {
        assert_eq!(ends(after, disagreement), [Check::Linearizability]);
    }

    let mut round = sound();
    // Two seconds pass before it is claimed again.
    *first_claim(&mut round) += SECOND + half;
    demand(&round, &[Check::Claims]);
    round.disagreement = half + SECOND / 10;
    assert_eq!(finders(&round), []);
}

#[test]
fn a_value_of_another_user_is_found() {
    let mut round = sound();
    answered(&mut round, Answer::Found(entry("alice:2", 2))).answer =
        Answer::Found(entry("alice2:2", 2));
    demand(&round, &[Check::Isolation]);

    let mut round = sound();
    event(&mut round, 1, 2).value = Some("alice2:2".into());
    demand(&round, &[Check::Isolation]);
}

#[test]
fn the_end_of_a_key_that_the_user_never_had_is_found() {
    let mut round = sound();
    let told = event(&mut round, 1, 2);
    told.key = "/lock/z".into();
    told.kind = EventKind::Expire;
    told.value = None;
    let (_, findings) = isolation::check(&round);
    assert_eq!(findings.len(), 1, "{findings:?}");
    // A key that expired in an earlier round may be removed only now.
    round.expiring.push("/lock/z".into());
    let (_, findings) = isolation::check(&round);
    assert!(findings.is_empty(), "{findings:?}");
}
