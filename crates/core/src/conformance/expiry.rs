//! No read shows an entry from its time of expiry on, whether or not the engine has removed it.

use super::Subject;
use super::shorthand::{
    MILLISECOND, assert_mismatch, delete, release, renew, seconds, set, set_for, told, value, when,
};
use super::space::{Space, alice};
use crate::change::Cursor;
use crate::clock::Clock;
use crate::commit::{Lifetime, Outcome, Precondition};
use crate::error::Mismatch;
use crate::scan::Visibility;
use crate::time::Timestamp;

/// Asserts that no read shows `/t/a` any more, and that `/t/b` still exists.
async fn assert_gone(alice: &Space<'_>) {
    assert_eq!(alice.get("/t/a").await, None);
    assert_eq!(alice.list("/").await, ["/t/b"]);
    assert_eq!(alice.level("/t/").await, ["/t/b"]);
    assert_eq!(alice.count("/t/", Visibility::Listed).await, 1);
    assert_eq!(alice.count("/", Visibility::All).await, 1);
    let usage = alice.usage().await;
    assert_eq!((usage.keys, usage.bytes), (1, 5));
}

pub async fn an_entry_is_there_until_just_before_its_instant(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.lend("/t/a", "1", seconds(10)).await;
    alice.set("/t/b", "1").await;
    let end = subject.clock().now().after(seconds(10));
    assert_eq!(alice.entry("/t/a").await.metadata.expires, Some(end));
    subject.clock().advance(seconds(10) - MILLISECOND);
    subject.sweep().await;
    assert_eq!(alice.list("/").await, ["/t/a", "/t/b"]);
    assert_eq!(alice.entry("/t/a").await.value.as_bytes(), "1");
    assert_eq!(alice.count("/", Visibility::All).await, 2);
    assert_eq!(alice.usage().await.keys, 2);
}

pub async fn an_entry_is_gone_from_its_very_instant_on(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.lend("/t/a", "1", seconds(10)).await;
    alice.set("/t/b", "1").await;
    subject.clock().advance(seconds(10));
    assert_gone(&alice).await;
    subject.sweep().await;
    assert_gone(&alice).await;
    subject.clock().advance(seconds(1));
    assert_gone(&alice).await;
}

pub async fn a_folder_is_gone_with_the_last_key_in_it(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.lend("/a/x", "1", seconds(1)).await;
    alice.lend("/a/y", "1", seconds(2)).await;
    subject.clock().advance(seconds(1));
    assert_eq!(alice.level("/").await, ["/a/"]);
    subject.clock().advance(seconds(1));
    assert!(alice.level("/").await.is_empty());
}

pub async fn an_expired_key_is_absent_to_conditions(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.lend("/a", "1", seconds(1)).await;
    let revision = alice.entry("/a").await.metadata.revision;
    subject.clock().advance(seconds(1));
    for expect in [
        Precondition::Present,
        Precondition::Revision(revision),
        Precondition::Value(value("1")),
    ] {
        let refused = alice.attempt(vec![when("/a", expect)], vec![set("/b", "1")]);
        assert_mismatch(refused.await, "/a", Mismatch::Missing);
    }
    let create = vec![when("/a", Precondition::Absent)];
    let committed = alice.attempt(create, vec![set("/a", "2")]).await.unwrap();
    assert_eq!(committed.outcomes, [Outcome::Set { created: true }]);
    let metadata = alice.entry("/a").await.metadata;
    assert_eq!(metadata.created, subject.clock().now());
}

pub async fn an_expired_key_can_not_be_deleted_or_claimed(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.lend("/w/a", "1", seconds(1)).await;
    alice.lend("/w/b", "1", seconds(1)).await;
    assert!(alice.claim("/w/", seconds(60)).await.is_some());
    subject.clock().advance(seconds(1));
    assert_eq!(alice.claim("/w/", seconds(1)).await, None);
    for operation in [renew("/w/a", seconds(1)), release("/w/a")] {
        let refused = alice.attempt(vec![], vec![operation]).await;
        assert_mismatch(refused, "/w/a", Mismatch::Missing);
    }
    assert_eq!(alice.apply(delete("/w/a")).await, Outcome::Deleted(0));
    assert_eq!(alice.delete_prefix("/w/").await, 0);
}

pub async fn overwriting_without_a_lifetime_makes_the_key_permanent(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.lend("/live", "1", seconds(1)).await;
    alice.lend("/late", "1", seconds(1)).await;
    alice.set("/live", "2").await;
    assert_eq!(alice.entry("/live").await.metadata.expires, None);
    subject.clock().advance(seconds(1));
    alice.set("/late", "2").await;
    subject.sweep().await;
    subject.clock().advance(seconds(1_000));
    subject.sweep().await;
    assert_eq!(alice.list("/").await, ["/late", "/live"]);
}

pub async fn overwriting_moves_the_instant_either_way(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.lend("/longer", "1", seconds(5)).await;
    alice.lend("/shorter", "1", seconds(50)).await;
    alice.lend("/longer", "1", seconds(50)).await;
    alice.lend("/shorter", "1", seconds(5)).await;
    subject.clock().advance(seconds(5));
    subject.sweep().await;
    assert_eq!(alice.list("/").await, ["/longer"]);
    subject.clock().advance(seconds(45));
    subject.sweep().await;
    assert!(alice.list("/").await.is_empty());
    assert_eq!(alice.usage().await.keys, 0);
}

pub async fn a_lifetime_until_the_past_leaves_nothing(subject: &dyn Subject) {
    let alice = alice(subject);
    let now = subject.clock().now();
    alice.set("/there", "1").await;
    let instants = [Timestamp::default(), now];
    for (name, instant) in ["/there", "/new"].into_iter().zip(instants) {
        alice
            .apply(set_for(name, "2", Lifetime::Until(instant)))
            .await;
        assert_eq!(alice.get(name).await, None);
    }
    let ended = set_for("/at-once", "1", Lifetime::For(seconds(0)));
    assert_eq!(alice.apply(ended).await, Outcome::Set { created: true });
    assert!(alice.list("/").await.is_empty());
    assert_eq!(alice.usage().await.keys, 0);
    subject.sweep().await;
    assert_eq!(alice.usage().await.keys, 0);
    assert_eq!(alice.usage().await.bytes, 0);
}

pub async fn a_lifetime_without_end_is_cut_and_does_not_wrap(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.lend("/a", "1", std::time::Duration::MAX).await;
    alice
        .apply(set_for("/b", "1", Lifetime::Until(Timestamp::MAX)))
        .await;
    for name in ["/a", "/b"] {
        let metadata = alice.entry(name).await.metadata;
        assert_eq!(metadata.expires, Some(Timestamp::MAX));
    }
    subject.sweep().await;
    assert_eq!(alice.list("/").await, ["/a", "/b"]);
}

pub async fn a_sweep_logs_each_expiry_once(subject: &dyn Subject) {
    let alice = alice(subject).by("job-1");
    alice.lend("/a", "1", seconds(1)).await;
    alice.lend("/b", "1", seconds(2)).await;
    alice.lend("/_internal_/c", "1", seconds(1)).await;
    let written = alice.usage().await.revision;
    subject.clock().advance(seconds(1));
    subject.sweep().await;
    subject.sweep().await;
    let history = alice.history("/", Cursor::after(written)).await;
    assert_eq!(told(&history), ["expire /a"]);
    assert_eq!(history[0].job, None, "no job makes an expiry");
    assert_eq!(history[0].time, subject.clock().now());
    let hidden = alice.history("/_internal_/", Cursor::after(written)).await;
    assert_eq!(told(&hidden), ["expire /_internal_/c"]);
    subject.clock().advance(seconds(1));
    subject.sweep().await;
    let history = alice.history("/", history[0].at).await;
    assert_eq!(told(&history), ["expire /b"]);
}

pub async fn an_expired_key_set_again_is_not_swept(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.lend("/a", "1", seconds(1)).await;
    subject.clock().advance(seconds(1));
    alice.lend("/a", "2", seconds(1)).await;
    let again = alice.entry("/a").await.metadata.revision;
    subject.sweep().await;
    assert_eq!(alice.read("/a").await.as_deref(), Some(&b"2"[..]));
    let history = alice.history("/", Cursor::after(again)).await;
    assert!(history.is_empty(), "{:?}", told(&history));
    subject.clock().advance(seconds(1));
    subject.sweep().await;
    let history = alice.history("/", Cursor::after(again)).await;
    assert_eq!(told(&history), ["expire /a"]);
}

pub async fn many_keys_that_end_at_once_are_all_swept(subject: &dyn Subject) {
    let alice = alice(subject);
    for batch in 0..15 {
        let lifetime = Lifetime::For(seconds(1));
        let keys = (0..100).map(|n| format!("/{batch:02}/{n:02}"));
        let operations = keys.map(|name| set_for(&name, "1", lifetime)).collect();
        alice.commit(operations).await;
    }
    let written = alice.usage().await.revision;
    subject.clock().advance(seconds(1));
    subject.sweep().await;
    let history = alice.history("/", Cursor::after(written)).await;
    assert_eq!(history.len(), 1_500);
    let keys: std::collections::BTreeSet<_> = history.iter().map(|one| &one.key).collect();
    assert_eq!(keys.len(), 1_500);
    assert!(told(&history).iter().all(|line| line.starts_with("expire")));
}
