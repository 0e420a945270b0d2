//! Conditional commits: executed as a whole, or not at all.

use super::Subject;
use super::shorthand::{
    add, assert_mismatch, assert_no_number, delete, prefix, seconds, set, value, when,
};
use super::space::{Space, alice};
use crate::change::Cursor;
use crate::commit::{Operation, Outcome, Precondition};
use crate::entry::Entry;
use crate::error::Mismatch;
use crate::store::Usage;

/// The whole state of a small namespace, as readers see it.
async fn picture(space: &Space<'_>) -> (Vec<(String, Entry)>, Usage) {
    let mut entries = Vec::new();
    for name in space.list("/").await {
        let entry = space.entry(&name).await;
        entries.push((name, entry));
    }
    (entries, space.usage().await)
}

pub async fn absent_holds_until_the_key_exists(subject: &dyn Subject) {
    let alice = alice(subject);
    let create = || vec![when("/a", Precondition::Absent)];
    let committed = alice.attempt(create(), vec![set("/a", "1")]).await.unwrap();
    assert_eq!(committed.outcomes, [Outcome::Set { created: true }]);
    assert_mismatch(
        alice.attempt(create(), vec![set("/a", "2")]).await,
        "/a",
        Mismatch::Exists(committed.revision),
    );
    assert_eq!(alice.read("/a").await.as_deref(), Some(&b"1"[..]));
    alice.delete("/a").await;
    alice.attempt(create(), vec![set("/a", "3")]).await.unwrap();
}

pub async fn present_holds_while_the_key_exists(subject: &dyn Subject) {
    let alice = alice(subject);
    let replace = || vec![when("/a", Precondition::Present)];
    let refused = alice.attempt(replace(), vec![set("/a", "1")]).await;
    assert_mismatch(refused, "/a", Mismatch::Missing);
    assert_eq!(alice.get("/a").await, None);
    alice.set("/a", "").await;
    let committed = alice
        .attempt(replace(), vec![set("/a", "2")])
        .await
        .unwrap();
    assert_eq!(committed.outcomes, [Outcome::Set { created: false }]);
}

pub async fn a_revision_holds_until_the_next_commit_to_the_key(subject: &dyn Subject) {
    let alice = alice(subject);
    let of = |revision| vec![when("/a", Precondition::Revision(revision))];
    let first = alice.set("/a", "1").await;
    alice.set("/b", "elsewhere").await;
    let second = alice
        .attempt(of(first), vec![set("/a", "2")])
        .await
        .unwrap();
    let refused = alice.attempt(of(first), vec![set("/a", "3")]).await;
    assert_mismatch(refused, "/a", Mismatch::Revision(second.revision));
    let deleted = alice.attempt(of(second.revision), vec![delete("/a")]).await;
    assert_eq!(deleted.unwrap().outcomes, [Outcome::Deleted(1)]);
    let refused = alice
        .attempt(of(second.revision), vec![set("/a", "4")])
        .await;
    assert_mismatch(refused, "/a", Mismatch::Missing);
    let again = alice.set("/a", "5").await;
    let refused = alice.attempt(of(second.revision), vec![delete("/a")]).await;
    assert_mismatch(refused, "/a", Mismatch::Revision(again));
}

pub async fn a_value_holds_only_where_every_byte_is_the_same(subject: &dyn Subject) {
    let alice = alice(subject);
    let of = |bytes: &'static [u8]| vec![when("/a", Precondition::Value(value(bytes)))];
    let refused = alice.attempt(of(b""), vec![set("/a", "1")]).await;
    assert_mismatch(refused, "/a", Mismatch::Missing);
    let revision = alice.set("/a", &b"x\0y\xff"[..]).await;
    let others: [&'static [u8]; 5] = [b"", b"x", b"x\0y", b"x\0y\xff\0", b"X\0y\xff"];
    for other in others {
        let refused = alice.attempt(of(other), vec![set("/a", "1")]).await;
        assert_mismatch(refused, "/a", Mismatch::Value(revision));
    }
    let taken = alice.attempt(of(b"x\0y\xff"), vec![set("/a", "")]).await;
    taken.unwrap();
    alice.attempt(of(b""), vec![set("/a", "1")]).await.unwrap();
}

pub async fn a_condition_may_stand_on_a_key_that_the_commit_leaves_alone(subject: &dyn Subject) {
    let alice = alice(subject);
    let lock = alice.set("/lock", "mine").await;
    let fenced = || vec![when("/lock", Precondition::Revision(lock))];
    let committed = alice.attempt(fenced(), vec![set("/data", "1")]).await;
    committed.unwrap();
    let entry = alice.entry("/lock").await;
    assert_eq!(
        entry.metadata.revision, lock,
        "a condition does not write its key"
    );
    let stolen = alice.set("/lock", "another's").await;
    let refused = alice.attempt(fenced(), vec![set("/data", "2")]).await;
    assert_mismatch(refused, "/lock", Mismatch::Revision(stolen));
    assert_eq!(alice.read("/data").await.as_deref(), Some(&b"1"[..]));
}

pub async fn one_failed_condition_leaves_everything_as_it_was(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.set("/a", "1").await;
    alice.set("/b", "2").await;
    let before = picture(&alice).await;
    let conditions = vec![
        when("/a", Precondition::Present),
        when("/c", Precondition::Absent),
        when("/b", Precondition::Value(value("3"))),
    ];
    let operations = vec![set("/a", "x"), delete("/b"), add("/n", 1), set("/c", "x")];
    let refused = alice.attempt(conditions, operations).await;
    let found = Mismatch::Value(alice.entry("/b").await.metadata.revision);
    assert_mismatch(refused, "/b", found);
    assert_eq!(picture(&alice).await, before);
}

pub async fn the_first_condition_that_fails_is_the_one_named(subject: &dyn Subject) {
    let alice = alice(subject);
    let conditions = vec![
        when("/a", Precondition::Absent),
        when("/c", Precondition::Present),
        when("/b", Precondition::Present),
    ];
    let refused = alice.attempt(conditions, vec![set("/a", "1")]).await;
    assert_mismatch(refused, "/c", Mismatch::Missing);
}

pub async fn one_value_that_is_no_number_leaves_everything_as_it_was(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.set("/text", "twelve").await;
    alice.set("/n", "1").await;
    let before = picture(&alice).await;
    let operations = vec![
        set("/a", "x"),
        add("/n", 1),
        delete("/gone"),
        add("/text", 1),
        set("/b", "x"),
    ];
    let refused = alice.attempt(vec![], operations).await;
    assert_no_number(refused, "/text");
    assert_eq!(picture(&alice).await, before);
    let history = alice.history("/", Cursor::START).await;
    assert_eq!(history.len(), 2, "the log has no refused commit");
}

pub async fn conditions_see_the_state_before_the_commit(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.set("/old", "1").await;
    let conditions = vec![
        when("/new", Precondition::Absent),
        when("/old", Precondition::Value(value("1"))),
    ];
    let operations = vec![set("/new", "1"), delete("/old")];
    alice.attempt(conditions, operations).await.unwrap();
    assert_eq!(alice.list("/").await, ["/new"]);
}

pub async fn a_deletion_of_a_prefix_and_a_claim_heed_conditions(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.set("/work/1", "1").await;
    let closed = || vec![when("/open", Precondition::Present)];
    let prefix = prefix("/work/");
    let clear = Operation::delete_prefix(prefix.clone());
    let take = Operation::Claim {
        prefix,
        hold: seconds(1),
    };
    for operation in [clear, take] {
        let refused = alice.attempt(closed(), vec![operation]).await;
        assert_mismatch(refused, "/open", Mismatch::Missing);
    }
    let metadata = alice.entry("/work/1").await.metadata;
    assert_eq!(metadata.claimed_until, None);
}
