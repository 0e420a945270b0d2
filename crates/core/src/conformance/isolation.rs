//! Namespaces are separate, whatever their names.

use super::Subject;
use super::shorthand::{poll_once, seconds, told};
use super::space::{Space, space};
use crate::change::Cursor;
use crate::limits::MAX_NAMESPACE_BYTES;
use crate::scan::Visibility;
use crate::store::Usage;

/// Names that are prefixes of each other, look like keys, or differ only in invisible characters.
fn odd_names() -> Vec<String> {
    let mut names = [
        "alice",
        "alice2",
        "alic",
        "Alice",
        "alice ",
        " alice",
        "alice/a",
        "alice/",
        "/alice",
        "/",
        "a/b",
        "a",
        "a b",
        "..",
        ".",
        "%61lice",
        "🦀",
        "🦀🦀",
        "é",
        "e\u{301}",
        "\u{80}",
        "\u{10ffff}",
        "_internal_",
        "~",
        "!",
    ]
    .map(str::to_owned)
    .to_vec();
    names.push("n".repeat(MAX_NAMESPACE_BYTES));
    names.push("n".repeat(MAX_NAMESPACE_BYTES - 1));
    names
}

/// Keys that begin like the rest of some names.
const KEYS: [&str; 4] = ["/a", "/a/b", "/b", "/lice"];

async fn odd_spaces(subject: &dyn Subject) -> Vec<(String, Space<'_>)> {
    let mut spaces = Vec::new();
    for name in odd_names() {
        let space = space(subject, &name);
        for key in KEYS {
            space.set(key, format!("{name} {key}")).await;
        }
        spaces.push((name, space));
    }
    spaces
}

pub async fn each_namespace_has_its_own_values(subject: &dyn Subject) {
    for (name, space) in odd_spaces(subject).await {
        for key in KEYS {
            let wanted = format!("{name} {key}");
            assert_eq!(space.read(key).await.unwrap(), wanted, "{name:?}");
        }
    }
}

pub async fn each_namespace_lists_and_counts_its_own_keys(subject: &dyn Subject) {
    for (name, space) in odd_spaces(subject).await {
        assert_eq!(space.list("/").await, KEYS, "{name:?}");
        assert_eq!(space.level("/").await, ["/a", "/a/", "/b", "/lice"]);
        assert_eq!(space.count("/", Visibility::All).await, 4, "{name:?}");
        let keys: usize = KEYS.iter().map(|key| key.len()).sum();
        let values: usize = KEYS.iter().map(|key| name.len() + 1 + key.len()).sum();
        let usage = space.usage().await;
        assert_eq!(usage.keys, 4, "{name:?}");
        assert_eq!(usage.bytes, (keys + values) as u64, "{name:?}");
    }
}

pub async fn a_namespace_that_was_never_written_to_is_empty(subject: &dyn Subject) {
    odd_spaces(subject).await;
    for name in ["alice3", "al", "b", "alice/a/b", "🦀/", "nobody"] {
        let space = space(subject, name);
        assert_eq!(space.usage().await, Usage::default(), "{name:?}");
        assert!(space.list("/").await.is_empty(), "{name:?}");
        assert_eq!(space.get("/a").await, None, "{name:?}");
    }
}

pub async fn deleting_everything_of_one_leaves_the_others(subject: &dyn Subject) {
    let spaces = odd_spaces(subject).await;
    for emptied in 0..spaces.len() {
        assert_eq!(spaces[emptied].1.delete_prefix("/").await, 4);
        for (index, (name, space)) in spaces.iter().enumerate() {
            let left = if index <= emptied { 0 } else { 4 };
            assert_eq!(space.list("/").await.len(), left, "{name:?}");
            assert_eq!(space.usage().await.keys, left as u64, "{name:?}");
        }
    }
}

pub async fn each_namespace_has_its_own_log(subject: &dyn Subject) {
    for (name, space) in odd_spaces(subject).await {
        let history = space.history("/", Cursor::START).await;
        let wanted = KEYS.map(|key| format!("put {key}"));
        assert_eq!(told(&history), wanted, "{name:?}");
    }
}

pub async fn a_claim_takes_from_its_own_namespace(subject: &dyn Subject) {
    let (alice, alice2) = (space(subject, "alice"), space(subject, "alice2"));
    alice2.set("/w/1", "1").await;
    assert_eq!(alice.claim("/", seconds(60)).await, None);
    alice.set("/w/1", "1").await;
    assert!(alice.claim("/w/", seconds(60)).await.is_some());
    let other = alice2.entry("/w/1").await.metadata;
    assert_eq!(other.claimed_until, None);
}

pub async fn a_sweep_of_one_leaves_the_others(subject: &dyn Subject) {
    let (alice, alice2) = (space(subject, "alice"), space(subject, "alice2"));
    alice.lend("/a", "1", seconds(1)).await;
    alice2.lend("/a", "1", seconds(2)).await;
    let written = alice2.usage().await;
    subject.clock().advance(seconds(1));
    subject.sweep().await;
    assert_eq!(alice.get("/a").await, None);
    assert!(alice2.get("/a").await.is_some());
    assert_eq!(alice2.usage().await, written);
}

pub async fn waiting_readers_hear_of_their_own_namespace_alone(subject: &dyn Subject) {
    let (alice, alice2) = (space(subject, "alice"), space(subject, "alice2"));
    let mut waiting = Box::pin(alice.changes("/", Cursor::START));
    let mut waiting2 = Box::pin(alice2.changes("/", Cursor::START));
    assert!(poll_once(&mut waiting).await.is_pending());
    assert!(poll_once(&mut waiting2).await.is_pending());
    alice2.set("/theirs", "1").await;
    assert_eq!(told(&waiting2.await.0), ["put /theirs"]);
    assert!(poll_once(&mut waiting).await.is_pending());
    alice.set("/mine", "1").await;
    assert_eq!(told(&waiting.await.0), ["put /mine"]);
}
