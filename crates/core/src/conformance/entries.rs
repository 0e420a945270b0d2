//! Reads return the value and the metadata that were set.

use super::shorthand::{add, delete, job, poll_once, seconds, set};
use super::space::alice;
use super::{START, Subject};
use crate::clock::Clock;
use crate::commit::Outcome;
use crate::limits::{DEFAULT_VALUE_BYTES, MAX_COMMIT_OPERATIONS, MAX_KEY_BYTES};

pub async fn a_key_that_was_never_set_is_absent(subject: &dyn Subject) {
    let alice = alice(subject);
    assert_eq!(alice.get("/a").await, None);
    alice.set("/ab", "1").await;
    alice.set("/a/b", "1").await;
    assert_eq!(alice.get("/a").await, None, "similar keys don't count");
}

pub async fn a_new_entry_says_who_wrote_it_and_when(subject: &dyn Subject) {
    let now = subject.clock().now();
    let alice = alice(subject).by("job-1");
    let committed = alice.commit(vec![set("/a", "one")]).await;
    assert_eq!(committed.outcomes, [Outcome::Set { created: true }]);
    let entry = alice.entry("/a").await;
    assert_eq!(entry.value.as_bytes(), "one");
    assert_eq!(entry.metadata.revision, committed.revision);
    assert_eq!(entry.metadata.created, now);
    assert_eq!(entry.metadata.modified, now);
    assert_eq!(entry.metadata.job, Some(job("job-1")));
    assert_eq!(entry.metadata.expires, None);
    assert_eq!(entry.metadata.claimed_until, None);
    assert_eq!(entry.metadata.size, 3);
}

pub async fn replacing_keeps_the_creation_and_moves_the_modification(subject: &dyn Subject) {
    let alice = alice(subject);
    let born = subject.clock().now();
    alice.by("job-1").set("/a", "one").await;
    subject.clock().advance(seconds(5));
    let committed = alice.by("job-2").commit(vec![set("/a", "three")]).await;
    assert_eq!(committed.outcomes, [Outcome::Set { created: false }]);
    let metadata = alice.entry("/a").await.metadata;
    assert_eq!(metadata.created, born);
    assert_eq!(metadata.modified, born.after(seconds(5)));
    assert_eq!(metadata.job, Some(job("job-2")));
    assert_eq!(metadata.size, 5);
    alice.set("/a", "").await;
    assert_eq!(alice.entry("/a").await.metadata.job, None, "nobody's job");
}

pub async fn a_key_deleted_and_set_again_is_a_new_one(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.set("/a", "1").await;
    alice.delete("/a").await;
    subject.clock().advance(seconds(1));
    let outcome = alice.apply(set("/a", "1")).await;
    assert_eq!(outcome, Outcome::Set { created: true });
    let now = subject.clock().now();
    assert_eq!(alice.entry("/a").await.metadata.created, now);
}

pub async fn nothing_is_modified_before_it_was_created(subject: &dyn Subject) {
    let alice = alice(subject);
    let later = START.after(seconds(600));
    subject.clock().set(later);
    alice.set("/set", "1").await;
    alice.add("/added", 1).await;
    alice.set("/claimed", "1").await;
    // The clock of another server, or of this one after a restart.
    subject.clock().set(START);
    alice.set("/set", "2").await;
    alice.add("/added", 1).await;
    alice.claim("/claimed", seconds(9)).await.unwrap();
    for name in ["/set", "/added", "/claimed"] {
        let metadata = alice.entry(name).await.metadata;
        assert_eq!(
            (metadata.created, metadata.modified),
            (later, later),
            "{name}"
        );
    }
}

pub async fn revisions_grow_also_after_everything_was_deleted(subject: &dyn Subject) {
    let alice = alice(subject);
    let first = alice.set("/a", "1").await;
    let second = alice.set("/a", "1").await;
    assert!(second > first, "the same value again is a commit too");
    let other = alice.set("/b", "1").await;
    assert!(other > second);
    alice.delete_prefix("/").await;
    let emptied = alice.usage().await.revision;
    assert!(emptied > other);
    subject.sweep().await;
    assert!(alice.set("/a", "1").await > emptied);
}

pub async fn a_commit_has_one_revision_however_many_keys_it_touches(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.set("/gone", "1").await;
    let batch = vec![set("/a", "1"), add("/b", 2), delete("/gone")];
    let revision = alice.commit(batch).await.revision;
    assert_eq!(alice.entry("/a").await.metadata.revision, revision);
    assert_eq!(alice.entry("/b").await.metadata.revision, revision);
    assert_eq!(alice.usage().await.revision, revision);
}

pub async fn any_bytes_come_back_exactly(subject: &dyn Subject) {
    let alice = alice(subject);
    let every_byte: Vec<u8> = (0..=255).collect();
    let largest: Vec<u8> = every_byte
        .iter()
        .rev()
        .copied()
        .cycle()
        .take(DEFAULT_VALUE_BYTES)
        .collect();
    let values: [&[u8]; 8] = [
        b"",
        b"\0",
        b"\0\0\0",
        b"\xff\xfe",
        b"\n",
        b"not \xc3 UTF-8",
        &every_byte,
        &largest,
    ];
    for (number, bytes) in values.into_iter().enumerate() {
        alice.set(&format!("/{number}"), bytes.to_vec()).await;
    }
    for (number, bytes) in values.into_iter().enumerate() {
        let entry = alice.entry(&format!("/{number}")).await;
        assert_eq!(entry.value.as_bytes(), bytes);
        assert_eq!(entry.metadata.size, bytes.len());
    }
}

pub async fn keys_are_told_apart_by_their_bytes(subject: &dyn Subject) {
    let alice = alice(subject);
    let longest = format!("/{}", "k".repeat(MAX_KEY_BYTES - 1));
    let last_byte_differs = format!("{}j", &longest[..MAX_KEY_BYTES - 1]);
    let keys = [
        "/a",
        "/A",
        "/ a",
        "/a ",
        "/%61",
        "/é",
        "/e\u{301}",
        "/🦀",
        "/-",
        "/...",
        "/a?b#c",
        "/\u{80}",
        "/\u{10ffff}",
        "/a\\b",
        "/\"",
        "/*",
        "/~",
        &longest[..2],
        &longest,
        &last_byte_differs,
    ];
    for name in keys {
        alice.set(name, name.to_owned()).await;
    }
    for name in keys {
        assert_eq!(alice.read(name).await.as_deref(), Some(name.as_bytes()));
    }
    let mut listed = keys.map(str::to_owned).to_vec();
    listed.sort_unstable();
    assert_eq!(alice.list("/").await, listed);
}

pub async fn a_full_batch_is_taken_and_answered_in_order(subject: &dyn Subject) {
    let alice = alice(subject);
    let names: Vec<_> = (0..MAX_COMMIT_OPERATIONS)
        .rev()
        .map(|n| format!("/{n:03}"))
        .collect();
    alice.set(&names[0], "there").await;
    alice.set(&names[1], "5").await;
    alice.set(&names[2], "there").await;
    let mut batch = vec![
        set(&names[0], "new"),
        add(&names[1], 2),
        delete(&names[2]),
        delete(&names[3]),
    ];
    batch.extend(names[4..].iter().map(|name| set(name, "new")));
    let outcomes = alice.commit(batch).await.outcomes;
    assert_eq!(outcomes.len(), MAX_COMMIT_OPERATIONS);
    let odd = [
        Outcome::Set { created: false },
        Outcome::Added(7),
        Outcome::Deleted(1),
        Outcome::Deleted(0),
    ];
    assert_eq!(outcomes[..4], odd);
    for outcome in &outcomes[4..] {
        assert_eq!(*outcome, Outcome::Set { created: true });
    }
}

pub async fn a_commit_whose_future_was_dropped_is_never_half_done(subject: &dyn Subject) {
    let alice = alice(subject);
    for round in 0..20 {
        let (left, right) = (format!("/{round}/l"), format!("/{round}/r"));
        {
            let operations = vec![set(&left, "1"), set(&right, "1")];
            let mut commit = Box::pin(alice.attempt(vec![], operations));
            let _ = poll_once(&mut commit).await;
        }
        // A later commit is executed after the dropped one, whatever queue the engine has.
        alice.set("/after", "1").await;
        let shown = alice.list(&format!("/{round}/")).await;
        assert!(shown.is_empty() || shown == [left, right], "{shown:?}");
    }
}

pub async fn a_store_that_answers_says_that_it_is_ready(subject: &dyn Subject) {
    subject.store().ready().await.unwrap();
    alice(subject).set("/a", "1").await;
    subject.store().ready().await.unwrap();
}
