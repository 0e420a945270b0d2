//! The journals of fjall 3.1, in which the last commits of a store of an earlier format are.
//!
//! fjall takes whatever it can't read in a journal for the torn end of the last write, and cuts it off
//! with everything behind it. So the journals are read before fjall opens them. One that has anything
//! but whole batches is refused: a crash may have torn its end, which the earlier version of the
//! program can tell from damage.
//!
//! ```text
//! journal  batch*, zeros
//! batch    1 (start), items (4), sequence number (8), item*, 3 (end), XXH3 of the items (8), "FJL\3"
//! item     2, kind of value (1), compression (1, always 0 here), keyspace (8),
//!          length of the key (2), of the value (4), of the stored value (4), key, value
//! CLOSED   for each journal "FILE LENGTH SUM", with the XXH3 of its batches; XXH3 of these lines
//! ```
//!
//! Numbers are little-endian. The checksum of a batch does not cover its start. `CLOSED` is there after
//! a clean end, in hexadecimal where it has sums.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::embedded::files::damage::Unsound;

const EXTENSION: &str = "jnl";
const CLOSED_FILE: &str = "CLOSED";

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const NO_COMPRESSION: u8 = 0;
const TRAILER: [u8; 4] = *b"FJL\x03";

/// Bytes read at once.
const CHUNK: usize = 64 << 10;

/// Length and checksum of the batches of each journal, by its path within the folder.
type Sums = BTreeMap<String, (u64, u128)>;

/// Demands that every journal in the folder of a store is whole, and is what it was when the store was
/// closed, if that is known.
pub(super) fn examine(folder: &Path, store: &Path) -> Result<(), Unsound> {
    let mut found = Sums::new();
    for entry in fs::read_dir(store)? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == EXTENSION) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let file = format!("store/{name}");
            let sum = read(&path, &file)?;
            found.insert(file, sum);
        }
    }
    let Some(closed) = read_closed(folder)? else {
        return Ok(());
    };
    for (file, sum) in closed {
        if found.get(&file) != Some(&sum) {
            let how = "it is not what it was when the store was closed";
            return Err(Unsound::damaged(file, how));
        }
    }
    Ok(())
}

/// The journals as noted, if the store was closed and the note is whole.
fn read_closed(folder: &Path) -> io::Result<Option<Sums>> {
    match fs::read_to_string(folder.join(CLOSED_FILE)) {
        Ok(text) => Ok(parse_closed(&text)),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::InvalidData => Ok(None),
            _ => Err(error),
        },
    }
}

fn parse_closed(text: &str) -> Option<Sums> {
    let (lines, sum) = text.trim_end().rsplit_once('\n')?;
    let parse = |line: &str| {
        let mut words = line.split(' ');
        let file = words.next()?.to_owned();
        let length = words.next()?.parse().ok()?;
        let sum = u128::from_str_radix(words.next()?, 16).ok()?;
        Some((file, (length, sum)))
    };
    let is_whole = u128::from_str_radix(sum, 16).ok()? == xxh3_128(lines.as_bytes());
    is_whole.then(|| lines.lines().map(parse).collect())?
}

/// Reads a journal, and answers the length and the checksum of its batches.
fn read(path: &Path, file: &str) -> Result<(u64, u128), Unsound> {
    let mut journal = Journal {
        from: BufReader::with_capacity(CHUNK, File::open(path)?),
        length: 0,
        all: Xxh3::new(),
        items: Xxh3::new(),
    };
    loop {
        let (end, sum) = (journal.length, journal.all.digest128());
        match journal.batch() {
            Ok(true) => {}
            Ok(false) => return Ok((end, sum)),
            Err(Broken::Io(error)) if error.kind() != io::ErrorKind::UnexpectedEof => {
                return Err(error.into());
            }
            Err(broken) => {
                let how = match broken {
                    Broken::Io(_) => "a batch is cut short",
                    Broken::Batch(how) => how,
                };
                let how = format!(
                    "{how} (at byte {end}); if the server did not end cleanly, start and stop it \
                     once with the version that wrote this, and try again"
                );
                return Err(Unsound::damaged(file, how));
            }
        }
    }
}

/// The reason why there is no whole batch.
enum Broken {
    Batch(&'static str),
    Io(io::Error),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads, counts, and adds up.
struct Journal<R> {
    from: R,
    length: u64,
    all: Xxh3,
    /// Of the items of a batch.
    items: Xxh3,
}

impl<R: Read> Journal<R> {
    /// Passes one batch. False where only zeros are left, which fjall reserves ahead of what it writes.
    fn batch(&mut self) -> Result<bool, Broken> {
        let mut start = [0];
        if self.from.read(&mut start)? == 0 {
            return Ok(false);
        }
        match start {
            [0] => return self.only_zeros(),
            [START] => self.count(&start),
            _ => return Err(Broken::Batch("no batch starts where one should")),
        }
        let items = u32::from_le_bytes(self.take()?);
        let _sequence: [u8; 8] = self.take()?;
        self.items = Xxh3::new();
        for _ in 0..items {
            self.item()?;
        }
        let sum = self.items.digest();
        let is_whole = self.take()? == [END]
            && u64::from_le_bytes(self.take()?) == sum
            && self.take()? == TRAILER;
        match is_whole {
            true => Ok(true),
            false => Err(Broken::Batch("a batch fails its checksum")),
        }
    }

    fn item(&mut self) -> Result<(), Broken> {
        let [tag, _kind, compression] = self.take()?;
        let _keyspace: [u8; 8] = self.take()?;
        let key = u16::from_le_bytes(self.take()?);
        let value = u32::from_le_bytes(self.take()?);
        let stored = u32::from_le_bytes(self.take()?);
        if (tag, compression, stored) != (ITEM, NO_COMPRESSION, value) {
            return Err(Broken::Batch("an item of a batch makes no sense"));
        }
        let mut left = u64::from(key) + u64::from(value);
        let mut chunk = [0; 4 << 10];
        while left > 0 {
            let most = usize::try_from(left).map_or(chunk.len(), |left| left.min(chunk.len()));
            let part = &mut chunk[..most];
            self.from.read_exact(part)?;
            self.count(part);
            left -= most as u64;
        }
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes)?;
        self.count(&bytes);
        Ok(bytes)
    }

    fn count(&mut self, bytes: &[u8]) {
        self.items.update(bytes);
        self.all.update(bytes);
        self.length += bytes.len() as u64;
    }

    fn only_zeros(&mut self) -> Result<bool, Broken> {
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = self.from.read(&mut chunk)?;
            if read == 0 {
                return Ok(false);
            }
            if chunk[..read].iter().any(|byte| *byte != 0) {
                return Err(Broken::Batch("something stands behind the last batch"));
            }
        }
    }
}
