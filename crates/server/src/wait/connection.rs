//! The places of open connections, of which there are only so many.
//!
//! A connection begins as a guest of its address, and becomes one of its user with the first request whose token is
//! valid. Guests and users have places apart, so that connections on which nobody signs in keep no user out. Where
//! all places for guests are taken, the address with most of them loses its oldest that is idle, if it had time enough
//! for a request. Where all for users are, the user with most of them loses the newest to another user.

mod places;
mod proxies;

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use prominence_api::ErrorCode;
use prominence_core::Namespace;
use prominence_engines::fair_permits::{FairPermits, Most, Permit, Sharing};

use crate::failure::Failure;
use crate::identity::source::Source;
use places::{Holder, Loser, Place, Places};
pub use proxies::{Network, Proxies};

/// Users' places for each place of a guest. A guest has its place for as long as a request takes to arrive.
const USERS_PER_GUEST: usize = 8;

/// A guest can lose its place after this time, in which most requests arrive.
const GUEST_TIME: Duration = Duration::from_secs(1);

/// The time after which a new connection looks again whether it gets the place of another guest.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// `Retry-After` where a user has too many connections.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The limits on the places.
pub(crate) struct PlaceLimits {
    /// Addresses whose connections are not limited by address.
    pub(crate) proxies: Proxies,
    /// Connections of users.
    pub(crate) users: usize,
    /// Bytes of heads that are larger than usual.
    pub(crate) head_memory: usize,
    /// The time after which a connection is closed with its next answer.
    pub(crate) lifetime: Duration,
}

/// The places of all connections; cheap to clone.
#[derive(Clone)]
pub(crate) struct Connections {
    lifetime: Duration,
    proxies: Proxies,
    guests: Places<Source>,
    /// Those of proxies, which have many clients.
    of_proxies: Places<Source>,
    members: Places<Namespace>,
    /// The memory of heads that are larger than usual, by source.
    heads: FairPermits<Source>,
}

/// The place of one connection.
pub(crate) struct Standing {
    connections: Connections,
    address: IpAddr,
    source: Source,
    opened: Instant,
    holder: Arc<Holder>,
    place: Mutex<Kind>,
}

enum Kind {
    Guest { _place: Place<Source> },
    Member(Place<Namespace>),
}

/// The places for guests beside so many places for users.
fn guests_of(connections: usize) -> usize {
    connections.div_ceil(USERS_PER_GUEST)
}

/// The places for users where so many connections can be open in all.
pub(crate) fn users_among(open: usize) -> usize {
    let users = open - open.div_ceil(USERS_PER_GUEST + 1);
    users.max(1)
}

impl Connections {
    /// Places within these limits, of which none is taken.
    pub(crate) fn new(limits: PlaceLimits) -> Self {
        let guests = guests_of(limits.users);
        Self {
            lifetime: limits.lifetime,
            proxies: limits.proxies,
            of_proxies: Places::new(limits.users, Loser::OldestAfter(GUEST_TIME)),
            guests: Places::new(guests, Loser::OldestAfter(GUEST_TIME)),
            members: Places::new(limits.users, Loser::Newest),
            heads: FairPermits::new(Sharing {
                total: limits.head_memory,
                waiting: 0,
                most: Most::WhatIsLeft,
            }),
        }
    }

    /// Waits for a place for a new connection from this address, which another guest may lose for it.
    pub(crate) async fn open(&self, address: IpAddr) -> Standing {
        loop {
            if let Some(standing) = self.try_open(address, Instant::now()) {
                return standing;
            }
            tokio::select! {
                () = self.guests.freed() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    fn try_open(&self, address: IpAddr, now: Instant) -> Option<Standing> {
        let holder = Arc::new(Holder::default());
        let source = Source::of(address);
        let guests = match self.proxies.contain(address) {
            true => &self.of_proxies,
            false => &self.guests,
        };
        let place = guests.take(&source, &holder, now)?;
        Some(Standing {
            connections: self.clone(),
            address,
            source,
            opened: now,
            holder,
            place: Mutex::new(Kind::Guest { _place: place }),
        })
    }
}

impl Standing {
    /// Counts the connection as one of this user from now on.
    ///
    /// # Errors
    /// 429 if this user has most of all connections, and no more are left.
    pub(crate) fn admit(&self, user: &Namespace) -> Result<(), Failure> {
        let mut place = self.place();
        if let Kind::Member(place) = &*place
            && place.owner() == user
        {
            return Ok(());
        }
        let members = &self.connections.members;
        let taken = members.take(user, &self.holder, Instant::now());
        let taken = taken.ok_or_else(|| {
            let message = "you have most of the connections that this server can have open; close some, \
                           and try again";
            let failure = Failure::new(ErrorCode::RateLimited, message);
            failure.retry_after(RETRY_AFTER).hang_up()
        })?;
        *place = Kind::Member(taken);
        Ok(())
    }

    /// The address of the client that a request with these headers comes from.
    pub(crate) fn client(&self, headers: &HeaderMap) -> IpAddr {
        self.connections.proxies.client(self.address, headers)
    }

    /// Notes whether the connection only waits for its client: without a request that is read or answered.
    pub(crate) fn set_idle(&self, is_idle: bool) {
        self.holder.is_idle.store(is_idle, Ordering::Relaxed);
    }

    /// Comes when the place is lost.
    pub(crate) async fn lost(&self) {
        self.holder.lost.notified().await;
    }

    /// True if the connection is to be closed with its next answer.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.opened) >= self.connections.lifetime
    }

    /// Memory for a head that is larger than usual; `None` if there is none for this source.
    pub(crate) fn memory_for_head(&self, bytes: usize) -> Option<Permit<Source>> {
        self.connections.heads.try_acquire(&self.source, bytes)
    }

    /// No step under the lock can fail halfway.
    fn place(&self) -> MutexGuard<'_, Kind> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
