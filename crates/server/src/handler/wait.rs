//! Reads that wait for a key to appear or to change.

use prominence_core::Entry;
use prominence_core::permit::{Principal, ReadPermit};

use crate::app::App;
use crate::conditional::ReadConditions;
use crate::failure::Failure;
use crate::hold::{Holder, Wait, Woken};

/// The entry of a key once there is something new about it, or as it is when the time is over.
///
/// An expiry is something new at its very instant, although the store removes the entry, and
/// tells of it, only later.
pub(super) async fn entry(
    app: &App,
    who: &Principal,
    permit: &ReadPermit,
    conditions: &ReadConditions<'_>,
    (holder, wait): (Holder, Wait),
) -> Result<Option<Entry>, Failure> {
    // What can be answered at once takes nobody's place.
    let entry = permit.get().await?;
    if conditions.are_met_by(entry.as_ref()) {
        return Ok(entry);
    }
    let mut hold = holder.hold(app, who, wait)?;
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
