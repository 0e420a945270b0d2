//! JSON bodies. Times are RFC 3339 in UTC; fields that do not apply are left out.

mod about;
mod batch;
mod claim;
mod login;
mod object;
mod token;
mod watch;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use prominence_core::{Metadata, Timestamp, Value};
use serde::{Deserialize, Serialize};

use crate::time::rfc3339;

pub use about::{About, AboutLimits, OneTimeCode, SignIn, SignedIn};
pub use batch::{
    Batch, BatchCondition, BatchDone, BatchOperation, BatchResult, BatchTtl, MAX_BATCH_BYTES,
};
pub use claim::{Released, Renewed};
pub use login::{LoginAt, LoginCode, LoginToken, PageLogin, ProtectedResource};
pub use object::{Described, Object};
pub use token::{ListedToken, MadeToken, RevokeTokens, Revoked};
pub use watch::{Cause, Changed, Reset};

/// Answer to a value set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Set {
    /// The key in canonical form.
    pub key: String,
    /// The commit's revision.
    pub revision: u64,
}

/// Answer to an addition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Added {
    /// The key in canonical form.
    pub key: String,
    /// The sum.
    pub value: i64,
    /// The commit's revision.
    pub revision: u64,
}

/// Answer to a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Deleted {
    /// The number of keys that were deleted, or would be.
    pub deleted: u64,
}

/// Answer to a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Counted {
    /// How many keys the prefix shows; with `at_most`, no more than that.
    pub count: u64,
    /// With `at_most`: true if the prefix shows more keys; left out otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// The usage of the namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Usage {
    /// Number of keys.
    pub keys: u64,
    /// Bytes of all keys and values together.
    pub bytes: u64,
    /// The limits.
    pub limits: UsageLimits,
}

/// The limits of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageLimits {
    /// Number of keys.
    pub keys: u64,
    /// Bytes of all keys and values together.
    pub bytes: u64,
    /// Bytes of one key.
    pub key_bytes: u64,
    /// Bytes of one value.
    pub value_bytes: u64,
    /// Requests a second, where large ones count as several. Missing if there is no limit, and from earlier servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u32>,
    /// Requests that wait or watch at once. Missing from earlier servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<u64>,
}

/// The caller, as the token names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WhoAmI {
    /// The user, who owns the namespace.
    pub user: String,
    /// The job for which the token was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The scopes that limit the token; empty for access to all keys. Words such as `compute.create` allow no access
    /// here.
    pub scopes: Vec<String>,
    /// The time at which the token ends.
    pub expires: String,
    /// The time at which the token was issued, if it has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued: Option<String>,
    /// The issuer of the token: `job-token` for one that is signed with the secret of this service.
    pub issuer: String,
    /// The token's name: the SHA-256 digest of the signed part, in 64 hexadecimal digits. Missing from earlier servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// A line of a listing.
///
/// Untagged: its form depends on the parameters of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum Listed {
    /// A key; or, ending in `/`, a folder.
    Name(String),
    /// With `detail`: a key and its metadata.
    Detail(Box<Detail>),
    /// With `detail` and `delimiter`: a folder.
    Folder {
        /// Its name, ending in `/`.
        prefix: String,
        /// With `counts`: how many keys it shows, no more than that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<u64>,
        /// With `counts`: true if it shows more keys; left out otherwise.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        more: bool,
    },
    /// With `values`: an object whose one member is the key with its value.
    Value(BTreeMap<String, Text>),
}

/// A value within JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum Text {
    /// A value that is valid UTF-8.
    Plain(String),
    /// Any other value.
    Encoded {
        /// Its bytes.
        base64: String,
    },
}

/// A key and its metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Detail {
    /// The key in canonical form.
    pub key: String,
    /// Bytes of the value.
    pub size: u64,
    /// The commit that last wrote the entry.
    pub revision: u64,
    /// The time at which the key was created.
    pub created: String,
    /// The time at which the value was last set.
    pub modified: String,
    /// The time at which the entry expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// The job whose token wrote the entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The end of the claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_until: Option<String>,
    /// The job of the claim, if the claim is live and its token named a job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_by: Option<String>,
    /// The number of claims since the value was set; left out for 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub claims: u32,
    /// With `values`: the value, if it is valid UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// With `values`: the value's bytes, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_base64: Option<String>,
}

impl Text {
    /// A value in JSON.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => Self::Plain(text.to_owned()),
            Err(_) => Self::Encoded {
                base64: BASE64_STANDARD.encode(value.as_bytes()),
            },
        }
    }

    /// The value's bytes, or `None` if the base64 is not valid.
    #[must_use]
    pub fn into_bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Plain(text) => Some(text.into_bytes()),
            Self::Encoded { base64 } => BASE64_STANDARD.decode(base64).ok(),
        }
    }
}

impl Detail {
    /// The details of a key at the time `now`, with its value if the caller asked for it.
    #[must_use]
    pub fn of(key: String, metadata: &Metadata, value: Option<&Value>, now: Timestamp) -> Self {
        let (value, value_base64) = match value.map(Text::of) {
            None => (None, None),
            Some(Text::Plain(text)) => (Some(text), None),
            Some(Text::Encoded { base64 }) => (None, Some(base64)),
        };
        Self {
            key,
            size: metadata.size as u64,
            revision: metadata.revision.get(),
            created: rfc3339(metadata.created),
            modified: rfc3339(metadata.modified),
            expires: metadata.expires.map(rfc3339),
            job: metadata.job.as_ref().map(|job| job.as_str().to_owned()),
            claimed_until: metadata.claimed_until.map(rfc3339),
            claimed_by: metadata.holder(now).map(|job| job.as_str().to_owned()),
            claims: metadata.claims,
            value,
            value_base64,
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes fields by reference"
)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(item: &Listed) -> String {
        serde_json::to_string(item).unwrap()
    }

    fn folder(count: Option<u64>, more: bool) -> Listed {
        Listed::Folder {
            prefix: "/a/".into(),
            count,
            more,
        }
    }

    #[test]
    fn a_listing_looks_as_the_interface_says() {
        assert_eq!(json(&Listed::Name("/a".into())), r#""/a""#);
        assert_eq!(json(&folder(None, false)), r#"{"prefix":"/a/"}"#);
        assert_eq!(
            json(&folder(Some(2), false)),
            r#"{"prefix":"/a/","count":2}"#
        );
        assert_eq!(
            json(&folder(Some(2), true)),
            r#"{"prefix":"/a/","count":2,"more":true}"#
        );
        let value = |bytes: &[u8]| {
            let text = Text::of(&Value::new(bytes.to_vec(), 9).unwrap());
            Listed::Value(BTreeMap::from([("/a".to_owned(), text)]))
        };
        assert_eq!(json(&value(b"42")), r#"{"/a":"42"}"#);
        assert_eq!(json(&value(b"\xff\x00")), r#"{"/a":{"base64":"/wA="}}"#);
    }

    #[test]
    fn every_form_of_a_line_is_read_back_as_itself() {
        let metadata = Metadata {
            revision: prominence_core::Revision::new(3),
            created: Timestamp::from_secs(1),
            modified: Timestamp::from_secs(2),
            expires: None,
            job: None,
            claimed_until: Some(Timestamp::from_secs(4)),
            claims: 2,
            claimed_by: prominence_core::Job::parse("worker").ok(),
            write_id: None,
            size: 2,
        };
        let value = Value::new(vec![0xff, 0], 9).unwrap();
        let detail = |second| {
            let now = Timestamp::from_secs(second);
            Detail::of("/a".into(), &metadata, Some(&value), now)
        };
        assert_eq!(detail(3).claimed_by.as_deref(), Some("worker"));
        assert_eq!(detail(4).claimed_by, None, "the claim ran out");
        for item in [
            Listed::Name("/a".into()),
            folder(None, false),
            folder(Some(2), true),
            Listed::Value(BTreeMap::from([("/prefix".to_owned(), Text::of(&value))])),
            Listed::Detail(Box::new(detail(3))),
            Listed::Detail(Box::new(detail(4))),
        ] {
            let back: Listed = serde_json::from_str(&json(&item)).unwrap();
            assert_eq!(back, item);
        }
    }
}
