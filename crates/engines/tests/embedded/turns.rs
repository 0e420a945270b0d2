//! Reads of several namespaces have their turns.

use std::sync::Arc;

use prominence_core::{
    Commit, Count, CountScan, Depth, Lifetime, Namespace, Operation, Order, PageLimit, Projection,
    Scan, Store as _, StoreError, Value, Visibility,
};
use prominence_engines::EmbeddedStore;
use tokio::task::JoinHandle;

use crate::support::{Gate, alice, everything, key, open, options};

/// More counts than may run and wait.
const COUNTS: usize = 1_200;

/// Keys in one commit.
const BATCH: usize = 100;

fn bob() -> Namespace {
    Namespace::parse("bob").unwrap()
}

fn set(name: &str) -> Operation {
    Operation::Set {
        key: key(name),
        value: Value::stored(vec![b'x'].into()),
        lifetime: Lifetime::Permanent,
    }
}

async fn fill(store: &EmbeddedStore, namespace: &Namespace, names: &[String]) {
    for names in names.chunks(BATCH) {
        let operations = names.iter().map(|name| set(name)).collect();
        let commit = Commit::new(Vec::new(), operations).unwrap();
        store.commit(namespace, None, commit).await.unwrap();
    }
}

async fn count(store: &EmbeddedStore, namespace: &Namespace) -> Result<Count, StoreError> {
    let listed = CountScan::whole(everything(), Visibility::Listed);
    store.count(namespace, &listed).await
}

#[tokio::test]
async fn a_namespace_that_counts_all_the_time_leaves_listings_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Arc::new(Gate::default());
    let store = EmbeddedStore::open(options(folder.path()), gate.clone()).unwrap();
    let store = Arc::new(store);
    fill(&store, &alice(), &["/a".to_owned()]).await;
    fill(&store, &bob(), &["/b".to_owned()]).await;
    // The counts that run stand still, so that all others wait.
    gate.shut();
    let counts: Vec<_> = (0..COUNTS)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { count(&store, &alice()).await })
        })
        .collect();
    // Only one that is refused can end now.
    while !counts.iter().any(JoinHandle::is_finished) {
        tokio::task::yield_now().await;
    }
    let scan = Scan {
        prefix: everything(),
        after: None,
        limit: PageLimit::MAX,
        order: Order::Ascending,
        depth: Depth::All,
        projection: Projection::Keys,
    };
    let who = bob();
    let mut listing = std::pin::pin!(store.scan(&who, &scan));
    tokio::select! {
        biased;
        page = &mut listing => panic!("it did not wait: {page:?}"),
        () = std::future::ready(()) => {}
    }
    gate.open();
    assert_eq!(listing.await.unwrap().items.len(), 1);
    let mut refused = 0;
    for counted in counts {
        match counted.await.unwrap() {
            Ok(count) => assert_eq!(count.keys, 1),
            Err(error) => {
                assert!(error.to_string().contains("too many listings"), "{error}");
                refused += 1;
            }
        }
    }
    assert!(0 < refused && refused < COUNTS, "{refused} were refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_that_are_done_in_turns_count_every_key_once_as_of_their_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path()));
    // More than two slices; a listing hides those that come first.
    let hidden = (0..500).map(|n| format!("/_internal_/{n:05}"));
    let shown = (0..22_000).map(|n| format!("/k/{n:05}"));
    let names: Vec<_> = hidden.chain(shown).collect();
    fill(&store, &alice(), &names).await;
    fill(&store, &bob(), &names[..20_000]).await;
    let revision = count(&store, &alice()).await.unwrap().revision;
    let counts: Vec<_> = (0..40)
        .map(|number| {
            let store = Arc::clone(&store);
            let (who, expected) = match number % 2 {
                0 => (alice(), 22_000),
                _ => (bob(), 19_500),
            };
            tokio::spawn(async move { (count(&store, &who).await.unwrap(), expected) })
        })
        .collect();
    fill(&store, &alice(), &["/k/more".to_owned()]).await;
    for counted in counts {
        let (count, expected) = counted.await.unwrap();
        // One that began after the last commit also counts that.
        let is_later = expected == 22_000 && count.revision > revision;
        assert_eq!(count.keys, expected + u64::from(is_later));
    }
    let all = store
        .count(&alice(), &CountScan::whole(everything(), Visibility::All))
        .await;
    assert_eq!(all.unwrap().keys, names.len() as u64 + 1);
}
