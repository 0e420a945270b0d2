//! Every limit on data, in one place, each with its reason.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::Duration;

use crate::namespace::Namespace;

/// Bytes of a key in canonical form (with its leading `/`). Long enough for deep paths, and so short that an index
/// block holds several keys.
pub const MAX_KEY_BYTES: usize = 1_024;

/// Bytes of a namespace's name. Longer than any user name or e-mail address in known tokens.
pub const MAX_NAMESPACE_BYTES: usize = 256;

/// Bytes of a job's identifier. It is repeated in every entry that the job writes.
pub const MAX_JOB_BYTES: usize = 256;

/// Bytes of a write id: twice the 32 hexadecimal digits that the client sends. It is stored in each entry that was set
/// with one.
pub const MAX_WRITE_ID_BYTES: usize = 64;

/// Bytes of a value unless the operator sets another limit: "16 KB".
pub const DEFAULT_VALUE_BYTES: usize = 16_384;

/// The largest limit that an operator may set for a value. An object store is better for larger ones, and etcd refuses
/// requests of 1.5 MiB.
pub const MAX_VALUE_BYTES: usize = 1_048_576;

/// Operations, and also conditions, in one commit. etcd accepts 128 operations in a transaction, and every engine has
/// to support the largest commit.
pub const MAX_COMMIT_OPERATIONS: usize = 100;

/// The longest claim. A worker that dies keeps its claim until the claim ends, so claims should be short and be
/// renewed; the limit is longer than most batch systems let a job run.
pub const MAX_CLAIM: Duration = Duration::from_secs(7 * 86_400);

/// Keys on one page of a scan.
pub const MAX_PAGE_KEYS: usize = 10_000;

/// Bytes of keys and values after which a page ends before its limit of keys. Bounds the memory of one request,
/// whatever the size of the values.
pub const MAX_PAGE_BYTES: usize = 8 * 1_024 * 1_024;

/// The largest limit on the keys that are counted in each folder of a page: a person who reads the
/// count needs no more, and a whole count is a request of its own.
pub const MAX_FOLDER_COUNT: u64 = 10_000;

/// Keys that are counted in the folders of a page after which it ends although more items were asked
/// for: some tens of milliseconds of work.
pub const MAX_PAGE_COUNTED: u64 = 100_000;

/// The largest number of changes that are returned at once.
pub const MAX_CHANGES: NonZeroUsize = NonZeroUsize::new(1_000).unwrap();

/// The limits of one namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Number of keys.
    pub keys: u64,
    /// Bytes of all keys and values together.
    pub bytes: u64,
}

impl Quota {
    /// Limits that can't be reached; for tests and for engines opened by administrators.
    pub const UNLIMITED: Self = Self {
        keys: u64::MAX,
        bytes: u64::MAX,
    };
}

/// A quota of one namespace; what is left out is as usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartialQuota {
    /// Number of keys.
    pub keys: Option<u64>,
    /// Total bytes of keys and values.
    pub bytes: Option<u64>,
}

impl PartialQuota {
    fn over(self, usual: Quota) -> Quota {
        Quota {
            keys: self.keys.unwrap_or(usual.keys),
            bytes: self.bytes.unwrap_or(usual.bytes),
        }
    }
}

/// The quota of each namespace: the usual one, and others for some. Clones share them, so that a change counts for every
/// commit that is planned after it.
#[derive(Clone, Debug, Default)]
pub struct Quotas(Arc<RwLock<QuotaTable>>);

#[derive(Debug, Default)]
struct QuotaTable {
    usual: Quota,
    of_some: HashMap<Namespace, PartialQuota>,
}

impl Quotas {
    /// The quota of a namespace. The service's own has none: its records have bounds of their own.
    #[must_use]
    pub fn of(&self, namespace: &Namespace) -> Quota {
        if namespace.is_system() {
            return Quota::UNLIMITED;
        }
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match table.of_some.get(namespace) {
            Some(own) => own.over(table.usual),
            None => table.usual,
        }
    }

    /// Gives this quota to namespaces as far as they have none of their own.
    pub fn set_usual(&self, usual: Quota) {
        self.table().usual = usual;
    }

    /// Gives these namespaces quotas of their own, and all others the usual one.
    pub fn replace(&self, quotas: HashMap<Namespace, PartialQuota>) {
        self.table().of_some = quotas;
    }

    /// Gives a namespace a quota of its own, or the usual one again.
    pub fn set(&self, namespace: Namespace, quota: Option<PartialQuota>) {
        let mut table = self.table();
        match quota {
            Some(quota) => table.of_some.insert(namespace, quota),
            None => table.of_some.remove(&namespace),
        };
    }

    fn table(&self) -> RwLockWriteGuard<'_, QuotaTable> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Quota> for Quotas {
    fn from(usual: Quota) -> Self {
        let table = QuotaTable {
            usual,
            of_some: HashMap::new(),
        };
        Self(Arc::new(RwLock::new(table)))
    }
}

impl Default for Quota {
    /// A million keys and a gibibyte: far more than jobs share, and far less than a disk holds.
    fn default() -> Self {
        Self {
            keys: 1_000_000,
            bytes: 1 << 30,
        }
    }
}
