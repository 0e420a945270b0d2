//! The memory of requests: bodies while they are read and stored, and answers while they are made and sent, are
//! counted against a budget, by user and in all.
//!
//! Small amounts cost two additions, and count only in all. Large ones are handed out to users in turn: nobody
//! holds more than is left for others, because a client decides how long it takes to read an answer. A request
//! waits for its share before the memory is used.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use prominence_api::ErrorCode;
use prominence_core::Namespace;
use prominence_engines::fair_permits::{Crowded, FairPermits, Most, Permit, Sharing};

use crate::failure::Failure;

/// An amount up to this is small: it fits into the buffers that a connection has anyhow.
pub(crate) const SMALL_BYTES: usize = 32 << 10;

/// The part of the budget that is for small amounts.
const SMALL_SHARE: usize = 4;

/// Requests that may wait for memory. Each has a connection and its head.
const MAX_WAITING: usize = 1_024;

/// `Retry-After` where too many wait.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The budget; cheap to clone.
#[derive(Clone)]
pub(crate) struct MemoryBudget(Arc<Inner>);

struct Inner {
    large: FairPermits<Namespace>,
    /// Bytes of small amounts that are held.
    small: AtomicUsize,
    small_limit: usize,
}

/// Memory that counts until this is dropped.
pub(crate) struct Held(Kind);

enum Kind {
    Small(MemoryBudget, usize),
    Large(Permit<Namespace>),
}

impl MemoryBudget {
    /// A budget of so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        let small_limit = bytes / SMALL_SHARE;
        let large = FairPermits::new(Sharing {
            total: bytes - small_limit,
            waiting: MAX_WAITING,
            most: Most::WhatIsLeft,
        });
        Self(Arc::new(Inner {
            large,
            small: AtomicUsize::new(0),
            small_limit,
        }))
    }

    /// Waits until a user may have so many bytes. More than one user can have at all counts as that.
    ///
    /// # Errors
    /// 503 if too many requests wait for memory.
    pub(crate) async fn take(&self, user: &Namespace, bytes: usize) -> Result<Held, Failure> {
        if let Some(held) = self.take_small(bytes) {
            return Ok(held);
        }
        let permit = self.0.large.acquire(user, bytes).await.map_err(too_many)?;
        Ok(Held(Kind::Large(permit)))
    }

    /// The same, if they can be had at once.
    pub(crate) fn try_take(&self, user: &Namespace, bytes: usize) -> Option<Held> {
        let large = || self.0.large.try_acquire(user, bytes);
        self.take_small(bytes)
            .or_else(|| large().map(|permit| Held(Kind::Large(permit))))
    }

    /// The bytes that are held.
    pub(crate) fn held(&self) -> usize {
        self.0.large.held() + self.0.small.load(Ordering::Relaxed)
    }

    fn take_small(&self, bytes: usize) -> Option<Held> {
        if bytes > SMALL_BYTES {
            return None;
        }
        let held = Held(Kind::Small(self.clone(), bytes));
        let before = self.0.small.fetch_add(bytes, Ordering::Relaxed);
        // Dropping it takes the addition back.
        (before + bytes <= self.0.small_limit).then_some(held)
    }
}

impl Held {
    /// Gives back what is beyond so many bytes.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        match &mut self.0 {
            Kind::Large(permit) => permit.shrink(bytes),
            // It is small already.
            Kind::Small(..) => {}
        }
    }

    /// Bytes that count until all of them are sent.
    pub(crate) fn of(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Counted { bytes, _held: self })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Kind::Small(budget, bytes) = &self.0 {
            budget.0.small.fetch_sub(*bytes, Ordering::Relaxed);
        }
    }
}

/// Bytes, and the memory that they are counted as.
struct Counted {
    bytes: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn too_many(_: Crowded) -> Failure {
    let message = "too many large requests are waiting for memory; nothing was changed";
    Failure::new(ErrorCode::Unavailable, message).retry_after(RETRY_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn user(name: &str) -> Namespace {
        Namespace::parse(name).unwrap()
    }

    #[test]
    fn small_amounts_count_in_all_and_large_ones_by_user() {
        let budget = MemoryBudget::new(16 * MIB);
        let (alice, bob) = (user("alice"), user("bob"));
        let mut of_alice = Vec::new();
        while let Some(held) = budget.try_take(&alice, MIB) {
            of_alice.push(held);
        }
        // Of the 12 MiB for large amounts.
        assert_eq!(of_alice.len(), 6);
        let of_bob = budget.try_take(&bob, 3 * MIB).unwrap();
        let small = budget.try_take(&alice, SMALL_BYTES).unwrap();
        assert_eq!(budget.held(), 9 * MIB + SMALL_BYTES);
        drop((of_alice, of_bob, small));
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn small_amounts_beyond_their_part_count_as_large_ones() {
        let budget = MemoryBudget::new(MIB);
        let alice = user("alice");
        let small: Vec<_> = (0..8)
            .map(|_| budget.try_take(&alice, SMALL_BYTES).unwrap())
            .collect();
        assert_eq!(budget.0.large.held(), 0);
        let more = budget.try_take(&alice, SMALL_BYTES).unwrap();
        assert_eq!(budget.0.large.held(), SMALL_BYTES);
        drop((small, more));
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn bytes_count_until_the_last_part_of_them_is_gone() {
        let budget = MemoryBudget::new(16 * MIB);
        let held = budget.try_take(&user("alice"), MIB).unwrap();
        let mut bytes = held.of(vec![7; MIB].into());
        let part = bytes.split_to(10);
        drop(bytes);
        assert_eq!(budget.held(), MIB);
        assert_eq!(part, [7; 10][..]);
        drop(part);
        assert_eq!(budget.held(), 0);
    }

    #[tokio::test]
    async fn what_a_user_gives_back_is_for_those_who_wait() {
        let budget = MemoryBudget::new(16 * MIB);
        let alice = user("alice");
        let mut first = budget.take(&alice, 100 * MIB).await.unwrap();
        assert_eq!(budget.held(), 6 * MIB);
        let mut second = std::pin::pin!(budget.take(&alice, MIB));
        tokio::select! {
            biased;
            _ = &mut second => panic!("there was nothing left"),
            () = std::future::ready(()) => {}
        }
        first.shrink(4 * MIB);
        assert!(second.await.is_ok());
    }
}
