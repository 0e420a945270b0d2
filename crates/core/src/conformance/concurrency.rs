//! Many concurrent writers: no write is lost, and only one of them is the first.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::Crowd;
use super::shorthand::{add, prefix, scan, seconds, set, when, yield_now};
use super::space::alice;
use crate::commit::{Operation, Outcome, Precondition};
use crate::error::{Mismatch, StoreError};
use crate::revision::Revision;
use crate::scan::{Item, Projection, Scan};

/// The number of concurrent tasks: far more than a machine has cores.
const TASKS: usize = 50;

/// The findings of all tasks.
type Shared<T> = Arc<Mutex<T>>;

pub async fn a_thousand_concurrent_additions_make_a_thousand(crowd: &Crowd) {
    let sums = Shared::<BTreeSet<i64>>::default();
    let found = Arc::clone(&sums);
    crowd
        .run(1_000, |_, subject| {
            let found = Arc::clone(&found);
            async move {
                let sum = alice(&*subject).add("/n", 1).await;
                assert!(
                    found.lock().unwrap().insert(sum),
                    "{sum} was answered twice"
                );
            }
        })
        .await;
    assert_eq!(alice(crowd.subject()).add("/n", 0).await, 1_000);
    let sums = sums.lock().unwrap();
    assert_eq!((sums.first(), sums.last()), (Some(&1), Some(&1_000)));
}

pub async fn exactly_one_creates_a_key(crowd: &Crowd) {
    let winners = Shared::<Vec<(usize, Revision)>>::default();
    let found = Arc::clone(&winners);
    crowd
        .run(TASKS, |task, subject| {
            let found = Arc::clone(&found);
            async move {
                let alice = alice(&*subject);
                let create = vec![when("/lock", Precondition::Absent)];
                let mine = vec![set("/lock", task.to_string())];
                match alice.attempt(create, mine).await {
                    Ok(won) => found.lock().unwrap().push((task, won.revision)),
                    Err(StoreError::PreconditionFailed {
                        reason: Mismatch::Exists(revision),
                        ..
                    }) => {
                        let entry = alice.entry("/lock").await;
                        assert_eq!(entry.metadata.revision, revision);
                    }
                    Err(other) => panic!("{other:?}"),
                }
            }
        })
        .await;
    let entry = alice(crowd.subject()).entry("/lock").await;
    let [(winner, revision)] = winners.lock().unwrap()[..] else {
        panic!("{winners:?} instead of one winner");
    };
    assert_eq!(entry.value.as_bytes(), &winner.to_string());
    assert_eq!(entry.metadata.revision, revision);
}

pub async fn a_loop_on_revisions_loses_no_update(crowd: &Crowd) {
    const EACH: usize = 5;
    alice(crowd.subject()).set("/n", "0").await;
    crowd
        .run(20, |_, subject| async move {
            let alice = alice(&*subject);
            let mut done = 0;
            while done < EACH {
                yield_now().await;
                let entry = alice.entry("/n").await;
                let number = entry.value.as_integer().unwrap();
                let unchanged = Precondition::Revision(entry.metadata.revision);
                let next = vec![set("/n", (number + 1).to_string())];
                if alice
                    .attempt(vec![when("/n", unchanged)], next)
                    .await
                    .is_ok()
                {
                    done += 1;
                }
            }
        })
        .await;
    let total = alice(crowd.subject()).add("/n", 0).await;
    assert_eq!(total, 20 * 5);
}

pub async fn each_piece_of_work_is_claimed_once(crowd: &Crowd) {
    let names: BTreeSet<_> = (0..200).map(|n| format!("/w/{n:03}")).collect();
    let all: Vec<_> = names.iter().cloned().collect();
    alice(crowd.subject()).fill(&all).await;
    let taken = Shared::<BTreeSet<String>>::default();
    let found = Arc::clone(&taken);
    crowd
        .run(TASKS, |_, subject| {
            let found = Arc::clone(&found);
            async move {
                let alice = alice(&*subject);
                while let Some(name) = alice.claim_name("/w/", seconds(60)).await {
                    yield_now().await;
                    let fresh = found.lock().unwrap().insert(name.clone());
                    assert!(fresh, "{name} was claimed twice");
                }
            }
        })
        .await;
    assert_eq!(*taken.lock().unwrap(), names);
}

pub async fn transfers_between_counters_keep_their_sum(crowd: &Crowd) {
    let names = ["/account/a", "/account/b", "/account/c"];
    let start = names.map(|name| set(name, "100")).to_vec();
    alice(crowd.subject()).commit(start).await;
    let scan_all = Scan {
        projection: Projection::Entries,
        ..scan("/account/")
    };
    crowd
        .run(12, |task, subject| {
            let scan_all = scan_all.clone();
            async move {
                let alice = alice(&*subject);
                for round in 0..20 {
                    yield_now().await;
                    let from = names[(task + round) % 3];
                    let to = names[(task + round + 1) % 3];
                    let moved = alice.commit(vec![add(from, -7), add(to, 7)]).await;
                    assert_eq!(moved.outcomes.len(), 2);
                    let sum: i64 = alice
                        .page(&scan_all)
                        .await
                        .items
                        .iter()
                        .map(|item| match item {
                            Item::Entry(_, entry) => entry.value.as_integer().unwrap(),
                            other => panic!("{other:?} is no entry"),
                        })
                        .sum();
                    assert_eq!(sum, 300);
                }
            }
        })
        .await;
}

pub async fn a_prefix_deleted_by_many_is_counted_once(crowd: &Crowd) {
    let keys: Vec<_> = (0..500).map(|n| format!("/d/{n:03}")).collect();
    alice(crowd.subject()).fill(&keys).await;
    let deleted = Arc::new(AtomicU64::new(0));
    let total = Arc::clone(&deleted);
    crowd
        .run(10, |_, subject| {
            let total = Arc::clone(&total);
            async move {
                let prefix = prefix("/d/");
                let clear = Operation::delete_prefix(prefix);
                match alice(&*subject).apply(clear).await {
                    Outcome::Deleted(keys) => total.fetch_add(keys, Ordering::SeqCst),
                    other => panic!("{other:?}"),
                };
            }
        })
        .await;
    assert_eq!(deleted.load(Ordering::SeqCst), 500);
}
