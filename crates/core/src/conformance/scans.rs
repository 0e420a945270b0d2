//! Listings and counts of every key that a prefix shows.

use super::Subject;
use super::shorthand::{delete, key, limit, names, prefix, scan, seconds, set, value};
use super::space::{Space, alice};
use crate::limits::{DEFAULT_VALUE_BYTES, MAX_PAGE_BYTES};
use crate::revision::Revision;
use crate::scan::{Depth, Item, Projection, Scan, Visibility};

/// Keys whose order is easy to get wrong.
const TREE: [&str; 9] = [
    "/a", "/a-b", "/a/b", "/a/b/c", "/a/c", "/a0", "/b/d", "/b/é", "/🦀",
];

async fn with_keys<'a>(subject: &'a dyn Subject, keys: &[&str]) -> Space<'a> {
    let alice = alice(subject);
    let keys: Vec<_> = keys.iter().rev().map(|&name| name.to_owned()).collect();
    alice.fill(&keys).await;
    alice
}

pub async fn keys_are_listed_in_byte_order(subject: &dyn Subject) {
    let alice = with_keys(subject, &TREE).await;
    assert_eq!(alice.list("/").await, TREE);
    let page = alice.page(&scan("/")).await;
    assert_eq!(page.next, None);
}

pub async fn a_prefix_selects_as_a_string(subject: &dyn Subject) {
    let alice = with_keys(subject, &TREE).await;
    let expected: [(&str, &[&str]); 8] = [
        ("/a", &TREE[..6]),
        ("/a/", &["/a/b", "/a/b/c", "/a/c"]),
        ("/a/b", &["/a/b", "/a/b/c"]),
        ("/a/b/", &["/a/b/c"]),
        ("/a/b/c", &["/a/b/c"]),
        ("/b/\u{e9}", &["/b/é"]),
        ("/A", &[]),
        ("/a/b/c/", &[]),
    ];
    for (text, wanted) in expected {
        assert_eq!(alice.list(text).await, wanted, "{text}");
        let counted = alice.count(text, Visibility::Listed).await;
        assert_eq!(counted, wanted.len() as u64, "{text}");
    }
}

pub async fn an_empty_namespace_lists_nothing(subject: &dyn Subject) {
    let alice = alice(subject);
    let page = alice.page(&scan("/")).await;
    assert_eq!((page.items, page.next), (vec![], None));
    assert_eq!(alice.count("/", Visibility::All).await, 0);
    alice.set("/a", "1").await;
    alice.delete("/a").await;
    assert!(alice.list("/").await.is_empty());
}

pub async fn a_listing_goes_on_after_any_name(subject: &dyn Subject) {
    let alice = with_keys(subject, &TREE).await;
    let expected: [(&str, &str, &[&str]); 9] = [
        ("/", "/a", &TREE[1..]),
        ("/", "/a/", &TREE[2..]),
        ("/", "/a/b", &TREE[3..]),
        ("/", "/a/b!", &TREE[3..]),
        ("/", "/🦀", &[]),
        ("/a/", "/a/b/c", &["/a/c"]),
        ("/a/", "/A", &["/a/b", "/a/b/c", "/a/c"]),
        ("/a/", "/a", &["/a/b", "/a/b/c", "/a/c"]),
        ("/a/", "/b", &[]),
    ];
    for (text, after, wanted) in expected {
        let scan = Scan {
            after: Some(prefix(after)),
            ..scan(text)
        };
        assert_eq!(alice.names(scan).await, wanted, "{text} after {after}");
    }
}

pub async fn pages_of_any_size_show_each_key_once(subject: &dyn Subject) {
    let alice = with_keys(subject, &TREE).await;
    for size in 1..=TREE.len() + 1 {
        let scan = Scan {
            limit: limit(size),
            ..scan("/")
        };
        let pages = alice.pages(scan).await;
        assert_eq!(pages.len(), TREE.len().div_ceil(size), "pages of {size}");
        for (page, wanted) in pages.iter().zip(TREE.chunks(size)) {
            assert_eq!(names(&page.items), wanted, "pages of {size}");
            if let Some(next) = &page.next {
                assert_eq!(next.as_str(), wanted[size - 1]);
            }
        }
    }
}

pub async fn a_page_goes_on_although_its_last_key_is_gone(subject: &dyn Subject) {
    let alice = with_keys(subject, &TREE).await;
    let mut scan = Scan {
        limit: limit(3),
        ..scan("/")
    };
    let first = alice.page(&scan).await;
    alice.delete("/a/b").await;
    alice.set("/a/a", "before the next page").await;
    alice.set("/a/bb", "on the next page").await;
    scan.after = first.next;
    let second = alice.page(&scan).await;
    assert_eq!(names(&second.items), ["/a/b/c", "/a/bb", "/a/c"]);
}

pub async fn an_item_tells_as_much_as_is_wanted(subject: &dyn Subject) {
    let alice = alice(subject).by("job-1");
    alice.lend("/a", "one", seconds(9)).await;
    alice.set("/b", &b"\xff\0"[..]).await;
    alice.claim("/b", seconds(9)).await;
    let shown = async |projection| {
        let scan = Scan {
            projection,
            ..scan("/")
        };
        alice.page(&scan).await.items
    };
    let (a, b) = (alice.entry("/a").await, alice.entry("/b").await);
    let [key_a, key_b] = ["/a", "/b"].map(key);
    let keys = [Item::Key(key_a.clone()), Item::Key(key_b.clone())];
    assert_eq!(shown(Projection::Keys).await, keys);
    let details = [
        Item::Details(key_a.clone(), a.metadata.clone()),
        Item::Details(key_b.clone(), b.metadata.clone()),
    ];
    assert_eq!(shown(Projection::Details).await, details);
    let entries = [Item::Entry(key_a, a), Item::Entry(key_b, b)];
    assert_eq!(shown(Projection::Entries).await, entries);
}

pub async fn a_page_of_large_values_ends_early_and_goes_on(subject: &dyn Subject) {
    let alice = alice(subject);
    let large = value(vec![0xa5; DEFAULT_VALUE_BYTES]).into_bytes();
    let keys: Vec<_> = (0..600).map(|n| format!("/large/{n:03}")).collect();
    for some in keys.chunks(50) {
        let set = |name: &String| set(name, large.clone());
        alice.commit(some.iter().map(set).collect()).await;
    }
    let entries = Scan {
        projection: Projection::Entries,
        ..scan("/large/")
    };
    let pages = alice.pages(entries).await;
    assert!(
        pages.len() > 1,
        "one page has more than {MAX_PAGE_BYTES} bytes"
    );
    for page in &pages {
        let bytes: usize = page.items.iter().map(Item::weight).sum();
        let one_more = MAX_PAGE_BYTES + DEFAULT_VALUE_BYTES + keys[0].len();
        assert!(bytes <= one_more, "a page has {bytes} bytes");
    }
    let first: usize = pages[0].items.iter().map(Item::weight).sum();
    assert!(
        first > MAX_PAGE_BYTES / 2,
        "the page has only {first} bytes"
    );
    let items = pages.iter().flat_map(|page| &page.items);
    let listed: Vec<_> = items
        .map(|item| {
            let Item::Entry(_, entry) = item else {
                panic!("{item:?} is no entry");
            };
            assert_eq!(*entry.value.as_bytes(), large);
            item.name().to_owned()
        })
        .collect();
    assert_eq!(listed, keys);
    let page = alice.page(&scan("/large/")).await;
    assert_eq!(page.items.len(), keys.len(), "names need little space");
}

pub async fn a_page_is_as_large_as_its_limit_where_values_are_small(subject: &dyn Subject) {
    let alice = alice(subject);
    let keys: Vec<_> = (0..2_500).map(|n| format!("/{n:04}")).collect();
    alice.fill(&keys).await;
    assert_eq!(alice.page(&scan("/")).await.items.len(), keys.len());
    assert_eq!(alice.list("/").await, keys);
    let scan = Scan {
        limit: limit(1_250),
        projection: Projection::Entries,
        ..scan("/")
    };
    let pages = alice.pages(scan).await;
    let sizes: Vec<_> = pages.iter().map(|page| page.items.len()).collect();
    assert_eq!(sizes, [1_250, 1_250]);
    assert_eq!(alice.count("/1", Visibility::Listed).await, 1_000);
}

pub async fn listings_hide_internal_keys_and_their_neighbours_stay(subject: &dyn Subject) {
    let hidden = [
        "/_internal_",
        "/_internal_/a",
        "/x/_internal_",
        "/x/_internal_/b/c",
    ];
    let shown = [
        "/_internal",
        "/_internal_!",
        "/_internal_-/d",
        "/_internal_0",
        "/_internal__/e",
        "/__",
        "/x/_internal_-",
        "/x/_internal_0",
        "/x/y_internal_",
        "/x/y_internal_/f",
        "/_INTERNAL_/g",
    ];
    let alice = with_keys(subject, &hidden).await;
    let mut wanted = shown.map(str::to_owned).to_vec();
    alice.fill(&wanted).await;
    wanted.sort_unstable();
    assert_eq!(alice.list("/").await, wanted);
    for size in 1..wanted.len() {
        let scan = Scan {
            limit: limit(size),
            ..scan("/")
        };
        assert_eq!(alice.names(scan).await, wanted, "pages of {size}");
    }
    assert_eq!(alice.count("/", Visibility::Listed).await, 11);
    assert_eq!(alice.count("/", Visibility::All).await, 15);
    assert_eq!(alice.count("/x/", Visibility::Listed).await, 4);
    assert_eq!(alice.count("/x/", Visibility::All).await, 6);
    for name in hidden {
        assert!(alice.get(name).await.is_some(), "{name} can't be read");
    }
}

pub async fn a_prefix_that_reaches_inside_shows_internal_keys(subject: &dyn Subject) {
    let names = [
        "/x/_internal_",
        "/x/_internal_/a",
        "/x/_internal_/b/_internal_/c",
        "/x/y",
    ];
    let alice = with_keys(subject, &names).await;
    for text in ["/x/_internal", "/x/_internal_"] {
        assert!(alice.list(text).await.is_empty(), "{text}");
        assert_eq!(alice.count(text, Visibility::Listed).await, 0, "{text}");
        assert_eq!(alice.count(text, Visibility::All).await, 3, "{text}");
    }
    let inside = ["/x/_internal_/a", "/x/_internal_/b/_internal_/c"];
    assert_eq!(alice.list("/x/_internal_/").await, inside);
    assert_eq!(alice.list("/x/_internal_/b").await, inside[1..]);
    let counted = alice.count("/x/_internal_/", Visibility::Listed).await;
    assert_eq!(counted, 2);
}

pub async fn an_item_written_now_is_listed_now(subject: &dyn Subject) {
    let alice = alice(subject);
    for round in 0..50_u64 {
        let name = format!("/{round:02}");
        alice.set(&name, "1").await;
        assert_eq!(alice.list("/").await.last(), Some(&name));
        assert_eq!(alice.count("/", Visibility::All).await, round + 1);
    }
}

pub async fn pages_and_counts_tell_the_latest_revision(subject: &dyn Subject) {
    let alice = alice(subject);
    assert_eq!(alice.page(&scan("/")).await.revision, Revision::ZERO);
    assert_eq!(alice.counted("/").await.revision, Revision::ZERO);
    let shown = async |revision| {
        for projection in [Projection::Keys, Projection::Details, Projection::Entries] {
            for depth in [Depth::All, Depth::OneLevel] {
                // The last prefixes show no key.
                for text in ["/", "/a/", "/none/"] {
                    let scan = Scan {
                        projection,
                        depth,
                        limit: limit(1),
                        ..scan(text)
                    };
                    for page in alice.pages(scan).await {
                        assert_eq!(page.revision, revision, "{text} {projection:?} {depth:?}");
                    }
                }
            }
        }
        for text in ["/", "/a/", "/none/"] {
            assert_eq!(alice.counted(text).await.revision, revision, "{text}");
        }
    };
    alice.set("/a/b", "1").await;
    shown(alice.set("/a/c", "1").await).await;
    // The page has the latest revision, even if the listing hides the last written key.
    shown(alice.set("/a/_internal_/x", "1").await).await;
    let committed = alice.commit(vec![delete("/a/c"), set("/d", "1")]).await;
    shown(committed.revision).await;
}
