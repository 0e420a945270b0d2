//! Waits, barriers, counts, pages, and the platform's keys.

use super::Worker;
use crate::history::listing::INSIDE;
use crate::history::operation::{Barrier, Call, Expect, Moment, Text};

/// The time for which a client waits, in nanoseconds: longer than [`crate::history::order::TELLS_WITHIN`], so that a
/// lost wake-up is found, and short beside a round.
const WAITS: Moment = 3_000_000_000;

/// The number of keys that clients wait for: few, so that each is soon set.
const AWAITED: usize = 8;

/// Keys of each half of the folder that has keys of the platform.
const HALF: usize = 4;

impl Worker {
    /// Waits for a key, or ends the wait of another client.
    pub(super) fn wait(&mut self) -> Call {
        let key = self.key("/e/", AWAITED);
        match self.random.u8(..9) {
            0 => Call::Wait {
                key,
                unlike: None,
                within: WAITS,
            },
            1 | 2 => {
                let key = if self.random.bool() {
                    key
                } else {
                    self.register()
                };
                let unlike = self.known.get(&key).map(|entry| entry.revision);
                Call::Wait {
                    key,
                    unlike,
                    within: WAITS,
                }
            }
            3 => Call::Count {
                prefix: self.folder_name(),
                barrier: Some(Barrier {
                    at_least: self.random.u64(1..=5),
                    within: WAITS,
                }),
            },
            4 => Call::Delete(key, Expect::Anything),
            5 => Call::Get(key),
            _ => self.put(key),
        }
    }

    /// Counts, or begins to list page by page.
    pub(super) fn survey(&mut self) -> Call {
        match self.random.u8(..4) {
            0 => Call::Count {
                prefix: self.folder_name(),
                barrier: None,
            },
            1 => Call::Count {
                prefix: "/r/".into(),
                barrier: None,
            },
            2 => Call::Page {
                prefix: "/d/".into(),
                after: None,
                limit: self.random.usize(1..10),
            },
            _ => Call::Page {
                prefix: "/r/".into(),
                after: None,
                limit: self.random.usize(20..60),
            },
        }
    }

    /// Keys of the platform, and their neighbours in the same folder.
    pub(super) fn internal(&mut self) -> Call {
        let outside = "/i/";
        let inside = self.key(INSIDE, HALF);
        match self.random.u8(..12) {
            0 => Call::DeletePrefix(outside.into()),
            1 => Call::Delete(inside, Expect::Anything),
            2 => Call::Get(inside),
            3 => Call::List(INSIDE.into()),
            4 | 5 => Call::List(outside.into()),
            6 => Call::Count {
                prefix: outside.into(),
                barrier: None,
            },
            7..10 => self.put(inside),
            _ => {
                let beside = self.key(outside, HALF);
                self.put(beside)
            }
        }
    }

    fn folder_name(&mut self) -> Text {
        Text::from(format!("/d/{}/", self.random.usize(..4)))
    }

    fn put(&mut self, key: Text) -> Call {
        Call::Set {
            key,
            value: self.fresh(),
            expect: Expect::Anything,
            ttl: None,
        }
    }
}
