//! Storing rows: as many at once as a batch takes.

use prominence_api::body::MAX_BATCH_BYTES;
use prominence_api::time::format_duration;
use prominence_api::{Batch, BatchCondition, BatchOperation, BatchTtl};
use prominence_client::{Client, Error, Lifetime, SetOptions};
use prominence_core::limits::MAX_COMMIT_OPERATIONS;
use prominence_core::{Key, Precondition};

use super::super::parallel::Counter;
use crate::failure::Failure;

/// Bytes that JSON takes for an operation and its condition beside key and value, at most: the names of
/// members, the punctuation and a lifetime.
const OPERATION_BYTES: usize = 100;

/// Bytes of the JSON around all operations, at most.
const FRAME_BYTES: usize = 32;

/// The key and value of a row.
pub(super) struct Pair {
    pub(super) key: Key,
    pub(super) value: String,
}

/// Pairs in groups, each for one batch.
pub(super) struct Groups<I> {
    pairs: I,
    /// The first pair of the next group.
    next: Option<Pair>,
    failure: Option<Failure>,
}

/// The options for storing rows, and the number of stored rows.
pub(super) struct Storing<'a> {
    pub(super) client: &'a Client,
    pub(super) how: SetOptions,
    /// Rows that are stored.
    pub(super) stored: Counter,
    /// Rows that were left out because their keys exist.
    pub(super) existing: Counter,
}

impl Pair {
    /// Bytes that the batch's JSON takes for it, at most.
    fn bytes(&self) -> usize {
        // A key has no control characters, and neither has JSON text, so that these two are all that
        // is escaped. A condition names the key once more.
        let escaped = |text: &str| {
            let more = text
                .bytes()
                .filter(|byte| matches!(byte, b'"' | b'\\'))
                .count();
            text.len() + more
        };
        2 * escaped(self.key.as_str()) + escaped(&self.value) + OPERATION_BYTES
    }
}

impl<I: Iterator<Item = Result<Pair, Failure>>> Groups<I> {
    pub(super) fn new(pairs: I) -> Self {
        Self {
            pairs,
            next: None,
            failure: None,
        }
    }
}

impl<I: Iterator<Item = Result<Pair, Failure>>> Iterator for Groups<I> {
    type Item = Result<Vec<Pair>, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(failure) = self.failure.take() {
            return Some(Err(failure));
        }
        let mut group = Vec::with_capacity(MAX_COMMIT_OPERATIONS);
        let mut bytes = FRAME_BYTES;
        while group.len() < MAX_COMMIT_OPERATIONS {
            let pair = match self.next.take().map(Ok).or_else(|| self.pairs.next()) {
                None => break,
                Some(Ok(pair)) => pair,
                Some(Err(failure)) => {
                    self.failure = Some(failure);
                    break;
                }
            };
            bytes += pair.bytes();
            // A pair that no batch takes is a group of its own.
            if bytes > MAX_BATCH_BYTES && !group.is_empty() {
                self.next = Some(pair);
                break;
            }
            group.push(pair);
        }
        match (group.is_empty(), self.failure.take()) {
            (true, failure) => failure.map(Err),
            (false, failure) => {
                self.failure = failure;
                Some(Ok(group))
            }
        }
    }
}

impl Storing<'_> {
    /// Stores a group, and answers how many rows of it are done with.
    pub(super) fn store(&self, group: &[Pair]) -> Result<u64, Failure> {
        match group {
            // A single set takes what is too large for a batch.
            [pair] => self.store_one(pair)?,
            group => match self.client.batch(&self.batch(group)) {
                Ok(_) => self.stored.add_many(group.len() as u64),
                // Some of the keys exist; only single sets show which.
                Err(Error::PreconditionFailed(_)) if self.how.condition.is_some() => {
                    for pair in group {
                        self.store_one(pair)?;
                    }
                }
                Err(error) => return Err(error.into()),
            },
        }
        Ok(group.len() as u64)
    }

    fn store_one(&self, pair: &Pair) -> Result<(), Failure> {
        let value = pair.value.as_bytes();
        match self.client.set(&pair.key, value, &self.how) {
            Ok(_) => self.stored.add(),
            Err(Error::PreconditionFailed(_)) if self.how.condition.is_some() => {
                self.existing.add();
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn batch(&self, group: &[Pair]) -> Batch {
        let ttl = match self.how.lifetime {
            Lifetime::Permanent => None,
            Lifetime::Job => Some("job".to_owned()),
            Lifetime::For(duration) => Some(format_duration(duration)),
        };
        let absent = |pair: &Pair| BatchCondition {
            key: pair.key.as_str().to_owned(),
            absent: Some(true),
            ..BatchCondition::default()
        };
        let set = |pair: &Pair| BatchOperation {
            set: Some(pair.key.as_str().to_owned()),
            value: Some(pair.value.clone()),
            ttl: ttl.clone().map(BatchTtl::Text),
            ..BatchOperation::default()
        };
        let conditions = match self.how.condition {
            Some(Precondition::Absent) => group.iter().map(absent).collect(),
            _ => Vec::new(),
        };
        Batch {
            conditions,
            operations: group.iter().map(set).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> Pair {
        Pair {
            key: Key::parse(name).unwrap(),
            value: value.to_owned(),
        }
    }

    #[test]
    fn a_group_is_never_more_than_a_batch_takes() {
        let quotes = format!("{{\"x\":\"{}\"}}", "\\\"".repeat(100_000));
        let rows = (0..250).map(|n| Ok(pair(&format!("/\"in\"/{n}"), "{\"a\":1}")));
        let large = (0..5).map(|n| Ok(pair(&format!("/large/{n}"), &quotes)));
        let client = prominence_client::Client::new(prominence_client::Config::new(
            prominence_client::BaseUrl::parse("http://127.0.0.1:1/prominence/v1").unwrap(),
            prominence_client::Token::parse("t").unwrap(),
        ));
        let storing = Storing {
            client: &client.unwrap(),
            how: SetOptions {
                lifetime: Lifetime::For(std::time::Duration::from_secs(86_399)),
                condition: Some(Precondition::Absent),
                write_id: None,
            },
            stored: Counter::default(),
            existing: Counter::default(),
        };
        let mut lengths = Vec::new();
        for group in Groups::new(rows.chain(large)) {
            let group = group.unwrap();
            lengths.push(group.len());
            let json = serde_json::to_vec(&storing.batch(&group)).unwrap();
            assert!(json.len() <= MAX_BATCH_BYTES || group.len() == 1);
        }
        // A value of 400 KB as JSON: two in a batch.
        assert_eq!(lengths, [100, 100, 52, 2, 1]);
    }

    #[test]
    fn a_row_that_fails_comes_after_the_rows_before_it() {
        let failure = Err(Failure::No("odd".to_owned()));
        let rows = [Ok(pair("/1", "{}")), failure, Ok(pair("/2", "{}"))];
        let mut groups = Groups::new(rows.into_iter());
        assert_eq!(groups.next().unwrap().unwrap().len(), 1);
        assert!(groups.next().unwrap().is_err());
    }
}
