//! Short forms that most cases use.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;

use crate::change::{Change, ChangeKind};
use crate::commit::{Committed, Condition, Lifetime, Operation, Precondition};
use crate::error::{Mismatch, StoreError};
use crate::key::{Key, Prefix};
use crate::limits::DEFAULT_VALUE_BYTES;
use crate::namespace::Job;
use crate::scan::{Depth, Item, Order, PageLimit, Projection, Scan};
use crate::value::Value;
use crate::write_id::WriteId;

pub(super) fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

pub(super) fn prefix(text: &str) -> Prefix {
    Prefix::parse(text).unwrap()
}

pub(super) fn value(bytes: impl Into<Bytes>) -> Value {
    Value::new(bytes, DEFAULT_VALUE_BYTES).unwrap()
}

pub(super) fn job(id: &str) -> Job {
    Job::parse(id).unwrap()
}

pub(super) fn write_id(id: &str) -> WriteId {
    WriteId::parse(id.as_bytes()).unwrap()
}

pub(super) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) const MILLISECOND: Duration = Duration::from_millis(1);

pub(super) fn set(name: &str, bytes: impl Into<Bytes>) -> Operation {
    set_for(name, bytes, Lifetime::Permanent)
}

pub(super) fn set_for(name: &str, bytes: impl Into<Bytes>, lifetime: Lifetime) -> Operation {
    Operation::Set {
        key: key(name),
        value: value(bytes),
        lifetime,
    }
}

pub(super) fn add(name: &str, by: i64) -> Operation {
    Operation::Add { key: key(name), by }
}

pub(super) fn delete(name: &str) -> Operation {
    Operation::Delete { key: key(name) }
}

pub(super) fn renew(name: &str, hold: Duration) -> Operation {
    Operation::Renew {
        key: key(name),
        hold,
    }
}

pub(super) fn release(name: &str) -> Operation {
    Operation::Release { key: key(name) }
}

pub(super) fn when(name: &str, expect: Precondition) -> Condition {
    Condition {
        key: key(name),
        expect,
    }
}

/// A scan of all keys that the prefix shows, by name, on pages of the largest size.
pub(super) fn scan(text: &str) -> Scan {
    Scan {
        prefix: prefix(text),
        after: None,
        limit: PageLimit::MAX,
        order: Order::Ascending,
        depth: Depth::All,
        projection: Projection::Keys,
    }
}

pub(super) fn limit(items: usize) -> PageLimit {
    PageLimit::new(items).unwrap()
}

pub(super) fn names(items: &[Item]) -> Vec<&str> {
    items.iter().map(Item::name).collect()
}

/// The changes as text, such as `put /a` and `delete /b`.
pub(super) fn told(changes: &[Change]) -> Vec<String> {
    let tell = |change: &Change| {
        let verb = match change.kind {
            ChangeKind::Put(_) => "put",
            ChangeKind::Delete => "delete",
            ChangeKind::Expire => "expire",
        };
        format!("{verb} {}", change.key)
    };
    changes.iter().map(tell).collect()
}

/// Polls a future once, without waiting for it.
pub(super) async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

/// Lets other tasks run. With an engine that never waits, a loop would otherwise block its thread.
pub(super) async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Asserts that a commit was refused because a condition did not hold.
#[track_caller]
pub(super) fn assert_mismatch(answer: Result<Committed, StoreError>, name: &str, found: Mismatch) {
    match answer {
        Err(StoreError::PreconditionFailed { key, reason }) => {
            assert_eq!((key.as_str(), reason), (name, found));
        }
        other => panic!("{name}: {other:?} instead of the failure {found:?}"),
    }
}

/// Asserts that the deletion of a prefix was refused because of its number of keys.
#[track_caller]
pub(super) fn assert_other_count(answer: Result<Committed, StoreError>, text: &str, keys: u64) {
    match answer {
        Err(StoreError::OtherCount { prefix, found, .. }) => {
            assert_eq!((prefix.as_str(), found), (text, keys));
        }
        other => panic!("{text} should have failed with {keys} keys, not {other:?}"),
    }
}

/// Asserts that a commit was refused because a value is not a number.
#[track_caller]
pub(super) fn assert_no_number(answer: Result<Committed, StoreError>, name: &str) {
    match answer {
        Err(StoreError::NotANumber { key, .. }) => assert_eq!(key.as_str(), name),
        other => panic!("{name}: {other:?} instead of a refused number"),
    }
}
