//! How far a journal can be believed.
//!
//! A journal (fjall 3, `src/journal/entry.rs`) is batches one after another, and zeros up to the
//! length that was reserved. Numbers are little-endian:
//!
//! ```text
//! batch   1 | count: u32 | sequence number: u64 | count items | 3 | checksum: u64 | "FJL" 3
//! item    2 | kind: u8 | compression: u8 | keyspace: u64 | key length: u16 |
//!             value length: u32 | stored length: u32 | key | stored value
//! clear   4 | keyspace: u64
//! ```
//!
//! The checksum (XXH3) is over the items. The committer syncs each batch before it writes the
//! next, so that a power cut or a failed write can spoil the last batch alone, which nobody was
//! told of. Such a batch lacks sectors: they are zeros, or missing at the end. A spoilt batch
//! with another behind it, or with all of its sectors, was damaged later.
//!
//! fjall itself refuses a last batch that lacks a sector in the middle of a value, and takes some
//! kinds of damage in the midst of a journal for its end.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use xxhash_rust::xxh3::Xxh3;

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const MAGIC: [u8; 4] = *b"FJL\x03";

/// Bytes of a batch before its items.
const HEADER_BYTES: u64 = 13;

/// Bytes of a batch after its items.
const TRAILER_BYTES: usize = 13;

/// The smallest part of a disk that is written as a whole.
const SECTOR: usize = 512;

/// Bytes read at once.
pub(super) const CHUNK: usize = 64 << 10;

/// What a journal holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// Bytes of the valid batches at its beginning.
    pub(super) valid: u64,
    /// What is behind them.
    pub(super) rest: Rest,
}

/// What follows the valid batches of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nothing, or reserved zeros.
    Nothing,
    /// The beginning of a batch, or one that lacks sectors.
    Torn,
    /// Something that was once whole.
    Damaged,
}

struct Batch {
    sequence: u64,
    length: u64,
}

/// Why there is no batch.
enum Stop {
    Invalid,
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Invalid,
            _ => Self::Io(error),
        }
    }
}

/// Reads a whole journal, in bounded memory unless something is wrong with it.
pub(super) fn extent(journal: &File) -> io::Result<Extent> {
    let mut from = BufReader::with_capacity(CHUNK, journal);
    from.rewind()?;
    let (mut valid, mut last) = (0, 0);
    loop {
        match batch(&mut from) {
            Ok(batch) if valid == 0 || batch.sequence > last => {
                valid += batch.length;
                last = batch.sequence;
            }
            Ok(_) | Err(Stop::Invalid) => break,
            Err(Stop::Io(error)) => return Err(error),
        }
    }
    let rest = rest(journal, valid)?;
    let rest = judge(&rest, valid, last);
    Ok(Extent { valid, rest })
}

/// The bytes from `start` on, without the zeros at the end.
fn rest(mut journal: &File, start: u64) -> io::Result<Vec<u8>> {
    static ZEROS: [u8; CHUNK] = [0; CHUNK];
    journal.seek(SeekFrom::Start(start))?;
    let mut chunk = vec![0; CHUNK];
    let (mut rest, mut zeros) = (Vec::new(), 0);
    loop {
        let length = journal.read(&mut chunk)?;
        let read = &chunk[..length];
        if length == 0 {
            return Ok(rest);
        }
        if read == &ZEROS[..length] {
            zeros += length;
            continue;
        }
        let used = read.iter().rposition(|byte| *byte != 0);
        let used = used.map_or(0, |last| last + 1);
        rest.resize(rest.len() + zeros, 0);
        rest.extend_from_slice(&read[..used]);
        zeros = length - used;
    }
}

/// What these bytes are, which stand at `start` and are no valid batch.
fn judge(rest: &[u8], start: u64, last: u64) -> Rest {
    if rest.is_empty() {
        return Rest::Nothing;
    }
    let is_later = |batch: &Batch| batch.sequence > last;
    let followed = (1..rest.len())
        .any(|at| rest[at] == START && batch(&mut &rest[at..]).is_ok_and(|batch| is_later(&batch)));
    if !followed && (!ends_like_a_batch(rest) || lacks_a_sector(rest, start)) {
        Rest::Torn
    } else {
        Rest::Damaged
    }
}

/// Whether these bytes end in a trailer, of which one byte may be wrong.
fn ends_like_a_batch(rest: &[u8]) -> bool {
    let Some((_, trailer)) = rest.split_last_chunk::<TRAILER_BYTES>() else {
        return false;
    };
    let found = trailer[..1]
        .iter()
        .chain(&trailer[TRAILER_BYTES - MAGIC.len()..]);
    let expected = [END].into_iter().chain(MAGIC);
    found
        .zip(expected)
        .filter(|(found, expected)| **found != *expected)
        .count()
        <= 1
}

/// Whether a sector, or its part from the start on, is nothing but zeros.
fn lacks_a_sector(rest: &[u8], start: u64) -> bool {
    let into_sector = start % SECTOR as u64;
    let first = SECTOR - usize::try_from(into_sector).unwrap_or_default();
    let (first, others) = rest.split_at(first.min(rest.len()));
    let sectors = std::iter::once(first).chain(others.chunks(SECTOR));
    let mut sectors = sectors.filter(|sector| !sector.is_empty());
    sectors.any(|sector| sector.iter().all(|byte| *byte == 0))
}

fn batch(from: &mut impl Read) -> Result<Batch, Stop> {
    expect(from, START)?;
    let items = u32::from_le_bytes(bytes(from)?);
    let sequence = u64::from_le_bytes(bytes(from)?);
    let mut hasher = Xxh3::new();
    let mut length = HEADER_BYTES + TRAILER_BYTES as u64;
    for _ in 0..items {
        length += item(from, &mut hasher)?;
    }
    expect(from, END)?;
    let checksum = u64::from_le_bytes(bytes(from)?);
    if bytes(from)? != MAGIC || checksum != hasher.digest() {
        return Err(Stop::Invalid);
    }
    Ok(Batch { sequence, length })
}

/// Reads an item, and says how many bytes it has.
fn item(from: &mut impl Read, hasher: &mut Xxh3) -> Result<u64, Stop> {
    let [tag] = bytes(from)?;
    hasher.update(&[tag]);
    match tag {
        CLEAR => {
            let keyspace: [u8; 8] = bytes(from)?;
            hasher.update(&keyspace);
            Ok(9)
        }
        ITEM => {
            let kind_and_place: [u8; 10] = bytes(from)?;
            let key: [u8; 2] = bytes(from)?;
            let value: [u8; 4] = bytes(from)?;
            let stored: [u8; 4] = bytes(from)?;
            hasher.update(&kind_and_place);
            hasher.update(&key);
            hasher.update(&value);
            hasher.update(&stored);
            let length = u64::from(u16::from_le_bytes(key)) + u64::from(u32::from_le_bytes(stored));
            hash(from, length, hasher)?;
            Ok(21 + length)
        }
        _ => Err(Stop::Invalid),
    }
}

fn hash(from: &mut impl Read, length: u64, hasher: &mut Xxh3) -> Result<(), Stop> {
    let mut chunk = [0; 4_096];
    let mut left = length;
    while left > 0 {
        let next = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
        from.read_exact(&mut chunk[..next])?;
        hasher.update(&chunk[..next]);
        left -= next as u64;
    }
    Ok(())
}

fn expect(from: &mut impl Read, tag: u8) -> Result<(), Stop> {
    match bytes(from)? {
        [found] if found == tag => Ok(()),
        _ => Err(Stop::Invalid),
    }
}

fn bytes<const COUNT: usize>(from: &mut impl Read) -> io::Result<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::FileExt;

    use fjall::{KeyspaceCreateOptions, PersistMode};

    use super::*;

    /// Bytes of the values; each takes several sectors.
    const VALUE: usize = 1_800;

    /// The journal of a database with so many batches of one item each.
    fn journal(batches: u8) -> (tempfile::TempDir, Vec<u8>) {
        let home = tempfile::tempdir().unwrap();
        let database = fjall::Database::builder(home.path()).open().unwrap();
        let keyspace = database
            .keyspace("k", KeyspaceCreateOptions::default)
            .unwrap();
        for number in 1..=batches {
            let mut batch = database.batch().durability(Some(PersistMode::SyncAll));
            batch.insert(&keyspace, [number], [number; VALUE]);
            batch.remove(&keyspace, "gone");
            batch.commit().unwrap();
        }
        let bytes = fs::read(home.path().join("0.jnl")).unwrap();
        drop((keyspace, database));
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        (home, bytes[..used].to_vec())
    }

    fn extent_of(bytes: &[u8]) -> Extent {
        let file = tempfile::tempfile().unwrap();
        file.set_len(100_000).unwrap();
        file.write_all_at(bytes, 0).unwrap();
        extent(&file).unwrap()
    }

    #[test]
    fn a_journal_as_the_storage_engine_writes_it_is_valid_to_its_end() {
        let (_home, bytes) = journal(5);
        let whole = Extent {
            valid: bytes.len() as u64,
            rest: Rest::Nothing,
        };
        assert_eq!(extent_of(&bytes), whole);
        assert_eq!(extent_of(&[]), Extent { valid: 0, ..whole });
    }

    #[test]
    fn a_last_batch_that_lacks_any_sectors_is_torn() {
        let (_home, bytes) = journal(3);
        let (_home, before) = journal(2);
        let valid = before.len() as u64;
        let start = before.len();
        let sectors: Vec<_> = (start / SECTOR..bytes.len().div_ceil(SECTOR)).collect();
        assert!(sectors.len() > 3);
        for lost in 1..(1_u32 << sectors.len()) {
            let mut torn = bytes.clone();
            for (bit, sector) in sectors.iter().enumerate() {
                if lost & (1 << bit) != 0 {
                    let from = (sector * SECTOR).max(start);
                    let to = ((sector + 1) * SECTOR).min(torn.len());
                    torn[from..to].fill(0);
                }
            }
            let extent = extent_of(&torn);
            assert_eq!(extent.valid, valid, "{lost:b}");
            assert_ne!(extent.rest, Rest::Damaged, "{lost:b}");
        }
        for length in start + 1..bytes.len() {
            let file = tempfile::tempfile().unwrap();
            file.write_all_at(&bytes[..length], 0).unwrap();
            let rest = Rest::Torn;
            assert_eq!(extent(&file).unwrap(), Extent { valid, rest });
        }
    }

    #[test]
    fn a_flipped_bit_is_damage_and_never_the_end() {
        let (_home, bytes) = journal(3);
        let (_home, shorter) = journal(2);
        let headers = [0, shorter.len() / 2, shorter.len()];
        let is_sequence = |at| {
            headers
                .iter()
                .any(|header| (header + 5..header + 13).contains(&at))
        };
        for at in (0..bytes.len()).filter(|at| at % 7 == 0 || bytes.len() - at < 20) {
            for bit in [0, 1, 5, 7] {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                // A later sequence number can't be told from the right one.
                let passes = is_sequence(at) && extent_of(&damaged).rest == Rest::Nothing;
                assert!(
                    passes || extent_of(&damaged).rest == Rest::Damaged,
                    "{at} {bit}"
                );
            }
        }
    }
}
