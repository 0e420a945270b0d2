//! Work items: claims, their renewal, release and end.

use super::Subject;
use super::shorthand::{
    MILLISECOND, assert_mismatch, job, prefix as under, release, renew, seconds, set, told, when,
};
use super::space::{Space, alice};
use crate::change::{Cause, Change, ChangeKind, Cursor, Put, PutState};
use crate::clock::Clock;
use crate::commit::{Operation, Outcome, Precondition};
use crate::error::Mismatch;

async fn with_work<'a>(subject: &'a dyn Subject, names: &[&str]) -> Space<'a> {
    let alice = alice(subject);
    for name in names {
        alice.set(name, (*name).to_owned()).await;
    }
    alice
}

pub async fn the_first_free_key_in_order_is_taken(subject: &dyn Subject) {
    let alice = with_work(subject, &["/w/b", "/w/a/z", "/w/c", "/v", "/x"]).await;
    for wanted in ["/w/a/z", "/w/b", "/w/c"] {
        let taken = alice.claim_name("/w/", seconds(60)).await;
        assert_eq!(taken.as_deref(), Some(wanted));
    }
    assert_eq!(alice.claim("/w/", seconds(60)).await, None);
    let other = alice.claim_name("/", seconds(60)).await;
    assert_eq!(other.as_deref(), Some("/v"), "a wider prefix has more");
}

pub async fn a_claim_gives_the_entry_and_leaves_its_value(subject: &dyn Subject) {
    let alice = alice(subject);
    let born = subject.clock().now();
    alice.by("writer").set("/w/a", "input").await;
    subject.clock().advance(seconds(1));
    let (name, entry) = alice
        .by("worker")
        .claim("/w/", seconds(60))
        .await
        .expect("there is work");
    assert_eq!(name, "/w/a");
    assert_eq!(entry, alice.entry("/w/a").await, "reading it is as usual");
    assert_eq!(entry.value.as_bytes(), "input");
    let until = subject.clock().now().after(seconds(60));
    assert_eq!(entry.metadata.claimed_until, Some(until));
    assert_eq!(entry.metadata.revision, alice.usage().await.revision);
    assert_eq!(entry.metadata.created, born);
    assert_eq!(
        entry.metadata.modified, born,
        "a claim does not set the value"
    );
    assert_eq!(entry.metadata.job, Some(job("writer")));
    assert_eq!(entry.metadata.size, 5);
}

pub async fn nothing_to_take_says_when_the_first_claim_runs_out(subject: &dyn Subject) {
    let alice = with_work(subject, &["/w/a", "/w/b", "/v/a"]).await;
    let now = subject.clock().now();
    for (prefix, hold) in [("/w/", 60), ("/w/", 30), ("/v/", 5)] {
        assert!(alice.claim(prefix, seconds(hold)).await.is_some());
    }
    for (prefix, until) in [
        ("/w/", Some(now.after(seconds(30)))),
        ("/", Some(now.after(seconds(5)))),
        ("/u/", None),
    ] {
        let claim = Operation::Claim {
            prefix: under(prefix),
            hold: seconds(60),
        };
        assert_eq!(alice.apply(claim).await, Outcome::NoneFree { until });
    }
}

pub async fn nothing_to_take_changes_nothing(subject: &dyn Subject) {
    let alice = alice(subject);
    assert_eq!(alice.claim("/", seconds(1)).await, None);
    let latest = alice.set("/x", "1").await;
    assert_eq!(alice.claim("/w/", seconds(1)).await, None);
    assert_eq!(alice.usage().await.revision, latest);
}

pub async fn a_claim_runs_out_at_its_instant(subject: &dyn Subject) {
    let alice = with_work(subject, &["/w/a"]).await;
    alice.claim("/w/", seconds(10)).await.unwrap();
    subject.clock().advance(seconds(10) - MILLISECOND);
    assert_eq!(alice.claim("/w/", seconds(10)).await, None);
    subject.clock().advance(MILLISECOND);
    let again = alice.claim_name("/w/", seconds(10)).await;
    assert_eq!(again.as_deref(), Some("/w/a"));
}

pub async fn a_live_claim_is_renewed_from_now_on(subject: &dyn Subject) {
    let alice = with_work(subject, &["/w/a"]).await;
    let (_, claimed) = alice.claim("/w/", seconds(10)).await.unwrap();
    subject.clock().advance(seconds(9));
    let mine = vec![when(
        "/w/a",
        Precondition::Revision(claimed.metadata.revision),
    )];
    let until = subject.clock().now().after(seconds(10));
    let renewed = alice
        .attempt(mine.clone(), vec![renew("/w/a", seconds(10))])
        .await
        .unwrap();
    assert_eq!(renewed.outcomes, [Outcome::Renewed(until)]);
    let metadata = alice.entry("/w/a").await.metadata;
    assert_eq!(metadata.claimed_until, Some(until));
    assert_eq!(metadata.revision, renewed.revision);
    let refused = alice.attempt(mine, vec![renew("/w/a", seconds(10))]).await;
    assert_mismatch(refused, "/w/a", Mismatch::Revision(renewed.revision));
    subject.clock().advance(seconds(9));
    assert_eq!(alice.claim("/w/", seconds(1)).await, None);
    let until = subject.clock().now().after(seconds(2));
    let shorter = alice.apply(renew("/w/a", seconds(2))).await;
    assert_eq!(
        shorter,
        Outcome::Renewed(until),
        "counted from now, not from its old end"
    );
    subject.clock().advance(seconds(2));
    assert!(alice.claim("/w/", seconds(1)).await.is_some());
}

pub async fn a_released_key_is_free_at_once(subject: &dyn Subject) {
    let alice = with_work(subject, &["/w/a"]).await;
    alice.claim("/w/", seconds(60)).await.unwrap();
    assert_eq!(alice.apply(release("/w/a")).await, Outcome::Released);
    let entry = alice.entry("/w/a").await;
    assert_eq!(entry.metadata.claimed_until, None);
    assert_eq!(entry.value.as_bytes(), "/w/a");
    let again = alice.claim_name("/w/", seconds(60)).await;
    assert_eq!(again.as_deref(), Some("/w/a"));
}

pub async fn a_claim_that_ran_out_is_neither_renewed_nor_released(subject: &dyn Subject) {
    let alice = with_work(subject, &["/w/a", "/w/never"]).await;
    alice.claim("/w/", seconds(10)).await.unwrap();
    subject.clock().advance(seconds(10));
    for name in ["/w/a", "/w/never"] {
        let before = alice.entry(name).await;
        for operation in [renew(name, seconds(1)), release(name)] {
            let refused = alice.attempt(vec![], vec![operation]).await;
            assert_mismatch(refused, name, Mismatch::NotClaimed);
        }
        assert_eq!(alice.entry(name).await, before);
    }
    for operation in [renew("/w/gone", seconds(1)), release("/w/gone")] {
        let refused = alice.attempt(vec![], vec![operation]).await;
        assert_mismatch(refused, "/w/gone", Mismatch::Missing);
    }
}

pub async fn setting_a_key_clears_its_claim(subject: &dyn Subject) {
    let alice = with_work(subject, &["/w/a"]).await;
    alice.claim("/w/", seconds(60)).await.unwrap();
    alice.set("/w/a", "again").await;
    assert_eq!(alice.entry("/w/a").await.metadata.claimed_until, None);
    let refused = alice.attempt(vec![], vec![release("/w/a")]).await;
    assert_mismatch(refused, "/w/a", Mismatch::NotClaimed);
    assert!(alice.claim("/w/", seconds(60)).await.is_some());
    alice.delete("/w/a").await;
    alice.set("/w/a", "anew").await;
    assert!(alice.claim("/w/", seconds(60)).await.is_some());
}

pub async fn a_claim_does_not_keep_a_key_from_expiring_or_being_deleted(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.lend("/w/a", "1", seconds(10)).await;
    let end = subject.clock().now().after(seconds(10));
    let (_, claimed) = alice.claim("/w/", seconds(60)).await.unwrap();
    assert_eq!(claimed.metadata.expires, Some(end), "the lifetime is kept");
    subject.clock().advance(seconds(10));
    assert_eq!(alice.get("/w/a").await, None);
    alice.set("/w/b", "1").await;
    alice.claim("/w/", seconds(60)).await.unwrap();
    assert_eq!(alice.delete("/w/b").await, 1);
}

pub async fn hidden_keys_are_taken_only_by_a_prefix_that_reaches_inside(subject: &dyn Subject) {
    let names = ["/_internal_/a", "/w/_internal_/b", "/w/x"];
    let alice = with_work(subject, &names).await;
    let take = async |text| alice.claim_name(text, seconds(60)).await;
    assert_eq!(take("/").await.as_deref(), Some("/w/x"));
    assert_eq!(take("/").await, None);
    assert_eq!(take("/w/_internal_").await, None);
    let inside = take("/w/_internal_/").await;
    assert_eq!(inside.as_deref(), Some("/w/_internal_/b"));
}

pub async fn claims_renewals_and_releases_are_logged_as_writes(subject: &dyn Subject) {
    let alice = alice(subject);
    let written = alice.set("/w/a", "12345").await;
    let worker = alice.by("worker");
    worker.claim("/w/", seconds(60)).await.unwrap();
    worker.apply(renew("/w/a", seconds(60))).await;
    worker.apply(release("/w/a")).await;
    let history = alice.history("/", Cursor::after(written)).await;
    assert_eq!(told(&history), ["put /w/a"; 3]);
    for change in history {
        assert_eq!(change.job, Some(job("worker")));
        let ChangeKind::Put(put) = change.kind else {
            panic!("{:?} is no write", change.kind);
        };
        assert_eq!(put.size, 5);
    }
}

pub async fn claims_are_counted_until_the_value_is_set(subject: &dyn Subject) {
    let alice = with_work(subject, &["/w/a"]).await;
    let claims = async || alice.entry("/w/a").await.metadata.claims;
    assert_eq!(claims().await, 0);
    alice.claim("/w/", seconds(10)).await.unwrap();
    alice.apply(renew("/w/a", seconds(10))).await;
    assert_eq!(claims().await, 1, "a renewal does not count as a claim");
    subject.clock().advance(seconds(10));
    let (_, second) = alice.claim("/w/", seconds(10)).await.unwrap();
    assert_eq!(second.metadata.claims, 2, "the first claim ended");
    alice.apply(release("/w/a")).await;
    assert_eq!(claims().await, 2);
    let (_, third) = alice.claim("/w/", seconds(10)).await.unwrap();
    assert_eq!(third.metadata.claims, 3);
    alice.set("/w/a", "1").await;
    assert_eq!(claims().await, 0);
    alice.claim("/w/", seconds(10)).await.unwrap();
    alice.add("/w/a", 1).await;
    assert_eq!(claims().await, 0);
}

pub async fn a_claim_names_the_job_that_holds_it(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.by("writer").set("/w/a", "1").await;
    let metadata = async || alice.entry("/w/a").await.metadata;
    let (_, entry) = alice.by("one").claim("/w/", seconds(10)).await.unwrap();
    assert_eq!(entry.metadata.claimed_by, Some(job("one")));
    assert_eq!(entry.metadata.job, Some(job("writer")));
    alice.by("two").apply(renew("/w/a", seconds(10))).await;
    assert_eq!(metadata().await.claimed_by, Some(job("one")));
    let now = subject.clock().now();
    assert_eq!(metadata().await.holder(now), Some(&job("one")));
    subject.clock().advance(seconds(10));
    let now = subject.clock().now();
    assert_eq!(metadata().await.holder(now), None, "the claim ended");
    alice.claim("/w/", seconds(10)).await.unwrap();
    assert_eq!(metadata().await.claimed_by, None, "its token names no job");
    alice.apply(release("/w/a")).await;
    alice.by("three").claim("/w/", seconds(10)).await.unwrap();
    alice.apply(release("/w/a")).await;
    assert_eq!(metadata().await.claimed_by, None);
    alice.by("four").claim("/w/", seconds(10)).await.unwrap();
    alice.by("writer").set("/w/a", "2").await;
    assert_eq!(metadata().await.claimed_by, None);
}

pub async fn the_log_tells_claims_from_sets_and_how_the_entry_is_afterwards(subject: &dyn Subject) {
    let alice = alice(subject);
    let born = subject.clock().now();
    alice.lend("/w/a", "12345", seconds(100)).await;
    let state = |cause, held_for: Option<u64>, claims| PutState {
        cause,
        created: born,
        expires: Some(born.after(seconds(100))),
        claimed_until: held_for.map(|hold| subject.clock().now().after(seconds(hold))),
        claimed_by: held_for.map(|_| job("one")),
        claims,
    };
    let mut wanted = vec![state(Cause::Set, None, 0)];
    subject.clock().advance(seconds(1));
    alice.by("one").claim("/w/", seconds(10)).await.unwrap();
    wanted.push(state(Cause::Claim, Some(10), 1));
    subject.clock().advance(seconds(1));
    alice.by("two").apply(renew("/w/a", seconds(20))).await;
    wanted.push(state(Cause::Renew, Some(20), 1));
    alice.apply(release("/w/a")).await;
    wanted.push(state(Cause::Release, None, 1));
    subject.clock().advance(seconds(1));
    alice.set("/w/a", "6").await;
    wanted.push(PutState {
        expires: None,
        ..state(Cause::Set, None, 0)
    });
    alice.add("/w/n", 1).await;
    wanted.push(PutState {
        created: subject.clock().now(),
        expires: None,
        ..state(Cause::Set, None, 0)
    });
    let history = alice.history("/w/", Cursor::START).await;
    let told: Vec<_> = history.into_iter().filter_map(state_told).collect();
    assert_eq!(told, wanted);
}

/// The logged metadata of a change that wrote an entry.
fn state_told(change: Change) -> Option<PutState> {
    match change.kind {
        ChangeKind::Put(Put { state, .. }) => state,
        ChangeKind::Delete | ChangeKind::Expire => None,
    }
}

pub async fn two_claims_can_be_renewed_in_one_commit_or_not_at_all(subject: &dyn Subject) {
    let alice = with_work(subject, &["/w/a", "/w/b", "/w/c"]).await;
    alice.claim("/w/", seconds(10)).await.unwrap();
    alice.claim("/w/", seconds(10)).await.unwrap();
    let until = subject.clock().now().after(seconds(20));
    let both = vec![renew("/w/a", seconds(20)), renew("/w/b", seconds(20))];
    let renewed = alice.commit(both).await;
    assert_eq!(renewed.outcomes, vec![Outcome::Renewed(until); 2]);
    let one_too_many = vec![release("/w/a"), release("/w/c"), set("/w/d", "1")];
    let refused = alice.attempt(vec![], one_too_many).await;
    assert_mismatch(refused, "/w/c", Mismatch::NotClaimed);
    assert_eq!(alice.get("/w/d").await, None);
    let kept = alice.entry("/w/a").await.metadata.claimed_until;
    assert_eq!(kept, Some(until));
}
