//! Sets with a write id: a repetition is recognized.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use super::Subject;
use super::shorthand::{assert_mismatch, release, seconds, set, when, write_id};
use super::space::{alice, space};
use crate::commit::{Outcome, Precondition};
use crate::error::Mismatch;

pub async fn a_set_repeated_with_its_id_is_answered_as_done(subject: &dyn Subject) {
    let alice = alice(subject);
    let first = alice
        .set_once("1", Precondition::Absent, "/a", "one")
        .await
        .unwrap();
    assert_eq!(first.outcomes, [Outcome::Set { created: true }]);
    let done = |created, revision| [Outcome::AlreadySet { created, revision }];
    alice.set("/other", "1").await;
    let before = alice.entry("/a").await;
    assert_eq!(before.metadata.write_id, Some(write_id("1")));
    let again = alice.set_once("1", Precondition::Absent, "/a", "one").await;
    assert_eq!(again.unwrap().outcomes, done(true, first.revision));
    assert_eq!(alice.entry("/a").await, before);

    let expect = || Precondition::Revision(first.revision);
    let second = alice.set_once("2", expect(), "/a", "two").await.unwrap();
    assert_eq!(second.outcomes, [Outcome::Set { created: false }]);
    let latest = alice.set("/other", "2").await;
    let again = alice.set_once("2", expect(), "/a", "two").await.unwrap();
    assert_eq!(again.outcomes, done(false, second.revision));
    assert_eq!(alice.usage().await.revision, latest);
    assert_eq!(alice.read("/a").await.as_deref(), Some(&b"two"[..]));
}

pub async fn a_repetition_after_a_claim_leaves_the_claim(subject: &dyn Subject) {
    let alice = alice(subject);
    // The first condition fails in the repetition, the second one holds.
    for (expect, created) in [(Precondition::Absent, true), (Precondition::Present, false)] {
        alice
            .set_once("1", expect.clone(), "/w/a", "1")
            .await
            .unwrap();
        let (_, claimed) = alice.claim("/w/", seconds(60)).await.unwrap();
        assert_eq!(claimed.metadata.write_id, Some(write_id("1")));
        let again = alice.set_once("1", expect.clone(), "/w/a", "1").await;
        let revision = claimed.metadata.revision;
        let done = Outcome::AlreadySet { created, revision };
        assert_eq!(again.unwrap().outcomes, [done]);
        assert_eq!(alice.entry("/w/a").await, claimed);
        alice.apply(release("/w/a")).await;
        let released = alice.entry("/w/a").await;
        assert_eq!(released.metadata.write_id, Some(write_id("1")));
        let again = alice.set_once("1", expect, "/w/a", "1").await;
        let revision = released.metadata.revision;
        let done = Outcome::AlreadySet { created, revision };
        assert_eq!(again.unwrap().outcomes, [done]);
        alice.set("/w/a", "another value").await;
    }
}

pub async fn another_id_or_none_fails_like_any_condition(subject: &dyn Subject) {
    let alice = alice(subject);
    let absent = || Precondition::Absent;
    let first = alice.set_once("1", absent(), "/a", "1").await.unwrap();
    let refused = alice.set_once("2", absent(), "/a", "2").await;
    assert_mismatch(refused, "/a", Mismatch::Exists(first.revision));
    let elsewhere = alice.set_once("1", absent(), "/b", "1").await.unwrap();
    let created = [Outcome::Set { created: true }];
    assert_eq!(
        elsewhere.outcomes, created,
        "the id of another key does not count"
    );
    let refused = alice.attempt(vec![when("/a", absent())], vec![set("/a", "2")]);
    assert_mismatch(refused.await, "/a", Mismatch::Exists(first.revision));
    let other = space(subject, "bob");
    let bobs = other.set_once("1", absent(), "/a", "his").await.unwrap();
    assert_eq!(
        bobs.outcomes, created,
        "the id of another user does not count"
    );
}

pub async fn a_write_id_goes_with_the_value_that_it_stored(subject: &dyn Subject) {
    let alice = alice(subject);
    let absent = || Precondition::Absent;
    let refused = async |found| {
        let again = alice.set_once("1", absent(), "/a", "1").await;
        assert_mismatch(again, "/a", found);
        assert_eq!(alice.entry("/a").await.metadata.write_id, None);
    };
    let created = [Outcome::Set { created: true }];
    let first = alice.set_once("1", absent(), "/a", "1").await.unwrap();
    assert_eq!(first.outcomes, created);
    let replaced = alice.set("/a", "2").await;
    refused(Mismatch::Exists(replaced)).await;
    alice.delete("/a").await;
    let anew = alice.set_once("1", absent(), "/a", "1").await.unwrap();
    assert_eq!(
        anew.outcomes, created,
        "the id of a deleted key does not count"
    );
    alice.add("/a", 1).await;
    let revision = alice.entry("/a").await.metadata.revision;
    refused(Mismatch::Exists(revision)).await;
    alice.lend("/a", "2", seconds(10)).await;
    subject.clock().advance(seconds(10));
    let anew = alice.set_once("1", absent(), "/a", "1").await.unwrap();
    assert_eq!(anew.outcomes, created);
}

pub async fn a_repetition_at_the_same_time_is_recognized(subject: &dyn Subject) {
    let alice = alice(subject);
    for number in 0..20 {
        let name = format!("/{number}");
        let set = || alice.set_once("1", Precondition::Absent, &name, "1");
        let (one, other) = both(set(), set()).await;
        let (one, other) = (one.unwrap(), other.unwrap());
        let revision = alice.entry(&name).await.metadata.revision;
        let first = vec![Outcome::Set { created: true }];
        let created = true;
        let again = vec![Outcome::AlreadySet { created, revision }];
        let told = [one.outcomes, other.outcomes];
        assert!(
            told == [first.clone(), again.clone()] || told == [again, first],
            "{told:?}"
        );
    }
}

/// Waits for two futures that run at the same time.
async fn both<A: Future, B: Future>(one: A, other: B) -> (A::Output, B::Output) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut first, mut second) = (None, None);
    poll_fn(|context| {
        if first.is_none()
            && let Poll::Ready(output) = one.as_mut().poll(context)
        {
            first = Some(output);
        }
        if second.is_none()
            && let Poll::Ready(output) = other.as_mut().poll(context)
        {
            second = Some(output);
        }
        match (first.take(), second.take()) {
            (Some(one), Some(other)) => Poll::Ready((one, other)),
            (one, other) => {
                (first, second) = (one, other);
                Poll::Pending
            }
        }
    })
    .await
}
