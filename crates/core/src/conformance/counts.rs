//! Counts that end at a limit, and counts of the keys in folders.

use std::num::NonZero;

use super::Subject;
use super::shorthand::{limit, scan, seconds};
use super::space::{Space, alice, space};
use crate::scan::{Depth, Item, Projection, Scan, Visibility};

async fn with_keys<'a>(subject: &'a dyn Subject, keys: &[&str]) -> Space<'a> {
    let alice = alice(subject);
    let keys: Vec<_> = keys.iter().map(|&name| name.to_owned()).collect();
    alice.fill(&keys).await;
    alice
}

/// Keys on the level, in folders, and one that is hidden.
const TREE: [&str; 8] = [
    "/a",
    "/a-b",
    "/a/1",
    "/a/2/x",
    "/a/3",
    "/a/_internal_/x",
    "/b/1",
    "/c",
];

/// The items of one level: a key by its name, a folder by its name and count, such as `/a/ 3+` where
/// there are more than three.
async fn counted_level(alice: &Space<'_>, scan: Scan, at_most: u64) -> Vec<String> {
    let scan = Scan {
        depth: Depth::OneLevelCounted(NonZero::new(at_most).unwrap()),
        ..scan
    };
    let pages = alice.pages(scan).await;
    let items = pages.iter().flat_map(|page| &page.items);
    let tell = |item: &Item| match item {
        Item::CountedFolder(folder, count) => {
            let more = if count.more { "+" } else { "" };
            format!("{folder} {}{more}", count.keys)
        }
        Item::Folder(folder) => format!("{folder} without a count"),
        key => key.name().to_owned(),
    };
    items.map(tell).collect()
}

pub async fn a_count_ends_at_its_limit_and_says_whether_there_are_more(subject: &dyn Subject) {
    let alice = with_keys(subject, &TREE).await;
    // Six keys begin with /a, and one of them is hidden.
    for (at_most, listed, all) in [
        (1, (1, true), (1, true)),
        (4, (4, true), (4, true)),
        (5, (5, false), (5, true)),
        (6, (5, false), (6, false)),
        (u64::MAX, (5, false), (6, false)),
    ] {
        let count = async |visibility| alice.counted_up_to("/a", visibility, at_most).await;
        assert_eq!(count(Visibility::Listed).await, listed, "{at_most}");
        assert_eq!(count(Visibility::All).await, all, "{at_most}");
    }
    let nothing = alice.counted_up_to("/none", Visibility::Listed, 1).await;
    assert_eq!(nothing, (0, false));
}

pub async fn a_limited_count_leaves_out_expired_keys(subject: &dyn Subject) {
    let alice = with_keys(subject, &["/t/2", "/t/4"]).await;
    alice.lend("/t/1", "1", seconds(1)).await;
    alice.lend("/t/3", "1", seconds(1)).await;
    subject.clock().advance(seconds(1));
    for visibility in [Visibility::Listed, Visibility::All] {
        assert_eq!(alice.counted_up_to("/t/", visibility, 1).await, (1, true));
        assert_eq!(alice.counted_up_to("/t/", visibility, 2).await, (2, false));
    }
}

pub async fn folders_are_counted_up_to_a_limit(subject: &dyn Subject) {
    let alice = with_keys(subject, &TREE).await;
    for (at_most, a) in [(1, "/a/ 1+"), (2, "/a/ 2+"), (3, "/a/ 3"), (9, "/a/ 3")] {
        let wanted = ["/a", "/a-b", a, "/b/ 1", "/c"];
        for projection in [Projection::Keys, Projection::Details, Projection::Entries] {
            let scan = Scan {
                projection,
                ..scan("/")
            };
            assert_eq!(counted_level(&alice, scan, at_most).await, wanted);
        }
        for size in 1..=wanted.len() {
            let scan = Scan {
                limit: limit(size),
                ..scan("/")
            };
            let listed = counted_level(&alice, scan, at_most).await;
            assert_eq!(listed, wanted, "pages of {size}");
        }
    }
    let below = counted_level(&alice, scan("/a/"), 9).await;
    assert_eq!(below, ["/a/1", "/a/2/ 1", "/a/3"]);
}

pub async fn folders_are_counted_without_hidden_and_expired_keys(subject: &dyn Subject) {
    let hidden = ["/a/_internal_/x", "/a/b/_internal_/y", "/z/_internal_/v/w"];
    let alice = with_keys(subject, &hidden).await;
    alice.set("/a/b/_internal_0", "1").await;
    alice.lend("/a/c", "1", seconds(1)).await;
    alice.lend("/b/c", "1", seconds(1)).await;
    let level = async |text| counted_level(&alice, scan(text), 9).await;
    assert_eq!(level("/").await, ["/a/ 2", "/b/ 1"]);
    subject.clock().advance(seconds(1));
    assert_eq!(level("/").await, ["/a/ 1"]);
    // Keys that the prefix reaches are counted.
    assert_eq!(level("/z/_internal_/").await, ["/z/_internal_/v/ 1"]);
    subject.sweep().await;
    assert_eq!(level("/").await, ["/a/ 1"]);
}

pub async fn a_limited_count_is_of_its_own_namespace(subject: &dyn Subject) {
    let alice = with_keys(subject, &TREE).await;
    let neighbour = space(subject, "alice2");
    let many: Vec<_> = (0..9).map(|n| format!("/a/{n}")).collect();
    neighbour.fill(&many).await;
    let listed = Visibility::Listed;
    assert_eq!(alice.counted_up_to("/a/", listed, 5).await, (3, false));
    assert_eq!(neighbour.counted_up_to("/a/", listed, 5).await, (5, true));
    let level = counted_level(&neighbour, scan("/"), 8).await;
    assert_eq!(level, ["/a/ 8+"]);
    let level = counted_level(&alice, scan("/"), 8).await;
    assert_eq!(level, ["/a", "/a-b", "/a/ 3", "/b/ 1", "/c"]);
}
