//! Records what clients do, within a bound, and writes it down where a check has found something.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::operation::{Moment, Record, Round, Snapshot, Text, Watch};

/// Requests of one round, at most. A record takes some 300 bytes, and checking it
/// twice as much again, so a round stays within 300 MB.
pub const MAX_REQUESTS: usize = 300_000;

/// What the clients of one run share.
pub struct Clock {
    origin: Instant,
    /// The same moment by the calendar, in nanoseconds since 1970, for instants that the server tells.
    epoch: u64,
    names: AtomicU64,
}

impl Default for Clock {
    fn default() -> Self {
        let origin = Instant::now();
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            origin,
            epoch: since.map_or(0, |since| narrow(since.as_nanos())),
            names: AtomicU64::new(0),
        }
    }
}

impl Clock {
    /// This moment.
    #[must_use]
    pub fn now(&self) -> Moment {
        narrow(self.origin.elapsed().as_nanos())
    }

    /// A moment that the server told, in nanoseconds since 1970.
    #[must_use]
    pub fn told(&self, nanoseconds: u64) -> Moment {
        nanoseconds.saturating_sub(self.epoch)
    }

    /// A number that nobody else in the run has.
    pub fn name(&self) -> u64 {
        self.names.fetch_add(1, Ordering::Relaxed)
    }
}

fn narrow(nanoseconds: u128) -> u64 {
    u64::try_from(nanoseconds).unwrap_or(u64::MAX)
}

/// A line of a history that was written down.
#[derive(Serialize, Deserialize)]
enum Line {
    User(String),
    Before(Snapshot),
    Expiring(Vec<Text>),
    Disturbed(Vec<(Moment, Moment)>),
    Disagreement(Moment),
    Watch(Watch),
    Record(Record),
}

/// Writes a round down, one JSON value a line.
///
/// # Errors
/// Those of the file.
pub fn write(round: &Round, path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = BufWriter::new(File::create(path)?);
    let head = [
        Line::User(round.user.clone()),
        Line::Before(round.before.clone()),
        Line::Expiring(round.expiring.clone()),
        Line::Disturbed(round.disturbed.clone()),
        Line::Disagreement(round.disagreement),
    ];
    let watches = round.watches.iter().cloned().map(Line::Watch);
    let records = round.records.iter().cloned().map(Line::Record);
    for line in head.into_iter().chain(watches).chain(records) {
        serde_json::to_writer(&mut file, &line)?;
        file.write_all(b"\n")?;
    }
    file.flush()
}

/// Reads a round that was written down.
///
/// # Errors
/// Those of the file, and where it holds something else.
pub fn read(path: &Path) -> io::Result<Round> {
    let mut round = Round::default();
    for line in BufReader::new(File::open(path)?).lines() {
        match serde_json::from_str(&line?)? {
            Line::User(user) => round.user = user,
            Line::Before(before) => round.before = before,
            Line::Expiring(expiring) => round.expiring = expiring,
            Line::Disturbed(disturbed) => round.disturbed = disturbed,
            Line::Disagreement(by) => round.disagreement = by,
            Line::Watch(watch) => round.watches.push(watch),
            Line::Record(record) => round.records.push(record),
        }
    }
    Ok(round)
}

/// A value that nobody else in the run sets, and that shows whose it is.
#[must_use]
pub fn value(user: &str, name: u64) -> Text {
    Text::from(format!("{user}:{name}"))
}
