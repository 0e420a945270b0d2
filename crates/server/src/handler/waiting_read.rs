//! Reads that wait: for a key to exist or to change, for a prefix to have enough keys.

use prominence_core::permit::{ListPermit, ReadPermit};
use prominence_core::{Count, Entry, Prefix};
use tokio::time::Instant;

use super::call::Call;
use crate::failure::Failure;
use crate::request::conditional::ReadConditions;
use crate::request::parameters::Wait;
use crate::wait::long_poll::{LongPollKind, Woken};

/// The entry of a key once it meets the conditions, or as it is at the end of the wait.
///
/// An expiry wakes the wait at its very instant, although the store removes the entry, and signals that, only
/// later.
pub(super) async fn entry(
    call: &Call,
    permit: &ReadPermit,
    conditions: &ReadConditions,
    wait: Wait,
) -> Result<Option<Entry>, Failure> {
    // An answer that is there at once takes no slot of a long poll.
    let entry = permit.get().await?;
    if conditions.are_met_by(entry.as_ref()) {
        return Ok(entry);
    }
    let mut poll = call.long_poll(LongPollKind::Key, wait)?;
    loop {
        // Before the read: a change between the two is signalled.
        let signal = permit.listen().await?;
        let entry = permit.get().await?;
        if conditions.are_met_by(entry.as_ref()) {
            return Ok(entry);
        }
        // Only the instant is kept: many waits would otherwise keep many values.
        let expires = entry.and_then(|entry| entry.metadata.expires);
        match poll.sleep(signal, expires).await? {
            Woken::Changed => {}
            Woken::TimedOut => return Ok(permit.get().await?),
        }
    }
}

/// The number of keys under a prefix once there are so many, or as it is at the end of the wait.
pub(super) async fn count(
    call: &Call,
    (permit, prefix): (&ListPermit, &Prefix),
    at_least: u64,
    wait: Wait,
) -> Result<Count, Failure> {
    let mut poll = call.long_poll(LongPollKind::Barrier, wait)?;
    let barrier = call.app.barriers.of(&call.who.user, prefix);
    let mut signal = permit.listen().await?;
    let mut count = barrier.count_since(permit, Instant::now()).await?;
    while count.keys < at_least {
        match poll.sleep(signal, None).await? {
            Woken::Changed => {}
            // Once more, because keys may have expired since, and that is not signalled in time.
            Woken::TimedOut => return barrier.count_since(permit, Instant::now()).await,
        }
        signal = permit.listen().await?;
        // The count has to begin after this signal, or a change in between would be missed.
        let recount = barrier.count_change(permit, Instant::now());
        match poll.during(recount).await? {
            Some(recounted) => count = recounted?,
            None => return barrier.count_since(permit, Instant::now()).await,
        }
    }
    Ok(count)
}
