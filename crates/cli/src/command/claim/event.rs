//! The events of `--json`.

use serde::Serialize;

/// An event of a key or of the run.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Event {
    /// A key was claimed, and its command begins.
    Claimed {
        key: String,
        attempt: u64,
        revision: u64,
    },
    /// The command succeeded and the key was deleted.
    Done { key: String, attempt: u64 },
    /// The command failed.
    Failed {
        key: String,
        attempt: u64,
        /// Its exit status, as shells count it.
        status: u8,
    },
    /// The key was claimed too often without success and was moved.
    Moved {
        key: String,
        attempt: u64,
        to: String,
    },
    /// The claim was lost, and its command was stopped if it still ran.
    Lost {
        key: String,
        attempt: u64,
        reason: String,
    },
    /// No key is free, and other workers have claimed keys.
    Waiting {
        /// Their number.
        held: u64,
        /// The first of them.
        keys: Vec<HeldKey>,
    },
}

/// A key that is claimed.
#[derive(Clone, Debug, Serialize)]
pub(super) struct HeldKey {
    pub(super) key: String,
    /// The end of the claim, unless it is renewed.
    pub(super) claimed_until: String,
    /// The job of the worker, if its token names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) claimed_by: Option<String>,
    /// The number of claims since its value was set.
    pub(super) claims: u32,
}
