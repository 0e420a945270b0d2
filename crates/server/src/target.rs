//! What the path names: a key, a prefix, or the namespace itself; and the headers that go with it.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Uri};
use prominence_api::{ErrorCode, name, path};
use prominence_core::key::KeyError;
use prominence_core::{Key, Prefix};

use crate::failure::Failure;

/// The part of the path after `/kv`, and the query string, both as they were sent.
///
/// Where there is a query string, the request may be held: then these are bytes of its own, because
/// those that were sent would keep all that was read with them.
pub(crate) struct Target {
    uri: Uri,
}

impl Target {
    /// The target of a request that names a key and has no parameters; `None` for all others.
    pub(crate) fn of_plain_key(uri: &Uri) -> Option<Self> {
        let target = Self { uri: uri.clone() };
        (target.query().is_empty() && target.raw().len() > 1).then_some(target)
    }

    fn of(uri: &Uri) -> Self {
        let own = uri.path_and_query().filter(|_| uri.query().is_some());
        // What was parsed once can be parsed again.
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

    /// The query string; empty where there is none.
    pub(crate) fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }

    /// The path after `/kv`; empty where it leads elsewhere, which the router sends nowhere near.
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

impl<S: Sync> FromRequestParts<S> for Target {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.uri))
    }
}

/// The request's headers. Where it may be held they are bytes of their own too, and without the token,
/// which has been read.
pub(crate) struct Headers(pub(crate) HeaderMap);

impl<S: Sync> FromRequestParts<S> for Headers {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        if parts.uri.query().is_none() {
            return Ok(Self(parts.headers.clone()));
        }
        let kept = parts.headers.iter();
        let kept = kept.filter(|(name, _)| **name != AUTHORIZATION);
        let own = kept.filter_map(|(name, value)| {
            // What was a header once is one again.
            let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
            Some((name.clone(), value))
        });
        Ok(Self(own.collect()))
    }
}

pub(crate) fn bad_key(error: KeyError) -> Failure {
    Failure::new(ErrorCode::BadKey, error.to_string())
}
