//! The data of a watch's events.

use prominence_core::{Change, ChangeKind, Value};
use serde::{Deserialize, Serialize};

use super::Text;
use crate::time::rfc3339;

/// The data of an event `put`, `delete` or `expire`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Changed {
    /// The key in canonical form.
    pub key: String,
    /// The commit that changed it.
    pub revision: u64,
    /// When.
    pub time: String,
    /// The job that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// With `put`: bytes of the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// With `values`: the value, where it is still there and is valid UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// With `values`: the value's bytes, where it is still there and is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_base64: Option<String>,
}

/// The data of an event `reset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reset {
    /// Later changes follow; what was before is in a listing that is made now.
    pub revision: u64,
}

impl Changed {
    /// What is told of a change, with the value where that was asked for and is still there.
    #[must_use]
    pub fn of(change: &Change, value: Option<&Value>) -> Self {
        let (value, value_base64) = match value.map(Text::of) {
            None => (None, None),
            Some(Text::Plain(text)) => (Some(text), None),
            Some(Text::Encoded { base64 }) => (None, Some(base64)),
        };
        Self {
            key: change.key.as_str().to_owned(),
            revision: change.at.revision.get(),
            time: rfc3339(change.time),
            job: change.job.as_ref().map(|job| job.as_str().to_owned()),
            size: match change.kind {
                ChangeKind::Put { size } => Some(size as u64),
                ChangeKind::Delete | ChangeKind::Expire => None,
            },
            value,
            value_base64,
        }
    }
}
