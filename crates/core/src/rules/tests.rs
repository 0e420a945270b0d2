//! Rules that no test of an engine alone can show: a lowered quota, and entries that are not due yet.

use super::*;
use crate::commit::Lifetime;
use std::collections::BTreeMap;

const NOW: Timestamp = Timestamp::from_secs(100);

/// A namespace in a map.
#[derive(Default)]
struct Space(BTreeMap<Key, Entry>);

impl View for Space {
    type Error = StoreError;

    fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        Ok(self.0.get(key).cloned())
    }

    fn first_free(&self, prefix: &Prefix, now: Timestamp) -> Result<FirstFree, StoreError> {
        first_free(self, prefix, now)
    }

    fn usage(&self) -> Usage {
        let bytes = self
            .0
            .iter()
            .map(|(key, entry)| key.as_str().len() + entry.value.len());
        Usage {
            keys: self.0.len() as u64,
            bytes: bytes.sum::<usize>() as u64,
            revision: Revision::new(7),
        }
    }
}

impl Visit for Space {
    fn visit(
        &self,
        prefix: &Prefix,
        visitor: &mut dyn FnMut(Key, Metadata) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        for (key, entry) in self.0.iter().filter(|(key, _)| prefix.matches(key)) {
            if visitor(key.clone(), entry.metadata.clone()).is_break() {
                break;
            }
        }
        Ok(())
    }
}

fn key(name: &str) -> Key {
    Key::parse(name).unwrap()
}

fn value(bytes: usize) -> Value {
    Value::stored(vec![b'v'; bytes].into())
}

fn metadata(expires: Option<Timestamp>) -> Metadata {
    Metadata {
        revision: Revision::new(1),
        created: Timestamp::from_secs(1),
        modified: Timestamp::from_secs(1),
        expires,
        job: None,
        claimed_until: None,
        claims: 0,
        claimed_by: None,
        write_id: None,
        size: 10,
    }
}

fn set(name: &str, bytes: usize, space: &Space, quota: Quota) -> Result<Plan, StoreError> {
    let operation = Operation::Set {
        key: key(name),
        value: value(bytes),
        lifetime: Lifetime::Permanent,
    };
    let circumstances = Circumstances {
        now: NOW,
        author: None,
        quota,
    };
    plan(space, &Commit::single(None, operation), circumstances)
}

#[test]
fn a_namespace_over_a_lowered_quota_may_shrink_but_not_grow() {
    let mut space = Space::default();
    for name in ["/a", "/b", "/c"] {
        let entry = Entry {
            value: value(10),
            metadata: metadata(None),
        };
        space.0.insert(key(name), entry);
    }
    let quota = Quota { keys: 2, bytes: 20 };
    assert!(set("/a", 9, &space, quota).is_ok());
    assert!(set("/a", 10, &space, quota).is_ok());
    for (name, bytes) in [("/a", 11), ("/d", 0)] {
        let refused = set(name, bytes, &space, quota);
        assert!(
            matches!(refused, Err(StoreError::QuotaExceeded { .. })),
            "{name}"
        );
    }
}

#[test]
fn only_what_is_due_expires() {
    let at = |millis| Some(Timestamp::from_millis(millis));
    let before = Usage {
        keys: 4,
        bytes: 100,
        revision: Revision::new(7),
    };
    let all = [
        ("/past", at(1)),
        ("/now", at(100_000)),
        ("/soon", at(100_001)),
        ("/never", None),
    ];
    let due = all.map(|(name, expires)| (key(name), metadata(expires)));
    let plan = expire(before, due, NOW);
    let gone: Vec<_> = plan
        .effects
        .iter()
        .map(|effect| effect.key.as_str())
        .collect();
    assert_eq!(gone, ["/past", "/now"]);
    assert_eq!((plan.usage.keys, plan.usage.bytes), (2, 100 - 15 - 14));
    assert_eq!(plan.usage.revision, Revision::new(8));
    assert_eq!(expire(before, [], NOW).usage, before);
}
