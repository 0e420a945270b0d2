//! The namespaces of a store, with the usage of each.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Bound;

use prominence_core::{Namespace, StoreError, Usage};

use crate::embedded::storage::database::{Snapshot, Table};
use crate::embedded::storage::format::{self, Kind};
use crate::embedded::storage::keys;

/// The order of the namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ranking {
    /// Those with the most bytes.
    Bytes,
    /// Those with the most keys.
    Keys,
    /// By their names.
    Name,
}

/// The first namespaces of a ranking, and the usage of all. Entries that have expired and are not
/// yet removed count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// The first of them.
    pub first: Vec<(Namespace, Usage)>,
    /// The number of namespaces, empty ones included.
    pub count: u64,
    /// Keys of all.
    pub keys: u64,
    /// Bytes of all.
    pub bytes: u64,
}

/// The first `limit` namespaces. Takes memory for these alone, however many there are.
pub(in crate::embedded) fn list(
    snapshot: &Snapshot<'_>,
    ranking: Ranking,
    limit: NonZeroUsize,
) -> Result<Namespaces, StoreError> {
    let mut all = Namespaces::default();
    let mut first = BTreeMap::new();
    let start = Bound::Included(keys::FIRST_NAMESPACE.to_vec());
    // Names are UTF-8, in which this byte does not occur.
    for row in snapshot.rows(Table::Namespaces, start, &[u8::MAX]) {
        let (key, row) = row?;
        let namespace = keys::read_namespace(&key)
            .ok_or_else(|| format::damaged(Kind::Namespace, &key, "has no legal name"))?;
        let usage = format::decode_namespace(&key, &row)?.usage;
        // The service's own records are nobody's usage.
        if namespace.is_system() {
            continue;
        }
        all.count += 1;
        all.keys += usage.keys;
        all.bytes += usage.bytes;
        let rank = match ranking {
            Ranking::Bytes => usage.bytes,
            Ranking::Keys => usage.keys,
            Ranking::Name => 0,
        };
        first.insert((Reverse(rank), namespace), usage);
        if first.len() > limit.get() {
            first.pop_last();
        }
    }
    all.first = first
        .into_iter()
        .map(|((_, namespace), usage)| (namespace, usage))
        .collect();
    Ok(all)
}
