//! Compares two stores entry by entry.

use std::cmp::Ordering;
use std::fmt;
use std::io::Read;

use prominence_core::{Cursor, Entry, Key, Namespace, Revision};

use crate::backup::{BackupReadError, BackupSummary, Record, Records};

/// Differences that are listed; the others are counted.
const MAX_SHOWN: usize = 20;

/// The times of the entries in the source, if it has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    /// They have to be the same.
    Kept,
    /// It has none; the migration set them.
    Given,
}

/// The differences between two stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differences {
    /// The first of them.
    pub first: Vec<Difference>,
    /// Their number.
    pub count: u64,
    /// The content of the source.
    pub(super) source: BackupSummary,
}

/// One thing that is not the same in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The namespace.
    pub namespace: Namespace,
    /// The key; `None` for the state of the namespace itself.
    pub key: Option<Key>,
    /// The difference.
    pub what: &'static str,
}

impl Differences {
    /// True if there are any.
    pub(super) fn is_some(&self) -> bool {
        self.count > 0
    }

    fn add(&mut self, namespace: &Namespace, record: &Record, what: &'static str) {
        self.count += 1;
        if self.first.len() < MAX_SHOWN {
            self.first.push(Difference {
                namespace: namespace.clone(),
                key: match record {
                    Record::Entry(key, _) => Some(key.clone()),
                    Record::Change(change) => Some(change.key.clone()),
                    Record::Namespace(_) | Record::End(_) => None,
                },
                what,
            });
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{} {key}: {}", self.namespace, self.what),
            None => write!(f, "{}: {}", self.namespace, self.what),
        }
    }
}

/// Compares two streams, and calls `step` for each entry of the first.
pub(super) fn compare<A: Read, B: Read>(
    source: Records<A>,
    copy: Records<B>,
    times: Times,
    step: &mut dyn FnMut(),
) -> Result<Differences, BackupReadError> {
    let (mut source, mut copy) = (Side::open(source)?, Side::open(copy)?);
    let mut differences = Differences {
        first: Vec::new(),
        count: 0,
        source: source.records.summary,
    };
    loop {
        let order = match (&source.next, &copy.next) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((one, _)), Some((other, _))) => one.cmp(other),
        };
        if order != Ordering::Greater
            && let Some((_, Record::Entry(..))) = &source.next
        {
            step();
        }
        match order {
            Ordering::Less => {
                if let Some((at, record)) = source.take()? {
                    differences.add(&at.namespace, &record, missing(&record));
                }
            }
            Ordering::Greater => {
                if let Some((at, record)) = copy.take()? {
                    differences.add(&at.namespace, &record, "it is in the destination alone");
                }
            }
            Ordering::Equal => {
                if let (Some((at, record)), Some((_, copied))) = (source.take()?, copy.take()?)
                    && let Some(what) = difference(&record, &copied, times)
                {
                    differences.add(&at.namespace, &record, what);
                }
            }
        }
    }
    differences.source = source.records.summary;
    Ok(differences)
}

fn missing(record: &Record) -> &'static str {
    match record {
        Record::Change(_) => "a change of it is missing in the log",
        Record::Namespace(_) | Record::Entry(..) | Record::End(_) => "it is missing",
    }
}

/// The difference between two records of the same place.
fn difference(one: &Record, other: &Record, times: Times) -> Option<&'static str> {
    match (one, other) {
        (Record::Entry(_, one), Record::Entry(_, other)) => entries_differ(one, other, times),
        (Record::Namespace(one), Record::Namespace(other)) => {
            (one != other).then_some("its latest revision, or where its log begins, is another")
        }
        (one, other) => (one != other).then_some("a change of it is told otherwise in the log"),
    }
}

fn entries_differ(one: &Entry, other: &Entry, times: Times) -> Option<&'static str> {
    if one.value != other.value {
        return Some("its value is another");
    }
    let mut expected = one.metadata.clone();
    if times == Times::Given {
        expected.created = other.metadata.created;
        expected.modified = other.metadata.modified;
    }
    (expected != other.metadata).then_some("its times, its job or its revision are others")
}

/// The place of a record in the order of a stream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct At {
    namespace: Namespace,
    place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Space,
    Entry(Key),
    Change(Cursor),
}

/// One of the two, and what comes next in it.
struct Side<R> {
    records: Records<R>,
    next: Option<(At, Record)>,
    namespace: Option<Namespace>,
    /// Nothing up to this revision counts as being in the log.
    forgotten: Revision,
}

impl<R: Read> Side<R> {
    fn open(records: Records<R>) -> Result<Self, BackupReadError> {
        let mut side = Self {
            records,
            next: None,
            namespace: None,
            forgotten: Revision::ZERO,
        };
        side.take()?;
        Ok(side)
    }

    /// Takes the next record, and reads the one after it.
    fn take(&mut self) -> Result<Option<(At, Record)>, BackupReadError> {
        let next = self.read()?;
        Ok(std::mem::replace(&mut self.next, next))
    }

    fn read(&mut self) -> Result<Option<(At, Record)>, BackupReadError> {
        while let Some(mut record) = self.records.next()? {
            let place = match &mut record {
                Record::Namespace(space) => {
                    self.namespace = Some(space.namespace.clone());
                    self.forgotten = space.log_floor.revision;
                    // Not every engine can begin its log within a commit.
                    space.log_floor = Cursor::after(self.forgotten);
                    Place::Space
                }
                Record::Entry(key, _) => Place::Entry(key.clone()),
                Record::Change(change) if change.at.revision <= self.forgotten => continue,
                Record::Change(change) => Place::Change(change.at),
                Record::End(_) => continue,
            };
            if let Some(namespace) = self.namespace.clone() {
                return Ok(Some((At { namespace, place }, record)));
            }
        }
        Ok(None)
    }
}
