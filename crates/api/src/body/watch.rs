//! The data of a watch's events.

use prominence_core::{Change, ChangeKind, PutState, Timestamp, Value};
use serde::{Deserialize, Serialize};

use super::{Detail, Text};
use crate::time::rfc3339;

/// The data of an event `put`, `delete` or `expire`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Changed {
    /// The key in canonical form.
    pub key: String,
    /// The commit that changed it.
    pub revision: u64,
    /// The time of the change.
    pub time: String,
    /// The job that made the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// With `put`: bytes of the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// With `put`: the kind of operation. This field and the following ones about the entry are missing if an earlier
    /// version of the server logged the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Cause>,
    /// With `put`: the time at which the key was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// With `put`: the time at which the entry expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// With `put`: the end of the claim on the entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_until: Option<String>,
    /// With `put`: the job of the claim on the entry, if its token named a job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_by: Option<String>,
    /// With `put`: the number of claims since the value was set; missing for 0.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub claims: u32,
    /// With `values`: the value, if it still exists and is valid UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// With `values`: the bytes of the value, if it still exists and is not valid UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_base64: Option<String>,
}

/// The kind of operation that wrote an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// The value was set or added to.
    Set,
    /// The entry was claimed.
    Claim,
    /// The claim was renewed.
    Renew,
    /// The claim was released.
    Release,
}

/// The data of an event `reset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reset {
    /// Later changes follow; a new listing has the state before them.
    pub revision: u64,
}

impl Changed {
    /// A key of a listing, as the event of the change that set it.
    #[must_use]
    pub fn existing(detail: Detail) -> Self {
        Self {
            key: detail.key,
            revision: detail.revision,
            time: detail.modified,
            job: detail.job,
            size: Some(detail.size),
            change: None,
            created: Some(detail.created),
            expires: detail.expires,
            claimed_until: detail.claimed_until,
            claimed_by: detail.claimed_by,
            claims: detail.claims,
            value: detail.value,
            value_base64: detail.value_base64,
        }
    }

    /// A change as an event, with the value if it was requested and still exists.
    #[must_use]
    pub fn of(change: &Change, value: Option<&Value>) -> Self {
        let (value, value_base64) = match value.map(Text::of) {
            None => (None, None),
            Some(Text::Plain(text)) => (Some(text), None),
            Some(Text::Encoded { base64 }) => (None, Some(base64)),
        };
        let put = match &change.kind {
            ChangeKind::Put(put) => Some(put),
            ChangeKind::Delete | ChangeKind::Expire => None,
        };
        let state = put.and_then(|put| put.state.as_ref());
        let instant = |of: fn(&PutState) -> Option<Timestamp>| state.and_then(of).map(rfc3339);
        Self {
            key: change.key.as_str().to_owned(),
            revision: change.at.revision.get(),
            time: rfc3339(change.time),
            job: change.job.as_ref().map(|job| job.as_str().to_owned()),
            size: put.map(|put| put.size as u64),
            change: state.map(|state| state.cause.into()),
            created: instant(|state| Some(state.created)),
            expires: instant(|state| state.expires),
            claimed_until: instant(|state| state.claimed_until),
            claimed_by: state
                .and_then(|state| state.claimed_by.as_ref())
                .map(|job| job.as_str().to_owned()),
            claims: state.map_or(0, |state| state.claims),
            value,
            value_base64,
        }
    }
}

impl From<prominence_core::Cause> for Cause {
    fn from(cause: prominence_core::Cause) -> Self {
        match cause {
            prominence_core::Cause::Set => Self::Set,
            prominence_core::Cause::Claim => Self::Claim,
            prominence_core::Cause::Renew => Self::Renew,
            prominence_core::Cause::Release => Self::Release,
        }
    }
}
