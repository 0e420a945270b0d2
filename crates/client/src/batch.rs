//! Several changes in one commit.

use prominence_api::name::JSON;
use prominence_api::{Batch, BatchDone};
use ureq::http::{Method, header};

use crate::error::{Error, Fate};
use crate::request::{Client, Request};
use crate::retry::Repeat;

impl Client {
    /// Executes all operations of a batch if all of its conditions hold, and otherwise none.
    ///
    /// A batch that only sets and deletes, without conditions, is repeated after transient errors, like a single set;
    /// its results are those of the last try, which may find the keys of the first one. A batch with conditions or
    /// additions is repeated only if it is certain that it was not executed.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`] if a condition does not hold; see [`Error`] for the others.
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

/// The rule for repeating a batch.
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
