//! Many changes in one commit.

use prominence_api::name::JSON;
use prominence_api::{Batch, BatchDone};
use ureq::http::{Method, header};

use crate::error::{Error, Fate};
use crate::request::{Client, Request};
use crate::retry::Repeat;

impl Client {
    /// Does all operations of a batch where all of its conditions hold, and nothing otherwise.
    ///
    /// A batch that only sets and deletes, without conditions, is repeated on errors that may pass, like a
    /// single set; the results are those of the last try, which may find the first one's keys. A batch
    /// with conditions or additions is repeated only where it is certain that it did not happen.
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
            ..Request::change(Method::POST, "/kv".to_owned(), repeat_of(batch))
        })?;
        self.acknowledged(&reply)
    }
}

/// Tells whether a batch may be repeated.
fn repeat_of(batch: &Batch) -> Repeat {
    let adds = batch
        .operations
        .iter()
        .any(|operation| operation.add.is_some());
    if adds || !batch.conditions.is_empty() {
        Repeat::IfNotApplied
    } else {
        Repeat::Safe
    }
}
