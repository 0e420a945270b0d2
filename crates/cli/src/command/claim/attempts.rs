//! `--max-attempts`: how often a key may be claimed, how long it is left alone after a failure, and where
//! it goes in the end.

use std::time::Duration;

use prominence_api::body::MAX_BATCH_BYTES;
use prominence_api::{Batch, BatchCondition, BatchOperation, Text};
use prominence_client::{Client, Error, SetOptions};
use prominence_core::{Key, Precondition, Prefix, Revision, Value};

use crate::args::kv::claim::Claim;
use crate::failure::Failure;

/// The longest time for which a key is left alone after a failed attempt: a run should not end much later
/// than its last attempt.
const LONGEST_DELAY: Duration = Duration::from_secs(600);

/// The most keys of the same name below a dead-letter prefix. Each costs one request to pass over.
const MAX_NAMESAKES: u32 = 100;

/// The treatment of keys whose command fails.
pub(super) struct Attempts {
    /// A key that was claimed so often without success is moved.
    pub(super) limit: u64,
    delay: Duration,
    pub(super) letters: DeadLetters,
}

/// The prefixes from which and to which keys are moved.
pub(super) struct DeadLetters {
    queue: Prefix,
    pub(super) to: Prefix,
}

impl Attempts {
    /// The treatment of the arguments; `None` if attempts are not limited.
    pub(super) fn of(options: &Claim) -> Result<Option<Self>, Failure> {
        let (Some(limit), Some(to)) = (options.max_attempts, &options.dead_letter) else {
            return Ok(None);
        };
        let letters = DeadLetters::new(&options.prefix, to)?;
        Ok(Some(Self {
            limit,
            delay: options.retry_delay,
            letters,
        }))
    }

    /// The delay after the attempt of this number, in whole seconds.
    pub(super) fn delay_after(&self, attempt: u64) -> Duration {
        let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
        let factor = 2_u32.checked_pow(doublings).unwrap_or(u32::MAX);
        self.delay
            .saturating_mul(factor)
            .min(LONGEST_DELAY.max(self.delay))
    }
}

impl DeadLetters {
    fn new(queue: &Prefix, to: &Prefix) -> Result<Self, Failure> {
        // Names below it are paths of their own, whether or not the slash was typed.
        let folder = Prefix::parse(&format!("{to}/"))
            .map_err(|error| Failure::Usage(format!("--dead-letter {to}: {error}")))?;
        let within = |inner: &Prefix, outer: &Prefix| inner.as_str().starts_with(outer.as_str());
        if within(&folder, queue) || within(queue, &folder) {
            return Err(Failure::Usage(format!(
                "keys below {folder} and the keys of the queue {queue} would be claimed together; \
                 give a --dead-letter prefix that neither contains the queue nor lies in it"
            )));
        }
        Ok(Self {
            queue: queue.clone(),
            to: folder,
        })
    }

    /// The name for a key that is moved; from the second namesake on with a number behind it.
    fn name(&self, key: &Key, namesake: u32) -> Result<Key, Failure> {
        let rest = key.as_str().strip_prefix(self.queue.as_str());
        let rest = rest.filter(|rest| !rest.is_empty());
        // A key that is the whole prefix keeps its last segment.
        let rest = rest.or_else(|| key.as_str().rsplit('/').next());
        let mut name = format!("{}/{}", self.to, rest.unwrap_or_default());
        if namesake > 1 {
            name += &format!(".{namesake}");
        }
        Key::parse(&name).map_err(|error| {
            Failure::Usage(format!(
                "{key} cannot be moved below {}: {error}; give a shorter --dead-letter prefix",
                self.to
            ))
        })
    }

    /// A name that no key has yet: what was moved before stays.
    pub(super) fn vacant(&self, client: &Client, key: &Key) -> Result<Key, Failure> {
        for namesake in 1..=MAX_NAMESAKES {
            let name = self.name(key, namesake)?;
            if client.head(&name)?.is_none() {
                return Ok(name);
            }
        }
        Err(Failure::No(format!(
            "there are {MAX_NAMESAKES} keys named as {key} below {}; look at them and delete them",
            self.to
        )))
    }
}

/// Moves a key that has this revision, in one commit.
pub(super) fn move_key(
    client: &Client,
    (key, revision): (&Key, Revision),
    value: &[u8],
    to: &Key,
) -> Result<(), Error> {
    let batch = batch(key, revision, value, to);
    let length = serde_json::to_vec(&batch).map_or(usize::MAX, |body| body.len());
    if length <= MAX_BATCH_BYTES {
        return client.batch(&batch).map(drop);
    }
    // A value too large for a batch takes two steps: after a failure between them it is under both keys.
    let vacant = SetOptions {
        condition: Some(Precondition::Absent),
        ..SetOptions::default()
    };
    client.set(to, value, &vacant)?;
    client.delete_revision(key, revision).map(drop)
}

fn batch(key: &Key, revision: Revision, value: &[u8], to: &Key) -> Batch {
    let (text, base64) = match Text::of(&Value::stored(value.to_vec().into())) {
        Text::Plain(text) => (Some(text), None),
        Text::Encoded { base64 } => (None, Some(base64)),
    };
    Batch {
        conditions: vec![
            BatchCondition {
                key: key.to_string(),
                revision: Some(revision.get()),
                ..BatchCondition::default()
            },
            BatchCondition {
                key: to.to_string(),
                absent: Some(true),
                ..BatchCondition::default()
            },
        ],
        operations: vec![
            BatchOperation {
                set: Some(to.to_string()),
                value: text,
                value_base64: base64,
                ..BatchOperation::default()
            },
            BatchOperation {
                delete: Some(key.to_string()),
                ..BatchOperation::default()
            },
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(queue: &str, to: &str) -> Result<DeadLetters, Failure> {
        DeadLetters::new(&Prefix::parse(queue).unwrap(), &Prefix::parse(to).unwrap())
    }

    #[test]
    fn the_rest_of_a_key_follows_the_dead_letter_prefix() {
        let name = |queue: &str, to: &str, key: &str, namesake| {
            let letters = letters(queue, to).unwrap();
            let name = letters.name(&Key::parse(key).unwrap(), namesake);
            name.unwrap().to_string()
        };
        assert_eq!(name("/queue/", "/failed/", "/queue/a/b", 1), "/failed/a/b");
        assert_eq!(name("/queue/", "/failed", "/queue/a", 1), "/failed/a");
        assert_eq!(name("/queue", "/failed", "/queue/a", 2), "/failed/a.2");
        assert_eq!(name("/queue/a", "/failed", "/queue/a", 1), "/failed/a");
    }

    #[test]
    fn a_dead_letter_prefix_that_would_be_claimed_from_is_refused() {
        for (queue, to) in [
            ("/queue/", "/queue/failed/"),
            ("/queue", "/queue-failed/"),
            ("/queue/", "/queue"),
            ("/jobs/in/", "/jobs/"),
            ("/", "/failed/"),
            ("/queue/", "/"),
        ] {
            assert!(letters(queue, to).is_err(), "{queue} {to}");
        }
    }

    #[test]
    fn the_delay_doubles_with_each_attempt_up_to_its_limit() {
        let seconds = |delay: u64, attempt| {
            let attempts = Attempts {
                limit: 9,
                delay: Duration::from_secs(delay),
                letters: letters("/queue/", "/failed/").unwrap(),
            };
            attempts.delay_after(attempt).as_secs()
        };
        assert_eq!([1, 2, 3].map(|attempt| seconds(5, attempt)), [5, 10, 20]);
        assert_eq!(seconds(5, 100), 600);
        assert_eq!(seconds(3_600, 2), 3_600, "as was asked for");
    }
}
