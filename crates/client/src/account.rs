//! Who the caller is, and what the namespace holds.

use prominence_api::name::parameter;
use prominence_api::{Usage, WhoAmI};

use crate::error::{Error, Fate};
use crate::reply::MAX_SMALL;
use crate::request::{Client, Request};

impl Client {
    /// What the namespace holds and may hold.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn usage(&self) -> Result<Usage, Error> {
        self.ask(format!("/kv?{}", parameter::USAGE))
    }

    /// Who the token says the caller is.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn whoami(&self) -> Result<WhoAmI, Error> {
        self.ask("/whoami".to_owned())
    }

    fn ask<T: serde::de::DeserializeOwned>(&self, target: String) -> Result<T, Error> {
        let reply = self.send(&Request::read(target, MAX_SMALL))?;
        reply
            .json()
            .map_err(|what| self.bad_answer(what, Fate::NotApplied))
    }
}
