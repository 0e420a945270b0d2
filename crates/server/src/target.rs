//! What the path names: a key, a prefix, or the namespace itself.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use prominence_api::{ErrorCode, name, path};
use prominence_core::key::KeyError;
use prominence_core::{Key, Prefix};

use crate::failure::Failure;

/// The part of the path after `/kv`, and the query string, both as they were sent.
pub(crate) struct Target {
    uri: Uri,
}

impl Target {
    /// The target of a request that names a key and has no parameters; `None` for all others.
    pub(crate) fn of_plain_key(uri: &Uri) -> Option<Self> {
        let target = Self { uri: uri.clone() };
        (target.query().is_empty() && target.raw().len() > 1).then_some(target)
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
        Ok(Self {
            uri: parts.uri.clone(),
        })
    }
}

pub(crate) fn bad_key(error: KeyError) -> Failure {
    Failure::new(ErrorCode::BadKey, error.to_string())
}
