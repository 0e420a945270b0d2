//! Listings in descending order: the last names first.

use std::num::NonZero;

use super::Subject;
use super::shorthand::{limit, names, prefix, scan, seconds};
use super::space::{Space, alice};
use crate::scan::{Depth, Order, Projection, Scan};

/// Keys beside folders of the same names, and some that are hidden.
const TREE: [&str; 12] = [
    "/_internal_/x",
    "/a",
    "/a!",
    "/a/1",
    "/a/2/x",
    "/a/_internal_/y",
    "/a/b/c",
    "/a0",
    "/b/_internal_",
    "/b/_internal_/z",
    "/b/é",
    "/🦀",
];

async fn with_tree(subject: &dyn Subject) -> Space<'_> {
    let alice = alice(subject);
    alice.fill(&TREE.map(str::to_owned)).await;
    alice
}

/// A listing in descending order.
fn back(text: &str, depth: Depth) -> Scan {
    Scan {
        order: Order::Descending,
        depth,
        ..scan(text)
    }
}

/// The names of an ascending listing, in reverse.
async fn reversed(alice: &Space<'_>, text: &str, depth: Depth) -> Vec<String> {
    let scan = Scan {
        depth,
        ..scan(text)
    };
    let mut names = alice.names(scan).await;
    names.reverse();
    names
}

fn depths() -> [Depth; 3] {
    let counted = Depth::OneLevelCounted(NonZero::new(2).unwrap());
    [Depth::All, Depth::OneLevel, counted]
}

pub async fn the_last_keys_come_first(subject: &dyn Subject) {
    let alice = with_tree(subject).await;
    let all = alice.names(back("/", Depth::All)).await;
    let wanted = [
        "/🦀", "/b/é", "/a0", "/a/b/c", "/a/2/x", "/a/1", "/a!", "/a",
    ];
    assert_eq!(all, wanted);
    let level = alice.names(back("/", Depth::OneLevel)).await;
    assert_eq!(level, ["/🦀", "/b/", "/a0", "/a/", "/a!", "/a"]);
    for depth in depths() {
        for text in ["/", "/a", "/a/", "/a/2", "/b/", "/_internal_/", "/none"] {
            let wanted = reversed(&alice, text, depth).await;
            assert_eq!(alice.names(back(text, depth)).await, wanted, "{text}");
        }
    }
}

pub async fn a_descending_listing_goes_on_before_any_name(subject: &dyn Subject) {
    let alice = with_tree(subject).await;
    for depth in depths() {
        for text in ["/", "/a", "/a/", "/b/"] {
            let all = reversed(&alice, text, depth).await;
            for after in [
                "/",
                "/a",
                "/a!",
                "/a/",
                "/a/1",
                "/a/2",
                "/a/2/",
                "/a/2/y",
                "/a/3",
                "/a0",
                "/b",
                "/b/",
                "/b/é",
                "/c",
                "/🦀",
                "/🦀🦀",
            ] {
                let scan = Scan {
                    after: Some(prefix(after)),
                    ..back(text, depth)
                };
                let wanted: Vec<_> = all.iter().filter(|name| name.as_str() < after).collect();
                let listed = alice.names(scan).await;
                assert_eq!(listed.iter().collect::<Vec<_>>(), wanted, "{text} {after}");
            }
        }
    }
}

pub async fn descending_pages_of_any_size_show_each_item_once(subject: &dyn Subject) {
    let alice = with_tree(subject).await;
    for depth in depths() {
        for projection in [Projection::Keys, Projection::Details, Projection::Entries] {
            let wanted = reversed(&alice, "/", depth).await;
            for size in 1..=wanted.len() + 1 {
                let scan = Scan {
                    limit: limit(size),
                    projection,
                    ..back("/", depth)
                };
                let pages = alice.pages(scan).await;
                assert_eq!(pages.len(), wanted.len().div_ceil(size));
                for (page, wanted) in pages.iter().zip(wanted.chunks(size)) {
                    assert_eq!(names(&page.items), wanted, "pages of {size}");
                }
            }
        }
    }
}

pub async fn a_descending_listing_hides_what_an_ascending_one_hides(subject: &dyn Subject) {
    let alice = with_tree(subject).await;
    alice.lend("/b/expires", "1", seconds(1)).await;
    alice.lend("/c/expires", "1", seconds(1)).await;
    let inside = alice.names(back("/b/_internal_/", Depth::All)).await;
    assert_eq!(inside, ["/b/_internal_/z"]);
    let level = async || alice.names(back("/", Depth::OneLevel)).await;
    assert_eq!(level().await[..3], ["/🦀", "/c/", "/b/"]);
    subject.clock().advance(seconds(1));
    for depth in depths() {
        let wanted = reversed(&alice, "/", depth).await;
        assert_eq!(alice.names(back("/", depth)).await, wanted);
    }
    assert_eq!(level().await[..2], ["/🦀", "/b/"]);
}

pub async fn the_newest_of_many_keys_are_read_without_the_others(subject: &dyn Subject) {
    let alice = alice(subject);
    let mut keys: Vec<_> = (0..3_000).map(|n| format!("/run/2026-{n:06}")).collect();
    alice.fill(&keys).await;
    alice.set("/runs", "1").await;
    keys.reverse();
    let newest = Scan {
        limit: limit(7),
        ..back("/run/", Depth::All)
    };
    let first = alice.page(&newest).await;
    assert_eq!(names(&first.items), keys[..7]);
    let more = Scan {
        after: first.next,
        ..newest
    };
    assert_eq!(names(&alice.page(&more).await.items), keys[7..14]);
    for projection in [Projection::Keys, Projection::Entries] {
        let all = Scan {
            projection,
            limit: limit(1_001),
            ..back("/run/", Depth::All)
        };
        assert_eq!(alice.names(all).await, keys);
    }
}

pub async fn large_folders_are_passed_from_behind(subject: &dyn Subject) {
    let alice = alice(subject);
    for folder in ["a", "b", "b/c"] {
        let keys: Vec<_> = (0..700).map(|n| format!("/{folder}/{n:03}")).collect();
        alice.fill(&keys).await;
    }
    alice.set("/b!", "1").await;
    let level = alice.names(back("/", Depth::OneLevel)).await;
    assert_eq!(level, ["/b/", "/b!", "/a/"]);
    let inside = alice.names(back("/b/", Depth::OneLevel)).await;
    assert_eq!((inside.len(), inside[0].as_str()), (701, "/b/c/"));
}

pub async fn a_range_that_was_emptied_is_passed_from_behind(subject: &dyn Subject) {
    let alice = alice(subject);
    let keys: Vec<_> = (0..1_500).map(|n| format!("/gone/{n:04}")).collect();
    alice.fill(&keys).await;
    alice.fill(&["/a", "/gone", "/z"].map(str::to_owned)).await;
    assert_eq!(alice.delete_prefix("/gone/").await, 1_500);
    let names = async || alice.names(back("/", Depth::All)).await;
    assert_eq!(names().await, ["/z", "/gone", "/a"]);
    alice.set("/gone/0700", "1").await;
    assert_eq!(names().await, ["/z", "/gone/0700", "/gone", "/a"]);
}
