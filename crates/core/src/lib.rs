//! The data and the rules of the key-value store, without its storage.
//!
//! | module | contents |
//! | --- | --- |
//! | [`namespace`], [`key`], [`value`], [`revision`], [`time`], [`write_id`] | values that parsing has checked |
//! | [`entry`], [`commit`], [`scan`], [`change`] | the types of the [`Store`] trait |
//! | [`store`] | the trait, with its whole contract |
//! | [`rules`] | the effects of a commit, as pure functions that all engines use |
//! | [`listing`] | the results of listings, counts and reads of a log, for all engines |
//! | [`permit`] | permissions; a caller reaches a store only through them |
//! | [`registry`] | the service's own records, in a namespace that no token can name |
//! | [`limits`] | every limit on data, in one place |
//! | [`memory`] | the reference engine: the rules over a map |
//! | `conformance` | the cases that every engine has to pass (feature `conformance`) |
//!
//! **Invariant:** nothing here reads a clock, a file, a socket or a token. Time is passed in.

pub mod change;
pub mod clock;
pub mod commit;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod entry;
pub mod error;
pub mod key;
pub mod limits;
pub mod listing;
pub mod memory;
pub mod namespace;
pub mod permit;
pub mod registry;
pub mod revision;
pub mod rules;
pub mod scan;
pub mod store;
pub mod time;
pub mod value;
pub mod write_id;

pub use change::{
    Cause, Change, ChangeKind, Changes, Cursor, Extent, Interest, Put, PutState, Signal,
};
pub use clock::Clock;
pub use commit::{Commit, Committed, Condition, Lifetime, Operation, Outcome, Precondition};
pub use entry::{Entry, Metadata};
pub use error::StoreError;
pub use key::{Key, Prefix};
pub use limits::{PartialQuota, Quota, Quotas};
pub use namespace::{Job, Namespace};
pub use permit::{Gate, Principal};
pub use registry::Registry;
pub use revision::Revision;
pub use scan::{
    Count, CountScan, Depth, FolderCount, Item, Order, Page, PageLimit, Projection, Scan,
    Visibility,
};
pub use store::{Store, Usage};
pub use time::Timestamp;
pub use value::Value;
pub use write_id::WriteId;
