//! Deletions of one key, or of all keys with a prefix.

use super::Subject;
use super::shorthand::{assert_other_count, delete, prefix, seconds, told};
use super::space::alice;
use crate::change::Cursor;
use crate::commit::{Operation, Outcome};
use crate::scan::Visibility;
use crate::store::Usage;

pub async fn a_deleted_key_is_gone_from_everything(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.set("/a", "1").await;
    alice.set("/b", "1").await;
    let before = alice.usage().await.revision;
    let deleted = alice.commit(vec![delete("/a")]).await;
    assert_eq!(deleted.outcomes, [Outcome::Deleted(1)]);
    assert!(deleted.revision > before);
    assert_eq!(alice.get("/a").await, None);
    assert_eq!(alice.list("/").await, ["/b"]);
    assert_eq!(alice.count("/", Visibility::All).await, 1);
    assert_eq!(alice.usage().await.keys, 1);
}

pub async fn deleting_nothing_is_no_error_and_uses_no_revision(subject: &dyn Subject) {
    let alice = alice(subject);
    let none = alice.commit(vec![delete("/a")]).await;
    assert_eq!(none.outcomes, [Outcome::Deleted(0)]);
    assert_eq!(none.revision, Usage::default().revision);
    let latest = alice.set("/a/b", "1").await;
    let everything = Operation::delete_prefix(prefix("/b"));
    for operations in [vec![delete("/a"), delete("/b")], vec![everything]] {
        let wanted = vec![Outcome::Deleted(0); operations.len()];
        let none = alice.commit(operations).await;
        assert_eq!(none.outcomes, wanted);
        assert_eq!(none.revision, latest, "nothing changed");
    }
    assert_eq!(alice.usage().await.revision, latest);
    assert_eq!(told(&alice.history("/", Cursor::START).await), ["put /a/b"]);
}

pub async fn deleting_a_key_leaves_what_lies_below_it(subject: &dyn Subject) {
    let alice = alice(subject);
    for name in ["/a", "/a/b", "/a/b/c", "/ab"] {
        alice.set(name, "1").await;
    }
    assert_eq!(alice.delete("/a").await, 1);
    assert_eq!(alice.delete("/a").await, 0);
    assert_eq!(alice.delete("/a/b").await, 1);
    assert_eq!(alice.list("/").await, ["/a/b/c", "/ab"]);
}

pub async fn a_prefix_is_deleted_as_a_string_and_its_neighbours_stay(subject: &dyn Subject) {
    let alice = alice(subject);
    let keys = [
        "/i", "/im", "/in", "/in!", "/in/a", "/in/b/c", "/in0", "/input", "/in🦀", "/io", "/IN",
        "/x/in",
    ];
    for name in keys {
        alice.set(name, "1").await;
    }
    assert_eq!(alice.delete_prefix("/in/").await, 2);
    assert_eq!(alice.delete_prefix("/in/").await, 0);
    assert_eq!(alice.delete_prefix("/in").await, 5);
    let left = ["/IN", "/i", "/im", "/io", "/x/in"];
    assert_eq!(alice.list("/").await, left);
    assert_eq!(alice.delete_prefix("/").await, 5);
    assert!(alice.list("/").await.is_empty());
}

pub async fn a_prefix_is_deleted_with_what_listings_hide(subject: &dyn Subject) {
    let alice = alice(subject);
    let hidden = ["/a/_internal_", "/a/_internal_/x", "/a/b/_internal_/y"];
    for name in hidden.into_iter().chain(["/a/c", "/_internal_/z"]) {
        alice.set(name, "1").await;
    }
    assert_eq!(alice.delete_prefix("/a/").await, 4);
    for name in hidden {
        assert_eq!(alice.get(name).await, None, "{name}");
    }
    assert_eq!(alice.usage().await.keys, 1);
    assert_eq!(alice.delete_prefix("/").await, 1);
    assert_eq!(alice.usage().await.keys, 0);
}

pub async fn a_prefix_is_deleted_only_with_the_number_of_keys_that_is_demanded(
    subject: &dyn Subject,
) {
    let alice = alice(subject);
    alice.fill(&["/a/1", "/a/2", "/b"].map(str::to_owned)).await;
    alice.set("/a/_internal_/x", "1").await;
    alice.lend("/a/3", "1", seconds(1)).await;
    subject.clock().advance(seconds(1));
    let delete_if = async |text, wanted| {
        let delete = Operation::DeletePrefix {
            prefix: prefix(text),
            if_count: Some(wanted),
        };
        alice.attempt(vec![], vec![delete]).await
    };
    // Hidden keys count, as they would be deleted, and expired ones don't.
    for (text, wanted, found) in [
        ("/a/", 0, 3),
        ("/a/", 2, 3),
        ("/a/", 4, 3),
        ("/c", 1, 0),
        ("/", 3, 4),
    ] {
        assert_other_count(delete_if(text, wanted).await, text, found);
    }
    assert_eq!(alice.usage().await.keys, 4);
    let nothing = delete_if("/c", 0).await.unwrap();
    assert_eq!(nothing.outcomes, [Outcome::Deleted(0)]);
    let deleted = delete_if("/a/", 3).await.unwrap();
    assert_eq!(deleted.outcomes, [Outcome::Deleted(3)]);
    assert_eq!(alice.list("/").await, ["/b"]);
    assert_other_count(delete_if("/a/", 3).await, "/a/", 0);
}

pub async fn a_large_prefix_is_deleted_only_with_the_number_of_keys_that_is_demanded(
    subject: &dyn Subject,
) {
    let alice = alice(subject);
    let keys: Vec<_> = (0..1_500).map(|n| format!("/many/{n:04}")).collect();
    alice.fill(&keys).await;
    let latest = alice.set("/many", "stays").await;
    let delete_if = async |wanted| {
        let delete = Operation::DeletePrefix {
            prefix: prefix("/many/"),
            if_count: Some(wanted),
        };
        alice.attempt(vec![], vec![delete]).await
    };
    for wanted in [0, 1, 1_499, 1_501] {
        assert_other_count(delete_if(wanted).await, "/many/", 1_500);
    }
    assert_eq!(alice.count("/", Visibility::All).await, 1_501);
    assert_eq!(alice.usage().await.revision, latest);
    alice.delete("/many/0000").await;
    assert_other_count(delete_if(1_500).await, "/many/", 1_499);
    let deleted = delete_if(1_499).await.unwrap();
    assert_eq!(deleted.outcomes, [Outcome::Deleted(1_499)]);
    assert_eq!(alice.list("/").await, ["/many"]);
}

pub async fn a_large_prefix_is_deleted_in_one_commit(subject: &dyn Subject) {
    let alice = alice(subject);
    let keys: Vec<_> = (0..1_500).map(|n| format!("/many/{n:04}")).collect();
    alice.fill(&keys).await;
    alice.set("/many", "stays").await;
    let filled = alice.usage().await.revision;
    let prefix = prefix("/many/");
    let deleted = alice.commit(vec![Operation::delete_prefix(prefix)]).await;
    assert_eq!(deleted.outcomes, [Outcome::Deleted(1_500)]);
    assert_eq!(alice.list("/").await, ["/many"]);
    let history = alice.history("/many/", Cursor::after(filled)).await;
    assert_eq!(history.len(), keys.len());
    for (change, name) in history.iter().zip(&keys) {
        assert_eq!(change.at.revision, deleted.revision);
        assert_eq!(change.key.as_str(), name);
    }
}
