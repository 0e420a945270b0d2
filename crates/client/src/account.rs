//! The caller, its tokens, and the usage of the namespace.

use std::time::Duration;

use prominence_api::name::{self, parameter};
use prominence_api::path::query_value;
use prominence_api::{ListedToken, MadeToken, RevokeTokens, Revoked, Usage, WhoAmI};
use ureq::http::{Method, header};

use crate::error::{Error, Fate};
use crate::reply::MAX_SMALL;
use crate::request::{Client, Request};
use crate::retry::Repeat;

/// Bytes of the longest list of tokens that makes sense: some thousand, with their scopes and notes.
const MAX_LIST: u64 = 16 << 20;

/// The token to make.
#[derive(Clone, Debug, Default)]
pub struct TokenOptions {
    /// Its scopes; those of the caller's token if there are none.
    pub scopes: Vec<String>,
    /// The job that it is for.
    pub job: Option<String>,
    /// Its lifetime; the server's usual one if there is none.
    pub lifetime: Option<Duration>,
    /// Its purpose.
    pub note: Option<String>,
}

impl Client {
    /// The usage of the namespace, and its limits.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn usage(&self) -> Result<Usage, Error> {
        self.ask(format!("/kv?{}", parameter::USAGE))
    }

    /// The caller, as the token names it.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn whoami(&self) -> Result<WhoAmI, Error> {
        self.ask("/whoami".to_owned())
    }

    /// Has the server make a token that allows no more than the caller's. Never repeated where it may have happened,
    /// because each time makes another token.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn make_token(&self, options: &TokenOptions) -> Result<MadeToken, Error> {
        let scope = options.scopes.join(" ");
        let lifetime = options
            .lifetime
            .map(|lifetime| lifetime.as_secs().to_string());
        let form: Vec<_> = [
            ("scope", Some(scope).filter(|scope| !scope.is_empty())),
            ("job", options.job.clone()),
            ("expires_in", lifetime),
            ("note", options.note.clone()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", query_value(&value?))))
        .collect();
        let form = form.join("&");
        let request = Request {
            headers: vec![(
                header::CONTENT_TYPE,
                "application/x-www-form-urlencoded".to_owned(),
            )],
            body: Some(form.as_bytes()),
            ..Request::change(Method::POST, "/token".to_owned(), Repeat::IfNotApplied)
        };
        let reply = self.send(&request)?;
        self.acknowledged(&reply)
    }

    /// The tokens that were made for the user, and are good.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn tokens(&self) -> Result<Vec<ListedToken>, Error> {
        let reply = self.send(&Request::read("/token".to_owned(), MAX_LIST))?;
        reply
            .json()
            .map_err(|what| self.bad_answer(what, Fate::NotApplied))
    }

    /// Revokes tokens.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn revoke(&self, tokens: &RevokeTokens) -> Result<Revoked, Error> {
        let body = serde_json::to_vec(tokens)
            .map_err(|error| self.bad_answer(error.to_string(), Fate::NotApplied))?;
        let request = Request {
            headers: vec![(header::CONTENT_TYPE, name::JSON.to_owned())],
            body: Some(&body),
            ..Request::change(Method::POST, "/token/revoke".to_owned(), Repeat::Safe)
        };
        let reply = self.send(&request)?;
        self.acknowledged(&reply)
    }

    fn ask<T: serde::de::DeserializeOwned>(&self, target: String) -> Result<T, Error> {
        let reply = self.send(&Request::read(target, MAX_SMALL))?;
        reply
            .json()
            .map_err(|what| self.bad_answer(what, Fate::NotApplied))
    }
}
