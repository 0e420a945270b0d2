//! Pages of a listing, and usage.
//!
//! The cost of a page grows with its items: a folder of a one-level listing is passed with one
//! seek however many keys are in it, and so is what a listing leaves out.

use std::cell::Cell;
use std::ops::Bound;
use std::time::Duration;

use bytes::Bytes;
use prominence_core::entry::Metadata;
use prominence_core::listing::{PageBuilder, Step};
use prominence_core::{
    Entry, Item, Key, Namespace, Order, Page, Prefix, Projection, Scan, StoreError, Timestamp,
    Usage,
};

use crate::embedded::storage::database::{Snapshot, Table, entry_of};
use crate::embedded::storage::format;
use crate::embedded::storage::keys;

/// One page.
pub(in crate::embedded) fn page(
    snapshot: &Snapshot<'_>,
    namespace: &Namespace,
    scan: &Scan,
    seen: &Seen,
) -> Result<Page, StoreError> {
    let revision = snapshot.namespace(namespace)?.usage.revision;
    let mut page = PageBuilder::new(scan);
    let visit: &mut Visitor<'_> = &mut |key, row| {
        let live = || {
            let metadata = row.metadata()?;
            Ok(seen.is_live(&metadata).then_some(metadata))
        };
        let item = |key, metadata| {
            Ok(match scan.projection {
                Projection::Keys => Item::Key(key),
                Projection::Details => Item::Details(key, metadata),
                // The value may be elsewhere, so it is read only where it is wanted.
                Projection::Entries => Item::Entry(key, row.entry()?),
            })
        };
        page.add(key, live, item)
    };
    match scan.order {
        Order::Ascending => {
            walk(
                snapshot,
                namespace,
                &scan.prefix,
                scan.after.as_ref(),
                visit,
            )?;
        }
        Order::Descending => walk_back(snapshot, namespace, scan, visit)?,
    }
    Ok(page.finish(revision))
}

/// The entries that are stored, without those that have expired and are not yet removed.
pub(in crate::embedded) fn usage(
    snapshot: &Snapshot<'_>,
    namespace: &Namespace,
    seen: &Seen,
) -> Result<Usage, StoreError> {
    let mut usage = snapshot.namespace(namespace)?.usage;
    let start = keys::instant_start(snapshot.expiry_floor()?).to_vec();
    let end = keys::instant_start(seen.now.after(Duration::from_millis(1)));
    for row in snapshot.rows(Table::Expiry, Bound::Included(start), &end) {
        let (key, row) = row?;
        if keys::read_expiry(&key).is_some_and(|(_, owner, _)| owner == *namespace) {
            seen.expired.set(true);
            usage.keys = usage.keys.saturating_sub(1);
            usage.bytes = usage
                .bytes
                .saturating_sub(format::decode_expiry(&key, &row)?);
        }
    }
    Ok(usage)
}

/// Visits the key and metadata of the stored entries under a prefix from a key on, which may be the
/// prefix, expired ones included.
pub(in crate::embedded) fn stored<'a>(
    snapshot: &Snapshot<'a>,
    namespace: &'a Namespace,
    prefix: &Prefix,
    from: &str,
) -> impl Iterator<Item = Result<(Key, Metadata), StoreError>> + use<'a> {
    let start = [keys::namespace(namespace).as_slice(), from.as_bytes()].concat();
    let end = keys::after_prefix(&keys::entries(namespace, prefix)).unwrap_or_default();
    let decoder = snapshot.clone();
    let rows = snapshot.entries(Bound::Included(start), &end);
    rows.map(move |row| {
        let (key, row_key, row) = entry_of(namespace, row)?;
        let metadata = decoder.decode_metadata(&row_key, &row)?;
        Ok((key, metadata))
    })
}

/// The time of a read, and whether it met entries that had expired by then.
pub(in crate::embedded) struct Seen {
    now: Timestamp,
    expired: Cell<bool>,
}

impl Seen {
    pub(in crate::embedded) fn at(now: Timestamp) -> Self {
        Self {
            now,
            expired: Cell::new(false),
        }
    }

    pub(in crate::embedded) fn now(&self) -> Timestamp {
        self.now
    }

    /// True if something was left out because it had expired.
    pub(in crate::embedded) fn is_without_expired(&self) -> bool {
        self.expired.get()
    }

    pub(super) fn is_live(&self, metadata: &Metadata) -> bool {
        let is_live = metadata.is_live(self.now);
        if !is_live {
            self.expired.set(true);
        }
        is_live
    }
}

/// Is shown stored keys, and says which one comes next.
pub(super) type Visitor<'v> = dyn FnMut(Key, Row<'_>) -> Result<Step, StoreError> + 'v;

/// A row whose entry is read only where it is needed.
pub(super) struct Row<'a> {
    snapshot: &'a Snapshot<'a>,
    key: &'a [u8],
    row: &'a Bytes,
}

impl Row<'_> {
    fn entry(&self) -> Result<Entry, StoreError> {
        self.snapshot.decode_entry(self.key, self.row)
    }

    pub(super) fn metadata(&self) -> Result<Metadata, StoreError> {
        self.snapshot.decode_metadata(self.key, self.row)
    }
}

/// Shows the keys under `prefix` that sort after `after` to `visit`, and goes on where it says.
pub(super) fn walk(
    snapshot: &Snapshot<'_>,
    namespace: &Namespace,
    prefix: &Prefix,
    after: Option<&Prefix>,
    visit: &mut Visitor<'_>,
) -> Result<(), StoreError> {
    let base = keys::namespace(namespace);
    let first = keys::entries(namespace, prefix);
    // A row key ends in text, whose bytes are never 0xff, so there is always an end.
    let end = keys::after_prefix(&first).unwrap_or_default();
    let mut start = match after {
        Some(after) if after >= prefix => Bound::Excluded(keys::entries(namespace, after)),
        _ => Bound::Included(first),
    };
    'seek: loop {
        for row in snapshot.entries(start, &end) {
            match show(snapshot, namespace, row, visit)? {
                Step::Next => {}
                Step::Stop => return Ok(()),
                Step::Seek(to) => {
                    start = Bound::Included([base.as_slice(), to.as_bytes()].concat());
                    continue 'seek;
                }
            }
        }
        return Ok(());
    }
}

/// Shows the keys of a descending scan to `visit`, and goes on where it says.
fn walk_back(
    snapshot: &Snapshot<'_>,
    namespace: &Namespace,
    scan: &Scan,
    visit: &mut Visitor<'_>,
) -> Result<(), StoreError> {
    let base = keys::namespace(namespace);
    let before = |text: &str| [base.as_slice(), text.as_bytes()].concat();
    let start = keys::entries(namespace, &scan.prefix);
    let mut end = keys::after_prefix(&start).unwrap_or_default();
    if let Some(text) = scan.end() {
        end = end.min(before(&text));
    }
    'seek: loop {
        for row in snapshot.entries_back(Bound::Included(start.clone()), &end) {
            match show(snapshot, namespace, row, visit)? {
                Step::Next => {}
                Step::Stop => return Ok(()),
                Step::Seek(to) => {
                    end = before(&to);
                    continue 'seek;
                }
            }
        }
        return Ok(());
    }
}

fn show(
    snapshot: &Snapshot<'_>,
    namespace: &Namespace,
    row: Result<(Bytes, Bytes), StoreError>,
    visit: &mut Visitor<'_>,
) -> Result<Step, StoreError> {
    let (key, row_key, row) = entry_of(namespace, row)?;
    let row = Row {
        snapshot,
        key: &row_key,
        row: &row,
    };
    visit(key, row)
}
