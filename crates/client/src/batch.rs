//! Many changes in one commit.

use prominence_api::name::JSON;
use prominence_api::{Batch, BatchDone};
use ureq::http::{Method, header};

use crate::error::{Error, Fate};
use crate::request::{Client, Request};
use crate::retry::Repeat;

impl Client {
    /// Does all operations of a batch where all of its conditions hold, and nothing otherwise.
    /// Repeated only where it is certain that it did not happen.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`] where a condition does not hold; see [`Error`] for the
    /// others.
    pub fn batch(&self, batch: &Batch) -> Result<BatchDone, Error> {
        let body = serde_json::to_vec(batch)
            .map_err(|error| self.bad_answer(error.to_string(), Fate::NotApplied))?;
        let reply = self.send(&Request {
            headers: vec![(header::CONTENT_TYPE, JSON.to_owned())],
            body: Some(&body),
            ..Request::change(Method::POST, "/kv".to_owned(), Repeat::IfNotApplied)
        })?;
        self.acknowledged(&reply)
    }
}
