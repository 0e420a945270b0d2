//! Deletions of one key, or of all keys with a prefix.

use prominence_api::name::parameter;
use prominence_api::{Deleted, path};
use prominence_core::{Key, Prefix, Revision};
use ureq::http::Method;

use crate::error::Error;
use crate::request::{Client, Request};
use crate::retry::Repeat;
use crate::write::if_match;

impl Client {
    /// Deletes a key, and returns the number of deleted keys: 1 or 0. A deletion that was repeated may return 0
    /// although its first try found the key.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn delete(&self, key: &Key) -> Result<u64, Error> {
        self.remove(removal(path::of_key(key), Repeat::Safe))
    }

    /// Deletes a key if it has this revision.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`] if it has another one; see [`Error`] for the others.
    pub fn delete_revision(&self, key: &Key, revision: Revision) -> Result<u64, Error> {
        self.remove(Request {
            headers: vec![if_match(revision)],
            ..removal(path::of_key(key), Repeat::IfNotApplied)
        })
    }

    /// Deletes all keys with a prefix at once, and returns their number.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn delete_prefix(&self, prefix: &Prefix) -> Result<u64, Error> {
        let target = format!("{}?{}", path::of_prefix(prefix), parameter::PREFIX);
        self.remove(removal(target, Repeat::Safe))
    }

    /// Deletes every key that begins with a prefix where exactly `count` keys do, as
    /// [`Client::dry_run`] counts them.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`], which says how many there are, where it is another number; see
    /// [`Error`] for the others.
    pub fn delete_prefix_if_count(&self, prefix: &Prefix, count: u64) -> Result<u64, Error> {
        let (flag, demand) = (parameter::PREFIX, parameter::IF_COUNT);
        let target = format!("{}?{flag}&{demand}={count}", path::of_prefix(prefix));
        // Once it is done, there is another number of keys.
        self.remove(removal(target, Repeat::IfNotApplied))
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
        self.remove(removal(target, Repeat::Safe))
    }

    fn remove(&self, removal: Request<'_>) -> Result<u64, Error> {
        let reply = self.send(&removal)?;
        let Deleted { deleted } = self.acknowledged(&reply)?;
        Ok(deleted)
    }
}

fn removal(target: String, repeat: Repeat) -> Request<'static> {
    Request {
        body: None,
        ..Request::change(Method::DELETE, target, repeat)
    }
}
