//! The caller, and the usage of the namespace.

use prominence_api::name::parameter;
use prominence_api::{Usage, WhoAmI};

use crate::error::{Error, Fate};
use crate::reply::MAX_SMALL;
use crate::request::{Client, Request};

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

    fn ask<T: serde::de::DeserializeOwned>(&self, target: String) -> Result<T, Error> {
        let reply = self.send(&Request::read(target, MAX_SMALL))?;
        reply
            .json()
            .map_err(|what| self.bad_answer(what, Fate::NotApplied))
    }
}
