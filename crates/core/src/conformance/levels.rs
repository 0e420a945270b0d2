//! Listings of one level, in which folders stand for deeper keys.

use super::Subject;
use super::shorthand::{key, limit, prefix, scan};
use super::space::{Space, alice};
use crate::scan::{Depth, Item, Projection, Scan};

async fn with_keys<'a>(subject: &'a dyn Subject, keys: &[&str]) -> Space<'a> {
    let alice = alice(subject);
    let keys: Vec<_> = keys.iter().map(|&name| name.to_owned()).collect();
    alice.fill(&keys).await;
    alice
}

fn level(text: &str) -> Scan {
    Scan {
        depth: Depth::OneLevel,
        ..scan(text)
    }
}

/// A key and a folder with the same name, and a key that sorts between them.
const TREE: [&str; 9] = [
    "/a", "/a-b", "/a/b", "/a/b/c", "/a/c", "/a0/x", "/b/c/d/e", "/b/c/f", "/c",
];

pub async fn deeper_keys_fold_into_one_folder(subject: &dyn Subject) {
    let alice = with_keys(subject, &TREE).await;
    let expected: [(&str, &[&str]); 8] = [
        ("/", &["/a", "/a-b", "/a/", "/a0/", "/b/", "/c"]),
        ("/a", &["/a", "/a-b", "/a/", "/a0/"]),
        ("/a/", &["/a/b", "/a/b/", "/a/c"]),
        ("/a/b", &["/a/b", "/a/b/"]),
        ("/b", &["/b/"]),
        ("/b/", &["/b/c/"]),
        ("/b/c/", &["/b/c/d/", "/b/c/f"]),
        ("/d", &[]),
    ];
    for (text, wanted) in expected {
        assert_eq!(alice.level(text).await, wanted, "{text}");
    }
}

pub async fn keys_on_the_level_tell_as_much_as_is_wanted(subject: &dyn Subject) {
    let alice = with_keys(subject, &TREE).await;
    let scan = Scan {
        projection: Projection::Entries,
        ..level("/a/")
    };
    let page = alice.page(&scan).await;
    let entry = async |name| Item::Entry(key(name), alice.entry(name).await);
    let wanted = [
        entry("/a/b").await,
        Item::Folder(prefix("/a/b/")),
        entry("/a/c").await,
    ];
    assert_eq!(page.items, wanted);
}

pub async fn pages_of_one_level_fold_each_folder_once(subject: &dyn Subject) {
    let alice = with_keys(subject, &TREE).await;
    for text in ["/", "/a", "/a/", "/b/c/"] {
        let whole = alice.level(text).await;
        for size in 1..=whole.len() + 1 {
            let scan = Scan {
                limit: limit(size),
                ..level(text)
            };
            let pages = alice.pages(scan.clone()).await;
            assert_eq!(pages.len(), whole.len().div_ceil(size), "{text} by {size}");
            assert_eq!(alice.names(scan).await, whole, "{text} by {size}");
        }
    }
}

pub async fn a_level_goes_on_after_a_key_or_a_folder(subject: &dyn Subject) {
    let alice = with_keys(subject, &TREE).await;
    let expected: [(&str, &str, &[&str]); 8] = [
        ("/", "/a", &["/a-b", "/a/", "/a0/", "/b/", "/c"]),
        ("/", "/a-b", &["/a/", "/a0/", "/b/", "/c"]),
        ("/", "/a/", &["/a0/", "/b/", "/c"]),
        ("/", "/b/", &["/c"]),
        // A folder sorts by its own name, so a key inside it sorts after it.
        ("/", "/a/b", &["/a0/", "/b/", "/c"]),
        ("/", "/b/c/d/e", &["/c"]),
        ("/a/", "/a/b", &["/a/b/", "/a/c"]),
        ("/b/", "/b/c/d", &[]),
    ];
    for (text, after, wanted) in expected {
        let scan = Scan {
            after: Some(prefix(after)),
            ..level(text)
        };
        assert_eq!(alice.names(scan).await, wanted, "{text} after {after}");
    }
}

pub async fn a_folder_shows_only_where_something_visible_is_inside(subject: &dyn Subject) {
    let hidden = [
        "/_internal_/a",
        "/x/_internal_/b",
        "/y/_internal_",
        "/z/_internal_/c/d",
    ];
    let alice = with_keys(subject, &hidden).await;
    assert!(alice.level("/").await.is_empty());
    alice.set("/z/_internal_0/e", "1").await;
    assert_eq!(alice.level("/").await, ["/z/"]);
    assert_eq!(alice.level("/z/").await, ["/z/_internal_0/"]);
    alice.set("/x/y", "1").await;
    assert_eq!(alice.level("/").await, ["/x/", "/z/"]);
    assert_eq!(alice.level("/_internal_/").await, ["/_internal_/a"]);
    assert_eq!(alice.level("/z/_internal_/").await, ["/z/_internal_/c/"]);
    assert!(alice.level("/z/_internal_").await == ["/z/_internal_0/"]);
}

pub async fn folders_with_many_keys_are_as_one(subject: &dyn Subject) {
    let alice = alice(subject);
    let folders: Vec<_> = (0..20).map(|n| format!("/{n:02}/")).collect();
    for folder in &folders {
        let keys: Vec<_> = (0..100).map(|n| format!("{folder}{n:02}")).collect();
        alice.fill(&keys).await;
    }
    assert_eq!(alice.level("/").await, folders);
    assert_eq!(alice.level("/07/").await.len(), 100);
    let scan = Scan {
        limit: limit(3),
        ..level("/")
    };
    let pages = alice.pages(scan).await;
    assert_eq!(pages.len(), 7);
}

pub async fn a_folder_ends_with_its_last_key(subject: &dyn Subject) {
    let alice = with_keys(subject, &["/a/x", "/a/y", "/b"]).await;
    alice.delete("/a/x").await;
    assert_eq!(alice.level("/").await, ["/a/", "/b"]);
    alice.delete("/a/y").await;
    assert_eq!(alice.level("/").await, ["/b"]);
}
