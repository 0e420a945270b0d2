//! The log: changes are in order, and none is missing or repeated.

use std::collections::BTreeSet;
use std::task::Poll;

use super::Subject;
use super::shorthand::{add, delete, job, poll_once, prefix, seconds, set, set_for, told};
use super::space::{alice, space};
use crate::change::{Change, ChangeKind, Cursor};
use crate::clock::Clock;
use crate::commit::{Lifetime, Operation};
use crate::limits::MAX_CHANGES;

pub async fn the_log_tells_what_happened_in_order(subject: &dyn Subject) {
    let alice = alice(subject).by("job-1");
    let start = subject.clock().now();
    let set_at = alice.set("/a", "12345").await;
    subject.clock().advance(seconds(1));
    let added_at = alice.commit(vec![add("/n", 10)]).await.revision;
    subject.clock().advance(seconds(1));
    let deleted_at = alice.by("job-2").commit(vec![delete("/a")]).await.revision;
    let history = alice.history("/", Cursor::START).await;
    assert_eq!(told(&history), ["put /a", "put /n", "delete /a"]);
    let revisions: Vec<_> = history.iter().map(|change| change.at.revision).collect();
    assert_eq!(revisions, [set_at, added_at, deleted_at]);
    let size = |change: &Change| match &change.kind {
        ChangeKind::Put(put) => Some(put.size),
        ChangeKind::Delete | ChangeKind::Expire => None,
    };
    let sizes: Vec<_> = history.iter().map(size).collect();
    assert_eq!(sizes, [Some(5), Some(2), None]);
    let jobs: Vec<_> = history.iter().map(|change| change.job.clone()).collect();
    let (first, second) = (Some(job("job-1")), Some(job("job-2")));
    assert_eq!(jobs, [first.clone(), first, second]);
    let times: Vec<_> = history.iter().map(|change| change.time).collect();
    assert_eq!(times, [0, 1, 2].map(|passed| start.after(seconds(passed))));
}

pub async fn every_change_of_a_batch_is_told_once(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.set("/c", "1").await;
    let batch = vec![
        set("/b", "1"),
        delete("/c"),
        add("/a", 1),
        delete("/never"),
        set_for("/d", "1", Lifetime::For(seconds(1))),
    ];
    let committed = alice.commit(batch).await;
    let history = alice.history("/", Cursor::START).await;
    assert!(
        history[1..]
            .iter()
            .all(|one| one.at.revision == committed.revision)
    );
    let mut lines = told(&history[1..]);
    lines.sort_unstable();
    assert_eq!(lines, ["delete /c", "put /a", "put /b", "put /d"]);
}

pub async fn reading_resumes_exactly_after_any_change(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.set("/a", "1").await;
    alice
        .commit(vec![set("/b", "1"), set("/c", "1"), delete("/a")])
        .await;
    alice.set("/d", "1").await;
    alice.delete_prefix("/").await;
    let history = alice.history("/", Cursor::START).await;
    assert_eq!(history.len(), 8);
    for (seen, change) in (1..).zip(&history) {
        let rest = alice.history("/", change.at).await;
        assert_eq!(rest[..history.len() - seen], history[seen..]);
    }
    let rest = alice
        .history("/", Cursor::after(history[1].at.revision))
        .await;
    assert_eq!(told(&rest[..1]), ["put /d"], "after a commit as a whole");
}

pub async fn a_long_log_is_read_in_parts(subject: &dyn Subject) {
    let alice = alice(subject);
    let keys: Vec<_> = (0..MAX_CHANGES.get() + 500)
        .map(|n| format!("/many/{n:05}"))
        .collect();
    alice.fill(&keys).await;
    let prefix = prefix("/many/");
    let cleared = alice.commit(vec![Operation::delete_prefix(prefix)]).await;
    let mut cursor = Cursor::START;
    let mut lines = Vec::new();
    let mut parts = 0;
    while lines.len() < 2 * keys.len() {
        let (changes, next) = alice.changes("/", cursor).await;
        lines.extend(told(&changes));
        cursor = next;
        parts += 1;
    }
    assert!(parts > 2, "{parts} parts are too few for the limit");
    let puts = keys.iter().map(|name| format!("put {name}"));
    let deletions = keys.iter().map(|name| format!("delete {name}"));
    let wanted: Vec<_> = puts.chain(deletions).collect();
    assert_eq!(lines, wanted);
    assert!(cursor.revision >= cleared.revision);
}

pub async fn reading_stops_in_the_middle_of_a_large_commit_and_goes_on(subject: &dyn Subject) {
    let alice = alice(subject);
    let keys: Vec<_> = (0..MAX_CHANGES.get() * 2 + 100)
        .map(|n| format!("/many/{n:05}"))
        .collect();
    alice.fill(&keys).await;
    let filled = alice.usage().await.revision;
    alice.delete_prefix("/many/").await;
    for text in ["/", "/many/", "/many/01"] {
        let shown = keys.iter().filter(|name| name.starts_with(text));
        let mut cursor = Cursor::after(filled);
        let mut told = Vec::new();
        let wanted: Vec<_> = shown.cloned().collect();
        while told.len() < wanted.len() {
            let (changes, next) = alice.changes(text, cursor).await;
            told.extend(changes.into_iter().map(|change| change.key.to_string()));
            cursor = next;
        }
        assert_eq!(told, wanted, "{text}");
    }
}

pub async fn a_prefix_selects_what_is_told(subject: &dyn Subject) {
    let alice = alice(subject);
    for name in [
        "/a",
        "/a/b",
        "/ab",
        "/b",
        "/_internal_/x",
        "/a/_internal_/y",
    ] {
        alice.set(name, "1").await;
    }
    let lines = async |text| told(&alice.history(text, Cursor::START).await);
    assert_eq!(
        lines("/").await,
        ["put /a", "put /a/b", "put /ab", "put /b"]
    );
    assert_eq!(lines("/a").await, ["put /a", "put /a/b", "put /ab"]);
    assert_eq!(lines("/a/").await, ["put /a/b"]);
    assert_eq!(lines("/_internal_/").await, ["put /_internal_/x"]);
    assert_eq!(lines("/a/_internal_/").await, ["put /a/_internal_/y"]);
    assert!(lines("/c").await.is_empty());
}

pub async fn changes_that_do_not_match_are_passed_over(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.set("/wanted/1", "1").await;
    let noise: Vec<_> = (0..MAX_CHANGES.get() * 2)
        .map(|n| format!("/noise/{n}"))
        .collect();
    alice.fill(&noise).await;
    alice.set("/wanted/2", "1").await;
    let history = alice.history("/wanted/", Cursor::START).await;
    assert_eq!(told(&history), ["put /wanted/1", "put /wanted/2"]);
}

pub async fn a_reader_at_the_end_waits_and_is_woken(subject: &dyn Subject) {
    let alice = alice(subject);
    let latest = alice.set("/a", "1").await;
    let mut waiting = Box::pin(alice.changes("/", Cursor::after(latest)));
    for _ in 0..3 {
        assert!(poll_once(&mut waiting).await.is_pending());
    }
    alice.set("/b", "1").await;
    let (changes, next) = waiting.await;
    assert_eq!(told(&changes), ["put /b"]);
    assert_eq!(next, Cursor::after(changes[0].at.revision));
}

pub async fn a_reader_may_wait_in_a_namespace_that_is_still_empty(subject: &dyn Subject) {
    let alice = alice(subject);
    let mut waiting = Box::pin(alice.changes("/", Cursor::START));
    assert!(poll_once(&mut waiting).await.is_pending());
    alice.set("/a", "1").await;
    assert_eq!(told(&waiting.await.0), ["put /a"]);
}

pub async fn other_prefixes_and_namespaces_give_a_reader_nothing(subject: &dyn Subject) {
    let (alice, bob) = (alice(subject), space(subject, "bob"));
    let mut waiting = Box::pin(alice.changes("/a/", Cursor::START));
    assert!(poll_once(&mut waiting).await.is_pending());
    bob.set("/a/b", "1").await;
    alice.set("/a", "1").await;
    alice.set("/ab", "1").await;
    alice.set("/a/_internal_/x", "1").await;
    alice.delete("/a/b").await;
    assert!(poll_once(&mut waiting).await.is_pending());
    alice.set("/a/c", "1").await;
    // If an earlier change had woken the reader, it would have returned that change.
    assert_eq!(told(&waiting.await.0), ["put /a/c"]);
}

pub async fn an_expiry_wakes_a_reader_once_it_is_swept(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.lend("/a", "1", seconds(1)).await;
    let written = alice.usage().await.revision;
    let mut waiting = Box::pin(alice.changes("/", Cursor::after(written)));
    assert!(matches!(poll_once(&mut waiting).await, Poll::Pending));
    subject.clock().advance(seconds(1));
    subject.sweep().await;
    assert_eq!(told(&waiting.await.0), ["expire /a"]);
}

pub async fn a_reader_that_stops_waiting_takes_nothing_with_it(subject: &dyn Subject) {
    let alice = alice(subject);
    for _ in 0..3 {
        let mut waiting = Box::pin(alice.changes("/", Cursor::START));
        assert!(poll_once(&mut waiting).await.is_pending());
    }
    let mut waiting = Box::pin(alice.changes("/", Cursor::START));
    assert!(poll_once(&mut waiting).await.is_pending());
    alice.set("/a", "1").await;
    assert_eq!(told(&waiting.await.0), ["put /a"]);
}

pub async fn the_log_replayed_is_the_state(subject: &dyn Subject) {
    let alice = alice(subject);
    for round in 0..10 {
        let name = |n: usize| format!("/{}", (round * 7 + n) % 12);
        let lent = set_for(&name(1), "1", Lifetime::For(seconds(3)));
        let batch = vec![set(&name(0), "1"), lent, delete(&name(2)), add(&name(3), 0)];
        // Every value here is a number, so that no addition is refused.
        alice.commit(batch).await;
        subject.clock().advance(seconds(1));
        subject.sweep().await;
    }
    let mut replayed = BTreeSet::new();
    for change in alice.history("/", Cursor::START).await {
        let name = change.key.to_string();
        match change.kind {
            ChangeKind::Put(_) => {
                replayed.insert(name);
            }
            ChangeKind::Delete | ChangeKind::Expire => {
                assert!(replayed.remove(&name), "{name} was not there");
            }
        }
    }
    replayed.insert("/~end".into());
    assert_eq!(alice.list("/").await, Vec::from_iter(replayed));
}

pub async fn the_end_of_the_log_stands_behind_the_whole_commit(subject: &dyn Subject) {
    let alice = alice(subject);
    let both = alice.commit(vec![set("/a/1", "1"), set("/b/1", "1")]).await;
    for text in ["/a/", "/"] {
        let (_, next) = alice.changes(text, Cursor::START).await;
        assert_eq!(next, Cursor::after(both.revision), "{text}");
    }
    let keys: Vec<_> = (0..=MAX_CHANGES.get()).map(|n| format!("/c/{n}")).collect();
    alice.fill(&keys).await;
    alice.delete_prefix("/c/").await;
    let filled = alice.usage().await.revision;
    let before = crate::revision::Revision::new(filled.get() - 1);
    let (changes, next) = alice.changes("/c/", Cursor::after(before)).await;
    assert_eq!(changes.len(), MAX_CHANGES.get());
    assert!(
        !next.is_past(filled),
        "a change of the commit is left: {next:?}"
    );
    let (changes, next) = alice.changes("/c/", next).await;
    assert_eq!(changes.len(), 1);
    assert!(next.is_past(filled));
}
