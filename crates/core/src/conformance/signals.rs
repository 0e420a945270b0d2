//! Listening: a signal for every change that the listener waits for.

use std::task::Poll;

use super::Subject;
use super::shorthand::{delete, key, poll_once, prefix, seconds, set};
use super::space::{alice, space};
use crate::change::Interest;
use crate::scan::Visibility;

fn one(name: &str) -> Interest {
    Interest::Key(key(name))
}

fn all(text: &str) -> Interest {
    Interest::Prefix(prefix(text))
}

pub async fn every_kind_of_change_of_a_key_signals_it(subject: &dyn Subject) {
    let alice = alice(subject);
    let created = alice.listen(&one("/a")).await;
    alice.set("/a", "1").await;
    created.await;
    let replaced = alice.listen(&one("/a")).await;
    alice.commit(vec![set("/b", "1"), set("/a", "1")]).await;
    replaced.await;
    let claimed = alice.listen(&one("/a")).await;
    alice.claim("/a", seconds(10)).await;
    claimed.await;
    let deleted = alice.listen(&one("/a")).await;
    alice.commit(vec![delete("/a")]).await;
    deleted.await;
    alice.lend("/a", "1", seconds(1)).await;
    let expired = alice.listen(&one("/a")).await;
    subject.clock().advance(seconds(1));
    subject.sweep().await;
    expired.await;
}

pub async fn a_change_under_a_prefix_signals_those_who_listen_to_it(subject: &dyn Subject) {
    let alice = alice(subject);
    for text in ["/", "/a", "/a/", "/a/b"] {
        let signal = alice.listen(&all(text)).await;
        alice.set("/a/b", "1").await;
        signal.await;
    }
    let signal = alice.listen(&all("/a/")).await;
    alice.delete_prefix("/").await;
    signal.await;
}

pub async fn hidden_keys_signal_those_who_name_them(subject: &dyn Subject) {
    let alice = alice(subject);
    for name in ["/a/_internal_", "/a/_internal_/b"] {
        let signal = alice.listen(&one(name)).await;
        alice.set(name, "1").await;
        signal.await;
    }
}

pub async fn a_change_after_listening_began_is_signalled_later_too(subject: &dyn Subject) {
    let alice = alice(subject);
    let signal = alice.listen(&all("/a/")).await;
    alice.set("/a/b", "1").await;
    // The signal comes before it is waited for, and its change can be read.
    assert_eq!(alice.count("/a/", Visibility::Listed).await, 1);
    signal.await;
}

pub async fn a_signal_that_is_dropped_takes_no_other_with_it(subject: &dyn Subject) {
    let alice = alice(subject);
    let bob = space(subject, "bob");
    let kept = alice.listen(&one("/a")).await;
    drop(alice.listen(&one("/a")).await);
    let mut own = bob.listen(&one("/b")).await;
    assert!(matches!(poll_once(&mut own).await, Poll::Pending));
    drop(own);
    alice.set("/a", "1").await;
    kept.await;
}
