//! A client that sends random requests.

mod held;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::connection::{Connection, Network};
use super::mix::{Kind, Mix, REGISTERS, pick};
use crate::history::operation::{Answer, Call, Change, Entry, Expect, Follows, Record, Text};
use crate::history::project::{ITEMS, LOCKS};
use crate::history::record::{MAX_REQUESTS, value};

/// The lifetime of a lock, in nanoseconds: so short that some holders are too late.
const LOCK_LIFE: u64 = 1_000_000_000;

/// The pause of a client before it tries another server.
const PAUSE: Duration = Duration::from_millis(5);

/// A client.
pub(crate) struct Worker {
    pub(crate) user: String,
    connection: Connection,
    network: Arc<Network>,
    random: fastrand::Rng,
    mix: Mix,
    /// The last state of each key that it has seen.
    known: HashMap<Text, Entry>,
    /// The lock that it has taken, with its revision; it may have expired.
    lock: Option<(Text, u64)>,
    /// The item that it has claimed, with its revision; the claim may have run out.
    item: Option<(Text, u64)>,
    /// The page that it reads next: prefix, last key of the page before, limit.
    next_page: Option<(Text, Text, usize)>,
}

impl Worker {
    pub(crate) fn new(
        user: &str,
        token: &Text,
        network: &Arc<Network>,
        mix: Mix,
        random: &mut fastrand::Rng,
    ) -> Self {
        Self {
            user: user.to_owned(),
            connection: Connection::new(network, token, random),
            network: Arc::clone(network),
            random: random.fork(),
            mix,
            known: HashMap::new(),
            lock: None,
            item: None,
            next_page: None,
        }
    }

    /// Sends requests until it is stopped, or until the round is full.
    pub(crate) fn run(&mut self, stop: &AtomicBool, asked: &AtomicUsize) -> Vec<Record> {
        let mut records = Vec::new();
        while !stop.load(Ordering::Relaxed) && asked.load(Ordering::Relaxed) < MAX_REQUESTS {
            let call = self.choose();
            if let Some(record) = self.connection.send(call) {
                self.learn(&record);
                records.push(record);
                asked.fetch_add(1, Ordering::Relaxed);
            } else {
                // The server is being started again, and needs the processor.
                std::thread::sleep(PAUSE);
            }
        }
        records
    }

    fn choose(&mut self) -> Call {
        if let Some((prefix, last, limit)) = self.next_page.take() {
            return Call::Page {
                prefix,
                after: Some(last),
                limit,
            };
        }
        match pick(self.mix, &mut self.random) {
            Kind::Get => Call::Get(self.register()),
            Kind::Set => self.set(Expect::Anything),
            Kind::SetIf => self.set_if(),
            Kind::Delete => {
                let key = self.register();
                let known = self.known.get(&key).map(|entry| entry.revision);
                let expect = match known {
                    Some(revision) if self.random.bool() => Expect::Revision(revision),
                    _ => Expect::Anything,
                };
                Call::Delete(key, expect)
            }
            Kind::Count => {
                let key = self.key("/c/", 10);
                match self.random.u8(..4) {
                    0 => Call::Get(key),
                    _ => Call::Add(key, 1),
                }
            }
            Kind::Number => self.number(),
            Kind::Folder => self.folder(),
            Kind::Batch => self.batch(),
            Kind::Lock => self.lock(),
            Kind::Work => self.work(),
            Kind::Wait => self.wait(),
            Kind::Survey => self.survey(),
            Kind::Internal => self.internal(),
        }
    }

    /// Keeps the state that an answer shows, for later preconditions.
    fn learn(&mut self, record: &Record) {
        match (&record.call, &record.answer) {
            (Call::Get(key) | Call::Wait { key, .. }, Answer::Found(entry)) => {
                self.known.insert(key.clone(), entry.clone());
            }
            (Call::Set { key, value, .. }, Answer::Written(revision)) => {
                let entry = Entry {
                    value: value.clone(),
                    revision: *revision,
                };
                if key.starts_with(LOCKS) {
                    self.lock = Some((key.clone(), *revision));
                }
                // Items are not kept, since their number grows.
                if !key.starts_with(ITEMS) {
                    self.known.insert(key.clone(), entry);
                }
            }
            (Call::Claim(_), Answer::Claimed { key, entry, .. }) => {
                self.item = Some((key.clone(), entry.revision));
            }
            (Call::Renew(key, _), Answer::Renewed(revision, _)) => {
                self.item = Some((key.clone(), *revision));
            }
            (Call::Page { prefix, limit, .. }, Answer::Page(page, Follows::More)) => {
                let last = page.keys().next_back().cloned();
                self.next_page = last.map(|last| (prefix.clone(), last, *limit));
            }
            _ => {}
        }
    }

    fn key(&mut self, folder: &str, keys: usize) -> Text {
        Text::from(format!("{folder}{}", self.random.usize(..keys)))
    }

    fn register(&mut self) -> Text {
        self.key("/r/", REGISTERS)
    }

    fn fresh(&self) -> Text {
        value(&self.user, self.network.clock.name())
    }

    fn set(&mut self, expect: Expect) -> Call {
        Call::Set {
            key: self.register(),
            value: self.fresh(),
            expect,
            ttl: None,
        }
    }

    fn set_if(&mut self) -> Call {
        let key = self.register();
        let expect = match (self.random.u8(..3), self.known.get(&key)) {
            (1, Some(entry)) => Expect::Revision(entry.revision),
            (2, Some(entry)) => Expect::Value(entry.value.clone()),
            _ => Expect::Absent,
        };
        Call::Set {
            key,
            value: self.fresh(),
            expect,
            ttl: None,
        }
    }

    fn number(&mut self) -> Call {
        let key = self.key("/n/", 10);
        match self.random.u8(..10) {
            0 => Call::Delete(key, Expect::Anything),
            1 => Call::Set {
                key,
                value: Text::from(self.random.i32(..).to_string()),
                expect: Expect::Anything,
                ttl: None,
            },
            2..5 => Call::Get(key),
            _ => Call::Add(key, self.random.i64(-1000..1000)),
        }
    }

    fn folder(&mut self) -> Call {
        let folder = self.random.usize(..4);
        let prefix = format!("/d/{folder}/");
        match self.random.u8(..10) {
            0 => Call::DeletePrefix(prefix.into()),
            1..4 => Call::List(prefix.into()),
            _ => Call::Set {
                key: self.key(&prefix, 5),
                value: self.fresh(),
                expect: Expect::Anything,
                ttl: None,
            },
        }
    }

    fn batch(&mut self) -> Call {
        let first = self.random.usize(..REGISTERS - 3);
        let count = self.random.usize(1..=3);
        let mut changes: Vec<_> = (first..first + count)
            .map(|number| {
                let change = match self.random.u8(..5) {
                    // A batch that deletes only keys that don't exist has no revision of its own.
                    0 if number > first => Change::Delete,
                    _ => Change::Set(self.fresh()),
                };
                (Text::from(format!("/r/{number}")), change)
            })
            .collect();
        if self.random.bool() {
            changes.push((self.key("/c/", 10), Change::Add(1)));
        }
        let key = Text::from(format!("/r/{}", first + self.random.usize(..3)));
        let expect = match (self.random.u8(..4), self.known.get(&key)) {
            (0, Some(entry)) => Expect::Revision(entry.revision),
            (1, Some(entry)) => Expect::Value(entry.value.clone()),
            (2, None) => Expect::Absent,
            _ => Expect::Anything,
        };
        let conditions = match expect {
            Expect::Anything => Vec::new(),
            expect => vec![(key, expect)],
        };
        Call::Batch {
            conditions,
            changes,
        }
    }

    fn lock(&mut self) -> Call {
        let Some((key, revision)) = self.lock.clone() else {
            return Call::Set {
                key: self.key("/lock/", 4),
                value: self.fresh(),
                expect: Expect::Absent,
                ttl: Some(LOCK_LIFE),
            };
        };
        match self.random.u8(..16) {
            0 => {
                self.lock = None;
                Call::Delete(key, Expect::Revision(revision))
            }
            1 => {
                // It leaves the lock, which expires.
                self.lock = None;
                Call::Get(key)
            }
            _ => {
                let resource = key.replace("/lock/", "/res/");
                Call::Batch {
                    conditions: vec![(key, Expect::Revision(revision))],
                    changes: vec![(resource.into(), Change::Set(self.fresh()))],
                }
            }
        }
    }

    fn work(&mut self) -> Call {
        if let Some((key, revision)) = self.item.clone() {
            return match self.random.u8(..8) {
                0 => Call::Renew(key, revision),
                1 => {
                    self.item = None;
                    Call::Release(key, revision)
                }
                2 => {
                    // It leaves the item, whose claim runs out.
                    self.item = None;
                    Call::Get(self.register())
                }
                _ => {
                    self.item = None;
                    Call::Delete(key, Expect::Revision(revision))
                }
            };
        }
        // There are more claims than new items, since items that are released or left are claimed again.
        if self.random.u8(..3) == 0 {
            return Call::Set {
                key: Text::from(format!("/w/{}", self.network.clock.name())),
                value: self.fresh(),
                expect: Expect::Absent,
                ttl: None,
            };
        }
        Call::Claim("/w/".into())
    }
}
