//! Reads that wait: for a key to appear or to change, for a prefix to have enough keys.

use prominence_core::permit::{ListPermit, Principal, ReadPermit};
use prominence_core::{Count, Entry, Prefix};
use tokio::time::Instant;

use crate::app::App;
use crate::conditional::ReadConditions;
use crate::failure::Failure;
use crate::hold::{Held, Holder, Wait, Woken};

/// The entry of a key once there is something new about it, or as it is when the time is over.
///
/// An expiry is something new at its very instant, although the store removes the entry, and
/// tells of it, only later.
pub(super) async fn entry(
    app: &App,
    who: &Principal,
    permit: &ReadPermit,
    conditions: &ReadConditions,
    (holder, wait): (Holder, Wait),
) -> Result<Option<Entry>, Failure> {
    // What can be answered at once takes nobody's place.
    let entry = permit.get().await?;
    if conditions.are_met_by(entry.as_ref()) {
        return Ok(entry);
    }
    let mut hold = holder.hold(app, who, Held::Wait, wait)?;
    loop {
        let signal = permit.listen().await?;
        let entry = permit.get().await?;
        if conditions.are_met_by(entry.as_ref()) {
            return Ok(entry);
        }
        // The value itself is not kept meanwhile.
        let expires = entry.and_then(|entry| entry.metadata.expires);
        match hold.sleep(signal, expires).await? {
            Woken::Look => {}
            Woken::Late => return Ok(permit.get().await?),
        }
    }
}

/// The number of keys under a prefix once there are so many, or as it is when the time is over.
pub(super) async fn count(
    app: &App,
    who: &Principal,
    (permit, prefix): (&ListPermit, &Prefix),
    at_least: u64,
    (holder, wait): (Holder, Wait),
) -> Result<Count, Failure> {
    let mut hold = holder.hold(app, who, Held::Barrier, wait)?;
    let barrier = app.barriers.of(&who.user, prefix);
    let mut signal = permit.listen().await?;
    let mut count = barrier.count_since(permit, Instant::now()).await?;
    while count.keys < at_least {
        match hold.sleep(signal, None).await? {
            Woken::Look => {}
            // Once more, because keys may have expired since, of which nothing tells.
            Woken::Late => return barrier.count_since(permit, Instant::now()).await,
        }
        signal = permit.listen().await?;
        // The count has to begin after this, or a change in between would be slept through.
        let recount = barrier.count_change(permit, Instant::now());
        match hold.during(recount).await? {
            Some(recounted) => count = recounted?,
            None => return barrier.count_since(permit, Instant::now()).await,
        }
    }
    Ok(count)
}
