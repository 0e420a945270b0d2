//! `prominence kv cp` and `prominence kv mv`: one batch, on the condition that the original is still the one
//! that was read.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use prominence_api::{Batch, BatchCondition, BatchOperation, BatchTtl, Set};
use prominence_client::{Client, Entry, Error};
use prominence_core::Key;
use serde::Serialize;

use crate::args::kv::duplicate::Duplicate;
use crate::failure::Failure;
use crate::output::Output;

/// The attempts if other writers change the original between the read and the write. A process that
/// writes it more often than that writes all the time.
const TRIES: u32 = 10;

/// The treatment of the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Original {
    /// It stays: `cp`.
    Stays,
    /// It goes: `mv`.
    Goes,
}

/// The output of `--json`.
#[derive(Serialize)]
struct Shown<'a> {
    from: &'a str,
    #[serde(flatten)]
    to: Set,
}

pub(super) fn run(
    options: &Duplicate,
    original: Original,
    client: &Client,
    output: &mut Output,
) -> Result<(), Failure> {
    let Duplicate { from, to, .. } = options;
    if from == to {
        return Err(Failure::Usage(format!(
            "FROM and TO are both {from}; name another key as TO"
        )));
    }
    for _ in 0..TRIES {
        let Some(entry) = client.get(from)? else {
            return Err(Failure::No(format!(
                "there is no key {from}; prominence kv list shows what there is"
            )));
        };
        match client.batch(&batch(options, original, &entry)) {
            Ok(done) => {
                if options.json {
                    output.json_line(&Shown {
                        from: from.as_str(),
                        to: Set {
                            key: to.as_str().to_owned(),
                            revision: done.revision,
                        },
                    })?;
                }
                return Ok(());
            }
            Err(Error::PreconditionFailed(_)) => {}
            Err(error) => return Err(error.into()),
        }
        // Either the original is another by now, or what must not be there is.
        if options.if_absent && client.head(to)?.is_some() {
            return Err(Failure::No(format!(
                "{to} exists already, and nothing was changed; name another key, or leave --if-absent \
                 out to replace it"
            )));
        }
    }
    Err(Failure::No(format!(
        "{from} was written {TRIES} times while it was read, and nothing was changed; try again when \
         its writer is done"
    )))
}

fn batch(options: &Duplicate, original: Original, entry: &Entry) -> Batch {
    let key = |key: &Key| key.as_str().to_owned();
    let mut conditions = vec![BatchCondition {
        key: key(&options.from),
        revision: Some(entry.metadata.revision.get()),
        ..BatchCondition::default()
    }];
    if options.if_absent {
        conditions.push(BatchCondition {
            key: key(&options.to),
            absent: Some(true),
            ..BatchCondition::default()
        });
    }
    let mut operations = vec![BatchOperation {
        set: Some(key(&options.to)),
        value_base64: Some(BASE64_STANDARD.encode(&entry.value)),
        ttl: lifetime(entry).map(|left| BatchTtl::Seconds(left.as_secs())),
        ..BatchOperation::default()
    }];
    if original == Original::Goes {
        operations.push(BatchOperation {
            delete: Some(key(&options.from)),
            ..BatchOperation::default()
        });
    }
    Batch {
        conditions,
        operations,
    }
}

/// The rest of the original's lifetime, in whole seconds, by the server's clock if it is known.
fn lifetime(entry: &Entry) -> Option<Duration> {
    let expires = entry.metadata.expires?;
    let now = entry.metadata.answered.unwrap_or_else(super::time::now);
    let left = expires.as_millis().saturating_sub(now.as_millis());
    Some(Duration::from_secs(left.div_ceil(1_000).max(1)))
}
