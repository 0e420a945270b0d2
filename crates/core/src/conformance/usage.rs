//! The usage of a namespace is equal to a recount of its keys.

use super::Subject;
use super::shorthand::{add, delete, seconds, set, set_for};
use super::space::{Space, alice};
use crate::commit::Lifetime;
use crate::key::Key;
use crate::scan::Visibility;
use crate::store::Usage;

/// Asserts that the usage is that of the existing keys among `names`, and that no other exists.
async fn assert_recounted(space: &Space<'_>, names: &[&str]) {
    let mut recount = Usage::default();
    for name in names {
        if let Some(entry) = space.get(name).await {
            let key = Key::parse(name).unwrap();
            recount.keys += 1;
            recount.bytes += (key.as_str().len() + entry.value.len()) as u64;
        }
    }
    recount.revision = space.usage().await.revision;
    assert_eq!(space.usage().await, recount);
    assert_eq!(space.count("/", Visibility::All).await, recount.keys);
}

pub async fn usage_counts_keys_and_bytes(subject: &dyn Subject) {
    let alice = alice(subject);
    assert_eq!(alice.usage().await, Usage::default());
    let revision = alice.set("/é", "12345").await;
    let wanted = Usage {
        keys: 1,
        bytes: 8,
        revision,
    };
    assert_eq!(alice.usage().await, wanted, "in bytes, not in characters");
    let revision = alice.set("/_internal_/x", "").await;
    let wanted = Usage {
        keys: 2,
        bytes: 21,
        revision,
    };
    assert_eq!(alice.usage().await, wanted, "hidden keys included");
}

pub async fn usage_follows_every_kind_of_change(subject: &dyn Subject) {
    let alice = alice(subject);
    let names = ["/a", "/b", "/c", "/d/e", "/d/f", "/_internal_/g"];
    for name in names {
        alice.set(name, name.repeat(3)).await;
        assert_recounted(&alice, &names).await;
    }
    alice.set("/a", "shorter").await;
    assert_recounted(&alice, &names).await;
    alice
        .commit(vec![delete("/b"), set("/c", "99"), delete("/b0")])
        .await;
    assert_recounted(&alice, &names).await;
    alice.add("/c", 1).await;
    assert_recounted(&alice, &names).await;
    alice.claim("/", seconds(1)).await;
    assert_recounted(&alice, &names).await;
    alice.delete_prefix("/d/").await;
    assert_recounted(&alice, &names).await;
    alice.delete_prefix("/").await;
    assert_recounted(&alice, &names).await;
    assert_eq!(alice.usage().await.bytes, 0);
}

pub async fn usage_leaves_out_what_expired_before_and_after_a_sweep(subject: &dyn Subject) {
    let alice = alice(subject);
    let names = ["/a", "/b", "/c", "/n"];
    for (ttl, name) in (1..).zip(names) {
        let lifetime = Lifetime::For(seconds(ttl));
        alice.apply(set_for(name, "1", lifetime)).await;
    }
    for left in (0..4).rev() {
        subject.clock().advance(seconds(1));
        assert_eq!(alice.usage().await.keys, left);
        assert_recounted(&alice, &names).await;
        if left % 2 == 0 {
            subject.sweep().await;
            assert_recounted(&alice, &names).await;
        }
    }
    alice.commit(vec![set("/a", "1"), add("/n", 1)]).await;
    assert_recounted(&alice, &names).await;
    subject.sweep().await;
    assert_recounted(&alice, &names).await;
    assert_eq!(alice.usage().await.keys, 2);
}

pub async fn usage_tells_the_latest_revision(subject: &dyn Subject) {
    let alice = alice(subject);
    let first = alice.set("/a", "1").await;
    assert_eq!(alice.usage().await.revision, first);
    let deleted = alice.commit(vec![delete("/a")]).await.revision;
    assert_eq!(alice.usage().await.revision, deleted);
    alice.commit(vec![delete("/a")]).await;
    assert_eq!(alice.usage().await.revision, deleted);
    alice.lend("/a", "1", seconds(1)).await;
    subject.clock().advance(seconds(1));
    subject.sweep().await;
    let swept = alice.usage().await.revision;
    assert!(swept > deleted);
    assert!(alice.set("/a", "1").await > swept);
}
