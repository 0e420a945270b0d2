//! The target of a request: a key, a prefix or the namespace in its path, the query string, and its headers.

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Uri};
use prominence_api::{ErrorCode, name, path};
use prominence_core::key::KeyError;
use prominence_core::{Key, Prefix};

use crate::failure::Failure;

/// The part of the path after `/kv`, and the query string, both as they were sent.
///
/// A request with a query string may become a long poll. Then this is a copy, because the original would keep the
/// whole buffer that it was read into.
pub(crate) struct Target {
    uri: Uri,
}

impl Target {
    /// The target of a request that names a key and has no parameters; `None` for all others.
    pub(crate) fn of_plain_key(uri: &Uri) -> Option<Self> {
        let target = Self { uri: uri.clone() };
        (target.query().is_empty() && target.raw().len() > 1).then_some(target)
    }

    /// The target of any request.
    pub(crate) fn of(uri: &Uri) -> Self {
        let own = uri.path_and_query().filter(|_| uri.query().is_some());
        // The text of a URI is always a valid URI.
        let own = own.and_then(|own| Uri::try_from(own.as_str()).ok());
        Self {
            uri: own.unwrap_or_else(|| uri.clone()),
        }
    }

    /// The path as a key.
    pub(crate) fn key(&self) -> Result<Key, Failure> {
        Key::from_bytes(&self.decoded()?).map_err(bad_key)
    }

    /// The path as a prefix.
    pub(crate) fn prefix(&self) -> Result<Prefix, Failure> {
        Prefix::from_bytes(&self.decoded()?).map_err(bad_key)
    }

    /// The query string; empty if there is none.
    pub(crate) fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }

    /// The path after `/kv`; empty for other paths, whose handlers do not use it.
    fn raw(&self) -> &str {
        let below = self.uri.path().strip_prefix(name::BASE);
        let below = below.and_then(|rest| rest.strip_prefix("/kv"));
        below.filter(|key| key.starts_with('/')).unwrap_or_default()
    }

    fn decoded(&self) -> Result<std::borrow::Cow<'_, [u8]>, Failure> {
        path::decode(self.raw()).map_err(|error| {
            Failure::new(ErrorCode::BadKey, format!("the key is not valid: {error}"))
        })
    }
}

/// The headers of a request. If it may become a long poll they are copies too, and without the token, which has
/// been verified.
pub(crate) fn own_headers(parts: &Parts) -> HeaderMap {
    if parts.uri.query().is_none() {
        return parts.headers.clone();
    }
    let kept = parts.headers.iter();
    let kept = kept.filter(|(name, _)| **name != AUTHORIZATION);
    let own = kept.filter_map(|(name, value)| {
        // The bytes of a header's value are always valid again.
        let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
        Some((name.clone(), value))
    });
    own.collect()
}

/// 400 for a path or parameter that is not a key or prefix.
pub(crate) fn bad_key(error: KeyError) -> Failure {
    Failure::new(ErrorCode::BadKey, error.to_string())
}
