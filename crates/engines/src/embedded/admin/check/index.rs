//! The expiry index: each of its rows has an entry, and none is before the floor.

use std::ops::Bound;

use prominence_core::{StoreError, Timestamp};

use super::report::FindingKind;
use super::walk::{At, Walker, shown};
use crate::embedded::storage::database::Table;
use crate::embedded::storage::format;
use crate::embedded::storage::keys;

/// Sorts after every row of the index: an instant is 8 bytes, and text has no such byte.
const END: &[u8] = &[u8::MAX; 9];

/// Checks the index.
pub(super) fn check(walker: &mut Walker<'_, '_>) -> Result<(), StoreError> {
    let floor = walker.snapshot.expiry_floor();
    let at = At::new(Table::Namespaces, None);
    // Where it can't be read, it is noted, and no row is before it.
    let floor = walker
        .readable(&at, keys::EXPIRY_FLOOR, floor)?
        .unwrap_or_default();
    let range = (Bound::Unbounded, END);
    walker.walk(Table::Expiry, None, range, &mut |walker, key, row| {
        check_row(walker, floor, &key, &row)
    })?;
    Ok(())
}

fn check_row(
    walker: &mut Walker<'_, '_>,
    floor: Timestamp,
    row_key: &[u8],
    row: &[u8],
) -> Result<(), StoreError> {
    let Some((instant, namespace, key)) = keys::read_expiry(row_key) else {
        let at = At::new(Table::Expiry, None);
        let explanation = "this is no place in the index";
        walker.note(
            FindingKind::IllegalKey,
            &at,
            Some(shown(row_key)),
            explanation,
        );
        return Ok(());
    };
    let at = At::new(Table::Expiry, Some(&namespace));
    let shown_key = Some(shown(key.as_str().as_bytes()));
    if instant < floor {
        let explanation = format!(
            "the row is of {} ms, and the index is said to begin at {} ms, so the entry would \
             not be removed",
            instant.as_millis(),
            floor.as_millis()
        );
        walker.note(
            FindingKind::BelowExpiryFloor,
            &at,
            shown_key.clone(),
            explanation,
        );
    }
    let bytes = format::decode_expiry(row_key, row);
    let Some(bytes) = walker.readable(&at, row_key, bytes)? else {
        return Ok(());
    };
    let metadata = match walker.snapshot.metadata(&namespace, &key) {
        Ok(metadata) => metadata,
        // It was noted with the entries.
        Err(StoreError::Corrupt { .. }) => return Ok(()),
        Err(error) => return walker.unreadable(&at, error),
    };
    let explanation = match metadata {
        None => "there is no such entry".to_owned(),
        Some(metadata) if metadata.expires != Some(instant) => {
            "the entry expires at another instant, or never".to_owned()
        }
        Some(metadata) => {
            let counted = (key.as_str().len() + metadata.size) as u64;
            if counted == bytes {
                return Ok(());
            }
            format!("the row counts {bytes} bytes, and the entry has {counted}")
        }
    };
    walker.note(FindingKind::StaleIndex, &at, shown_key, explanation);
    Ok(())
}
