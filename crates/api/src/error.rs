//! Error bodies and their codes.

use serde::{Deserialize, Serialize};

/// The body of every answer with an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// A sentence for users.
    pub error: String,
    /// The code by which programs tell errors apart.
    pub code: ErrorCode,
    /// With `precondition_failed` of a write: the key whose condition did not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// With `key`: its present revision, if it exists and its revision was the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// With `precondition_failed` of a deletion with `if_count`: how many keys there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// With requests that may change something: `true` if the change may have been made all the same. If it is `false`,
    /// the same request can be sent again and is not executed twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_have_happened: Option<bool>,
    /// The id of the request in the server's log; with status 5xx.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// The code by which programs tell errors apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// 400: the key is not valid.
    BadKey,
    /// 400: a parameter, header or body is not valid.
    BadRequest,
    /// 400: a token was asked for that allows more than the one that it is made from.
    InvalidScope,
    /// 401: no token, or one that is not accepted.
    Unauthenticated,
    /// 403: the token's scopes don't cover this key or action.
    Forbidden,
    /// 404: the key does not exist.
    NoSuchKey,
    /// 404: there is no such route.
    NotFound,
    /// 405: the route has no such method.
    MethodNotAllowed,
    /// 408: the request took too long to arrive.
    RequestTimeout,
    /// 409: an addition to a value that is not an integer, or an overflow.
    NotANumber,
    /// 410: the requested changes are no longer kept.
    Compacted,
    /// 412: a condition did not hold; nothing was changed.
    PreconditionFailed,
    /// 413: the value is larger than the limit.
    ValueTooLarge,
    /// 414: the URL is longer than the limit.
    UriTooLong,
    /// 429: too many requests.
    RateLimited,
    /// 431: the request line and headers are larger than the limits.
    HeadTooLarge,
    /// 500: stored data is damaged, or the server has a bug.
    Internal,
    /// 503: the storage engine can't answer at present.
    Unavailable,
    /// 507: the quota of the namespace is used up.
    QuotaExceeded,
}

impl ErrorCode {
    /// The HTTP status of answers with this code.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::BadKey | Self::BadRequest | Self::InvalidScope => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NoSuchKey | Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::NotANumber => 409,
            Self::Compacted => 410,
            Self::PreconditionFailed => 412,
            Self::ValueTooLarge => 413,
            Self::UriTooLong => 414,
            Self::RateLimited => 429,
            Self::HeadTooLarge => 431,
            Self::Internal => 500,
            Self::Unavailable => 503,
            Self::QuotaExceeded => 507,
        }
    }
}
