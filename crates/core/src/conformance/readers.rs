//! Readers and watchers beside writers: no commit is seen in part, and no state is outdated, missed or repeated.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::Crowd;
use super::shorthand::{delete, limit, scan, set, told, yield_now};
use super::space::alice;
use crate::change::{ChangeKind, Cursor};
use crate::limits::MAX_COMMIT_OPERATIONS;
use crate::scan::{Item, Projection, Scan, Visibility};

/// The number of concurrent tasks: far more than a machine has cores.
const TASKS: usize = 50;

pub async fn readers_never_see_half_a_batch(crowd: &Crowd) {
    let stop = Arc::new(AtomicBool::new(false));
    let writer = crowd.start(|subject| {
        let stop = Arc::clone(&stop);
        async move {
            let alice = alice(&*subject);
            let names = ["/both/a", "/both/b", "/both/c"];
            for round in 0..300 {
                yield_now().await;
                let text = round.to_string();
                let batch = names.map(|name| set(name, text.clone())).to_vec();
                alice.commit(batch).await;
                if round % 3 == 0 {
                    alice.commit(names.map(delete).to_vec()).await;
                }
                if round % 3 == 1 {
                    alice.delete_prefix("/both/").await;
                }
            }
            stop.store(true, Ordering::SeqCst);
        }
    });
    crowd
        .run(4, |_, subject| {
            let stop = Arc::clone(&stop);
            async move {
                let alice = alice(&*subject);
                let scan = Scan {
                    projection: Projection::Entries,
                    ..scan("/both/")
                };
                while !stop.load(Ordering::SeqCst) {
                    yield_now().await;
                    let items = alice.page(&scan).await.items;
                    assert!(items.is_empty() || items.len() == 3, "{items:?}");
                    let values = items.iter().map(|item| match item {
                        Item::Entry(_, entry) => &entry.value,
                        other => panic!("{other:?} is no entry"),
                    });
                    assert!(BTreeSet::from_iter(values.map(|one| one.as_bytes())).len() <= 1);
                    let counted = alice.count("/both/", Visibility::All).await;
                    assert!(counted == 0 || counted == 3, "{counted} of 3");
                    let keys = alice.usage().await.keys;
                    assert!(keys == 0 || keys == 3, "{keys} of 3");
                }
            }
        })
        .await;
    writer.await;
}

/// Commits with the largest number of keys, and with so many bytes that an engine with small buffers writes these out
/// again and again during the reads.
pub async fn large_commits_are_seen_whole_while_buffers_are_written_out(crowd: &Crowd) {
    const ROUNDS: usize = 400;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = crowd.start(|subject| {
        let stop = Arc::clone(&stop);
        async move {
            let alice = alice(&*subject);
            for round in 0..ROUNDS {
                yield_now().await;
                let text = format!("{round:0200}");
                let all = (0..MAX_COMMIT_OPERATIONS).map(|n| set(&format!("/w/{n}"), text.clone()));
                alice.commit(all.collect()).await;
            }
            stop.store(true, Ordering::SeqCst);
        }
    });
    let readers = crowd.run(3, |_, subject| {
        let stop = Arc::clone(&stop);
        async move {
            let alice = alice(&*subject);
            let scan = Scan {
                projection: Projection::Entries,
                ..scan("/w/")
            };
            while !stop.load(Ordering::SeqCst) {
                yield_now().await;
                let items = alice.page(&scan).await.items;
                assert!(items.is_empty() || items.len() == MAX_COMMIT_OPERATIONS);
                let revisions = items.iter().map(|item| match item {
                    Item::Entry(_, entry) => entry.metadata.revision,
                    other => panic!("{other:?} is no entry"),
                });
                let revisions: BTreeSet<_> = revisions.collect();
                assert!(revisions.len() <= 1, "a page shows {revisions:?}");
            }
        }
    });
    let follower = crowd.start(|subject| async move {
        let alice = alice(&*subject);
        let mut cursor = Cursor::START;
        let mut told = Vec::new();
        while told.len() < ROUNDS * MAX_COMMIT_OPERATIONS {
            yield_now().await;
            let (changes, next) = alice.changes("/w/", cursor).await;
            told.extend(changes.iter().map(|change| change.at.revision));
            for commit in told.chunks_exact(MAX_COMMIT_OPERATIONS) {
                let whole = commit.iter().all(|revision| *revision == commit[0]);
                assert!(whole, "a part of a commit was skipped: {commit:?}");
            }
            cursor = next;
        }
    });
    writer.await;
    readers.await;
    follower.await;
}

pub async fn a_read_sees_what_was_acknowledged_before_it_began(crowd: &Crowd) {
    // The greatest number whose commit was acknowledged to any task.
    let acknowledged = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    alice(crowd.subject()).add("/n", 0).await;
    let writers = crowd.run(4, |_, subject| {
        let acknowledged = Arc::clone(&acknowledged);
        let stop = Arc::clone(&stop);
        async move {
            let alice = alice(&*subject);
            for _ in 0..100 {
                yield_now().await;
                let sum = u64::try_from(alice.add("/n", 1).await).unwrap();
                acknowledged.fetch_max(sum, Ordering::SeqCst);
            }
            stop.store(true, Ordering::SeqCst);
        }
    });
    let readers = crowd.start(|subject| {
        let acknowledged = Arc::clone(&acknowledged);
        let stop = Arc::clone(&stop);
        async move {
            let alice = alice(&*subject);
            let scan = Scan {
                projection: Projection::Entries,
                ..scan("/n")
            };
            while !stop.load(Ordering::SeqCst) {
                yield_now().await;
                let least = acknowledged.load(Ordering::SeqCst);
                let got = alice.entry("/n").await.value;
                assert!(got.as_integer().unwrap().unsigned_abs() >= least);
                let least = acknowledged.load(Ordering::SeqCst);
                let page = alice.page(&scan).await;
                let [Item::Entry(_, listed)] = &page.items[..] else {
                    panic!("{page:?} has more than the counter");
                };
                let number = listed.value.as_integer().unwrap().unsigned_abs();
                assert!(number >= least, "{number} is older than {least}");
            }
        }
    });
    writers.await;
    readers.await;
}

pub async fn everyone_reads_their_own_write_at_once(crowd: &Crowd) {
    crowd
        .run(TASKS, |task, subject| async move {
            let alice = alice(&*subject);
            for round in 0..10_u64 {
                yield_now().await;
                let name = format!("/{task:02}/{round}");
                let revision = alice.set(&name, "1").await;
                assert_eq!(alice.entry(&name).await.metadata.revision, revision);
                let folder = format!("/{task:02}/");
                assert_eq!(alice.list(&folder).await.last(), Some(&name));
                let counted = alice.count(&folder, Visibility::All).await;
                assert_eq!(counted, round + 1);
                assert!(alice.usage().await.revision >= revision);
            }
        })
        .await;
    assert_eq!(alice(crowd.subject()).usage().await.keys, 500);
}

pub async fn pages_show_each_lasting_key_once_while_others_write(crowd: &Crowd) {
    let lasting: Vec<_> = (0..300).map(|n| format!("/p/{n:03}")).collect();
    alice(crowd.subject()).fill(&lasting).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers = crowd.run(4, |task, subject| {
        let stop = Arc::clone(&stop);
        let lasting = lasting.clone();
        async move {
            let alice = alice(&*subject);
            for (round, name) in (0..).zip(lasting.iter().cycle()) {
                yield_now().await;
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                // A temporary key next to a lasting one, and a lasting one that is overwritten.
                let passing = format!("{name}.{task}");
                alice.commit(vec![set(&passing, "1"), set(name, "2")]).await;
                if round % 2 == 0 {
                    alice.delete(&passing).await;
                } else {
                    alice.delete_prefix(&format!("{name}.")).await;
                }
            }
        }
    });
    let reader = crowd.start(|subject| {
        let stop = Arc::clone(&stop);
        let lasting = lasting.clone();
        async move {
            let alice = alice(&*subject);
            for size in [1, 2, 7, 50, 7, 2] {
                let scan = Scan {
                    limit: limit(size),
                    ..scan("/p/")
                };
                let listed = alice.names(scan).await;
                assert!(listed.is_sorted_by(|left, right| left < right));
                let kept: Vec<_> = listed
                    .into_iter()
                    .filter(|one| !one.contains('.'))
                    .collect();
                assert_eq!(kept, lasting, "pages of {size}");
            }
            stop.store(true, Ordering::SeqCst);
        }
    });
    writers.await;
    reader.await;
}

pub async fn a_follower_misses_no_change_and_sees_none_twice(crowd: &Crowd) {
    const WRITERS: usize = 10;
    const ROUNDS: usize = 20;
    let follow = |text: &'static str, wanted: usize| {
        crowd.start(move |subject| async move {
            let alice = alice(&*subject);
            let mut cursor = Cursor::START;
            let mut seen = Vec::new();
            while seen.len() < wanted {
                yield_now().await;
                let (changes, next) = alice.changes(text, cursor).await;
                seen.extend(told(&changes));
                cursor = next;
            }
            let once: BTreeSet<_> = seen.iter().collect();
            assert_eq!((once.len(), seen.len()), (wanted, wanted), "{text}");
            for task in 0..WRITERS {
                let folder = format!("put /f/{task}/");
                let own = seen.iter().filter(|line| line.starts_with(&folder));
                let rounds: Vec<_> = own.filter(|line| line.ends_with("/a")).collect();
                assert!(rounds.is_sorted(), "the order of one writer: {rounds:?}");
            }
        })
    };
    let everything = follow("/f/", WRITERS * ROUNDS * 2);
    let one = follow("/f/3/", ROUNDS * 2);
    crowd
        .run(WRITERS, |task, subject| async move {
            let alice = alice(&*subject);
            for round in 0..ROUNDS {
                yield_now().await;
                let name = format!("/f/{task}/{round:02}");
                let batch = vec![
                    set(&format!("{name}/a"), "1"),
                    set(&format!("{name}/b"), "1"),
                ];
                alice.commit(batch).await;
            }
        })
        .await;
    everything.await;
    one.await;
}

pub async fn changes_after_a_page_or_a_count_make_of_it_what_is_there_in_the_end(crowd: &Crowd) {
    const WRITERS: usize = 4;
    const ROUNDS: usize = 60;
    // Every name is set once and deleted at most once, so that a change that the page already has, or a missing change,
    // contradicts the known keys.
    let writers = crowd.run(WRITERS, |task, subject| async move {
        let alice = alice(&*subject);
        for round in 0..ROUNDS {
            yield_now().await;
            let name = |part: &str| format!("/s/{task}/{round:02}{part}");
            alice
                .commit(vec![set(&name("a"), "1"), set(&name("b"), "1")])
                .await;
            match round % 3 {
                0 => _ = alice.delete(&name("a")).await,
                1 => _ = alice.delete_prefix(&name("")).await,
                _ => {}
            }
        }
        alice.set(&format!("/s/end{task}"), "1").await;
    });
    let readers = crowd.run(3, |reader, subject| async move {
        let alice = alice(&*subject);
        for round in 0..10 {
            yield_now().await;
            let scan = Scan {
                projection: [Projection::Keys, Projection::Details, Projection::Entries][reader],
                ..scan("/s/")
            };
            let page = alice.page(&scan).await;
            let counted = alice.counted("/s/").await;
            let mut there: BTreeSet<_> = page
                .items
                .iter()
                .map(|item| item.name().to_owned())
                .collect();
            let mut count = counted.keys;
            let mut cursor = Cursor::after(page.revision);
            let is_end = |there: &BTreeSet<String>| {
                (0..WRITERS).all(|task| there.contains(&format!("/s/end{task}")))
            };
            while !is_end(&there) {
                let (changes, next) = alice.changes("/s/", cursor).await;
                for change in changes {
                    let name = change.key.as_str().to_owned();
                    let is_put = matches!(change.kind, ChangeKind::Put(_));
                    let fits = if is_put {
                        there.insert(name)
                    } else {
                        there.remove(&name)
                    };
                    assert!(fits, "{change:?} after {} in round {round}", page.revision);
                    if change.at.revision > counted.revision {
                        count = if is_put { count + 1 } else { count - 1 };
                    }
                }
                cursor = next;
            }
            assert_eq!(count, there.len() as u64, "counted at {}", counted.revision);
        }
    });
    writers.await;
    readers.await;
    let alice = alice(crowd.subject());
    let left = WRITERS * (1 + ROUNDS / 3 * (1 + 2));
    assert_eq!(alice.list("/s/").await.len(), left);
}

pub async fn a_change_made_while_a_reader_looks_for_it_wakes_it(crowd: &Crowd) {
    const ROUNDS: usize = 200;
    // Changes that do not match make each read of the log slower.
    let noise: Vec<_> = (0..3_000).map(|n| format!("/noise/{n}")).collect();
    alice(crowd.subject()).fill(&noise).await;
    let looking = Arc::new(AtomicUsize::new(0));
    let reader = crowd.start(|subject| {
        let looking = Arc::clone(&looking);
        async move {
            let alice = alice(&*subject);
            for round in 1..=ROUNDS {
                let name = format!("/wanted/{round:03}");
                looking.store(round, Ordering::SeqCst);
                let (changes, _) = alice.changes(&name, Cursor::START).await;
                assert_eq!(told(&changes), [format!("put {name}")]);
            }
        }
    });
    let writer = crowd.start(|subject| {
        let looking = Arc::clone(&looking);
        async move {
            let alice = alice(&*subject);
            for round in 1..=ROUNDS {
                while looking.load(Ordering::SeqCst) < round {
                    yield_now().await;
                }
                alice.set(&format!("/wanted/{round:03}"), "1").await;
            }
        }
    });
    writer.await;
    reader.await;
}

pub async fn everyone_who_waits_is_woken_by_their_own_key(crowd: &Crowd) {
    let waiters = crowd.run(TASKS, |task, subject| async move {
        let alice = alice(&*subject);
        let name = format!("/ready/{task:02}");
        let (changes, _) = alice.changes(&name, Cursor::START).await;
        assert_eq!(told(&changes), [format!("put {name}")]);
    });
    let writer = crowd.start(|subject| async move {
        let alice = alice(&*subject);
        for task in 0..TASKS {
            alice.set(&format!("/ready/{task:02}"), "1").await;
        }
    });
    waiters.await;
    writer.await;
}
