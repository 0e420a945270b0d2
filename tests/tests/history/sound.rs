//! A small history without a fault, in which tests plant faults.

use prominence_tests::history::operation::{
    self, Answer, Call, Cause, Change, Entry, Event, EventKind, Expect, NEVER, Record, Round,
    Snapshot, Text, Watch,
};

/// Nanoseconds in a second.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// A history under construction.
#[derive(Default)]
pub(crate) struct Story {
    pub(crate) round: Round,
    now: u64,
}

pub(crate) fn entry(value: &str, revision: u64) -> Entry {
    Entry {
        value: value.into(),
        revision,
    }
}

pub(crate) fn set(key: &str, value: &str, expect: Expect) -> Call {
    Call::Set {
        key: key.into(),
        value: value.into(),
        expect,
        ttl: None,
    }
}

pub(crate) fn get(key: &str) -> Call {
    Call::Get(key.into())
}

pub(crate) fn fenced_write(token: u64, value: &str) -> Call {
    Call::Batch {
        conditions: vec![("/lock/a".into(), Expect::Revision(token))],
        changes: vec![("/res/a".into(), Change::Set(value.into()))],
    }
}

pub(crate) fn lock(value: &str) -> Call {
    Call::Set {
        key: "/lock/a".into(),
        value: value.into(),
        expect: Expect::Absent,
        ttl: Some(SECOND),
    }
}

pub(crate) fn claimed(key: &str, value: &str, revision: u64, until: u64) -> Answer {
    Answer::Claimed {
        key: key.into(),
        entry: entry(value, revision),
        until,
        claims: Some(revision - 17).filter(|_| key == "/w/1"),
    }
}

impl Story {
    /// Adds a request after all earlier ones.
    pub(crate) fn tell(&mut self, call: Call, answer: Answer) -> &mut Self {
        self.now += 10;
        let (start, end) = (self.now, self.now + 5);
        self.overlap(start, end, call, answer)
    }

    /// Adds a request with its own times.
    pub(crate) fn overlap(
        &mut self,
        start: u64,
        end: u64,
        call: Call,
        answer: Answer,
    ) -> &mut Self {
        let client = self.round.records.len() as u64;
        self.round.records.push(Record {
            client,
            start,
            end: if answer == Answer::Lost { NEVER } else { end },
            call,
            answer,
        });
        self.now = self.now.max(end);
        self
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, nanoseconds: u64) -> &mut Self {
        self.now += nanoseconds;
        self
    }

    pub(crate) fn now(&self) -> u64 {
        self.now
    }
}

/// A history with every kind of request, and without a fault.
pub(crate) fn sound() -> Round {
    let mut story = Story::default();
    sets(&mut story);
    overlapping_requests(&mut story);
    counter(&mut story);
    folder_and_lock(&mut story);
    work(&mut story);
    let after: Snapshot = [
        ("/c/1", "4", 9),
        ("/r/1", "alice:2", 2),
        ("/r/sentinel", "alice:14", 21),
        ("/res/a", "alice:12", 16),
        ("/sentinel", "alice:15", 22),
    ]
    .map(|(key, value, revision)| (Text::from(key), entry(value, revision)))
    .into();
    let expect = Expect::Anything;
    story
        .tell(
            set("/r/sentinel", "alice:14", expect.clone()),
            Answer::Written(21),
        )
        .tell(set("/sentinel", "alice:15", expect), Answer::Written(22))
        .tell(Call::List("/".into()), Answer::Listed(after));
    let mut round = story.round;
    round.user = "alice".into();
    round.watches = vec![
        watch("/", 22, |_| true),
        watch("/r/", 21, |key| key.starts_with("/r/")),
    ];
    round
}

/// Sets with and without conditions.
fn sets(story: &mut Story) {
    story
        .tell(set("/r/1", "alice:1", Expect::Anything), Answer::Written(1))
        .tell(get("/r/1"), Answer::Found(entry("alice:1", 1)))
        .tell(
            set("/r/1", "alice:2", Expect::Revision(1)),
            Answer::Written(2),
        )
        .tell(get("/r/1"), Answer::Found(entry("alice:2", 2)))
        .tell(set("/r/1", "alice:3", Expect::Absent), Answer::Failed);
}

/// Two sets and two reads overlap; the set that is answered last is executed first.
fn overlapping_requests(story: &mut Story) {
    let key = Text::from("/r/2");
    let expect = Expect::Anything;
    let now = story.now() + 10;
    story
        .overlap(
            now,
            now + 90,
            set("/r/2", "alice:4", expect.clone()),
            Answer::Written(3),
        )
        .overlap(
            now + 1,
            now + 40,
            set("/r/2", "alice:5", expect.clone()),
            Answer::Written(4),
        )
        .overlap(
            now + 2,
            now + 50,
            get("/r/2"),
            Answer::Found(entry("alice:4", 3)),
        )
        .overlap(
            now + 60,
            now + 80,
            get("/r/2"),
            Answer::Found(entry("alice:5", 4)),
        )
        .tell(Call::Delete(key, expect), Answer::Deleted(1))
        .tell(get("/r/2"), Answer::Absent);
}

/// Additions to a counter, one of which gets no answer.
fn counter(story: &mut Story) {
    let add = || Call::Add("/c/1".into(), 1);
    story
        .tell(add(), Answer::Sum(1, 6))
        .tell(add(), Answer::Sum(2, 7))
        .tell(add(), Answer::Lost)
        .tell(add(), Answer::Sum(4, 9));
}

/// Two keys are set and deleted with their folder. Then a lock is taken twice, and its first holder writes too late.
fn folder_and_lock(story: &mut Story) {
    let expect = Expect::Anything;
    story
        .tell(
            set("/d/1/a", "alice:6", expect.clone()),
            Answer::Written(10),
        )
        .tell(set("/d/1/b", "alice:7", expect), Answer::Written(11))
        .tell(Call::DeletePrefix("/d/1/".into()), Answer::Deleted(2))
        .tell(lock("alice:8"), Answer::Written(13))
        .tell(fenced_write(13, "alice:9"), Answer::Done(14, vec![None]))
        .pass(2 * SECOND)
        .tell(lock("alice:10"), Answer::Written(15))
        .tell(fenced_write(13, "alice:11"), Answer::Failed)
        .tell(fenced_write(15, "alice:12"), Answer::Done(16, vec![None]));
}

/// A work item is put, claimed, not finished in time, claimed again and finished.
fn work(story: &mut Story) {
    let key = || Text::from("/w/1");
    let until = story.now() + SECOND;
    story
        .tell(set("/w/1", "alice:13", Expect::Absent), Answer::Written(17))
        .tell(
            Call::Claim("/w/".into()),
            claimed("/w/1", "alice:13", 18, until),
        )
        .pass(2 * SECOND);
    let until = story.now() + SECOND;
    story
        .tell(
            Call::Claim("/w/".into()),
            claimed("/w/1", "alice:13", 19, until),
        )
        .tell(Call::Delete(key(), Expect::Revision(18)), Answer::Failed)
        .tell(
            Call::Delete(key(), Expect::Revision(19)),
            Answer::Deleted(1),
        )
        .tell(Call::Claim("/w/".into()), Answer::Nothing);
}

pub(crate) fn put(cause: Cause, claims: u64) -> operation::Put {
    operation::Put { cause, claims }
}

fn watch(prefix: &str, until: u64, shown: fn(&str) -> bool) -> Watch {
    use EventKind::{Delete, Put};
    let happened = [
        (1, "/r/1", Put, Some("alice:1")),
        (2, "/r/1", Put, Some("alice:2")),
        (3, "/r/2", Put, None),
        (4, "/r/2", Put, Some("alice:5")),
        (5, "/r/2", Delete, None),
        (6, "/c/1", Put, Some("1")),
        (7, "/c/1", Put, Some("2")),
        (8, "/c/1", Put, Some("3")),
        (9, "/c/1", Put, Some("4")),
        (10, "/d/1/a", Put, Some("alice:6")),
        (11, "/d/1/b", Put, Some("alice:7")),
        (12, "/d/1/a", Delete, None),
        (12, "/d/1/b", Delete, None),
        (13, "/lock/a", Put, Some("alice:8")),
        (14, "/res/a", Put, Some("alice:9")),
        (15, "/lock/a", Put, Some("alice:10")),
        (16, "/res/a", Put, Some("alice:12")),
        (17, "/w/1", Put, Some("alice:13")),
        (18, "/w/1", Put, Some("alice:13")),
        (19, "/w/1", Put, Some("alice:13")),
        (20, "/w/1", Delete, None),
        (21, "/r/sentinel", Put, Some("alice:14")),
        (22, "/sentinel", Put, Some("alice:15")),
    ];
    let events = happened.into_iter().filter(|(_, key, ..)| shown(key)).map(
        |(revision, key, kind, value)| Event {
            revision,
            key: key.into(),
            kind,
            value: value.map(Text::from),
            put: (kind == Put).then(|| match revision {
                18 | 19 => put(Cause::Claim, revision - 17),
                _ => put(Cause::Set, 0),
            }),
        },
    );
    Watch {
        prefix: prefix.into(),
        since: 0,
        until,
        events: events.collect(),
    }
}
