//! Records the requests of clients, within a bound, and writes them to a file where a check has found a violation.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::operation::{Moment, Record, Round, Snapshot, Text, Watch};

/// The largest number of requests in a round. A record takes some 300 bytes, and its check twice as much, so a round
/// stays within 300 MB.
pub const MAX_REQUESTS: usize = 300_000;

/// Shared by the clients of one run.
pub struct Clock {
    origin: Instant,
    /// The same moment in nanoseconds since 1970, for times that the server tells.
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

    /// A time that the server told, in nanoseconds since 1970.
    #[must_use]
    pub fn told(&self, nanoseconds: u64) -> Moment {
        nanoseconds.saturating_sub(self.epoch)
    }

    /// A number that is unique in the run.
    pub fn name(&self) -> u64 {
        self.names.fetch_add(1, Ordering::Relaxed)
    }
}

fn narrow(nanoseconds: u128) -> u64 {
    u64::try_from(nanoseconds).unwrap_or(u64::MAX)
}

/// A line of a history in a file.
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

/// Writes a round to a file, one JSON value a line.
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

/// Reads a round from a file.
///
/// # Errors
/// Those of the file, and where its contents are no history.
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

/// A value that is unique in the run, and that begins with the name of its user.
#[must_use]
pub fn value(user: &str, name: u64) -> Text {
    Text::from(format!("{user}:{name}"))
}
