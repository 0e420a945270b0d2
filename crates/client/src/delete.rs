//! Deleting one key, or all that begin with a prefix.

use prominence_api::name::parameter;
use prominence_api::{Deleted, path};
use prominence_core::{Key, Prefix, Revision};
use ureq::http::Method;

use crate::error::Error;
use crate::request::{Client, Request};
use crate::retry::Repeat;
use crate::write::if_match;

impl Client {
    /// Deletes a key and says how many there were: 1 or 0. A deletion that had to be repeated may
    /// answer 0 although its first try found the key.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn delete(&self, key: &Key) -> Result<u64, Error> {
        self.remove(path::of_key(key), None)
    }

    /// Deletes a key where it still has this revision.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`] where it has not; see [`Error`] for the others.
    pub fn delete_revision(&self, key: &Key, revision: Revision) -> Result<u64, Error> {
        self.remove(path::of_key(key), Some(revision))
    }

    /// Deletes every key that begins with a prefix, all at once, and says how many there were.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn delete_prefix(&self, prefix: &Prefix) -> Result<u64, Error> {
        let target = format!("{}?{}", path::of_prefix(prefix), parameter::PREFIX);
        self.remove(target, None)
    }

    /// The number of keys that [`Client::delete_prefix`] would delete now.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn dry_run(&self, prefix: &Prefix) -> Result<u64, Error> {
        let target = format!(
            "{}?{}&{}",
            path::of_prefix(prefix),
            parameter::PREFIX,
            parameter::DRY_RUN
        );
        self.remove(target, None)
    }

    fn remove(&self, target: String, revision: Option<Revision>) -> Result<u64, Error> {
        let repeat = match revision {
            None => Repeat::Safe,
            Some(_) => Repeat::IfNotApplied,
        };
        let reply = self.send(&Request {
            headers: revision.map(if_match).into_iter().collect(),
            body: None,
            ..Request::change(Method::DELETE, target, repeat)
        })?;
        let Deleted { deleted } = self.acknowledged(&reply)?;
        Ok(deleted)
    }
}
