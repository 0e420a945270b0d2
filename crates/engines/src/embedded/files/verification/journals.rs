//! What of the journals is whole, what a crash tore, and what is damaged.
//!
//! The engine has one writer, which syncs each batch before it writes the next. So a crash can
//! tear the last batch of the newest journal and nothing else, and what it tears was never
//! acknowledged. Anything else that makes no sense is damage.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use xxhash_rust::xxh3::Xxh3;

use super::Unsound;
use super::batch::{self, NoBatch};
use super::closed::{Closed, JournalSum};

/// How fjall's journals are called: a number and this.
const EXTENSION: &str = "jnl";

/// Sequence numbers that may be left out between two batches. fjall uses one for a batch and a
/// few for each flush and compaction, so that a greater step is a flipped bit.
const MAX_STEP: u64 = 1 << 24;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// Bytes read at once.
const CHUNK: usize = 64 << 10;

/// One journal.
struct Journal {
    number: u64,
    path: PathBuf,
}

/// The whole batches at the beginning of a journal.
struct Whole {
    /// Where the last of them ends.
    end: u64,
    /// The checksum over all of them.
    sum: u128,
    /// The sequence number of the last batch, in this journal or an earlier one.
    last: Option<u64>,
    /// Why there are no more.
    broken: &'static str,
}

impl Journal {
    /// Its path within the folder of the store.
    fn file(&self) -> String {
        format!("store/{}.{EXTENSION}", self.number)
    }

    fn damaged(&self, at: u64, how: &str) -> Unsound {
        Unsound::damaged(self.file(), format!("{how} (at byte {at})"))
    }
}

/// Refuses damaged journals. Answers the newest one and where its last whole batch ends; what
/// stands behind that a crash tore, and renewing the journal leaves it out.
pub(super) fn examine(
    store: &Path,
    closed: Option<&Closed>,
) -> Result<Option<(PathBuf, u64)>, Unsound> {
    let journals = list(store)?;
    if let Some(closed) = closed {
        let found: Vec<_> = journals.iter().map(Journal::file).collect();
        if let Some(missing) = closed.missing(&found) {
            let how = "it was there when the store was closed, and is missing";
            return Err(Unsound::damaged(missing, how));
        }
    }
    let mut last = None;
    let mut newest = None;
    for (place, journal) in journals.iter().enumerate() {
        let whole = read_whole(journal, last)?;
        last = whole.last;
        newest = Some((journal.path.clone(), whole.end));
        let expected = closed.map(|closed| closed.sum(&journal.file()));
        if let Some(expected) = expected
            && expected != Some((whole.end, whole.sum))
        {
            let how = "it is not what it was when the store was closed";
            return Err(journal.damaged(whole.end, how));
        }
        let Some(rest) = read_rest(journal, whole.end)? else {
            continue;
        };
        let is_newest = place + 1 == journals.len();
        if !is_newest || expected.is_some() || !is_torn(&rest, &whole) {
            return Err(journal.damaged(whole.end, whole.broken));
        }
        tracing::info!(
            journal = journal.file(),
            end = whole.end,
            "the last write was torn by a crash and never acknowledged; it is left out"
        );
    }
    Ok(newest)
}

/// What the journals are, each to its last whole batch.
pub(super) fn sums(store: &Path) -> Result<Vec<JournalSum>, Unsound> {
    let mut last = None;
    let mut sums = Vec::new();
    for journal in list(store)? {
        let whole = read_whole(&journal, last)?;
        last = whole.last;
        sums.push(JournalSum {
            file: journal.file(),
            end: whole.end,
            sum: whole.sum,
        });
    }
    Ok(sums)
}

/// All journals, the oldest first.
fn list(store: &Path) -> io::Result<Vec<Journal>> {
    let mut journals = Vec::new();
    let entries = match fs::read_dir(store) {
        Ok(entries) => entries,
        // A new store.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(journals),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok());
        if let Some(number) = number
            && path.extension().is_some_and(|found| found == EXTENSION)
        {
            journals.push(Journal { number, path });
        }
    }
    journals.sort_by_key(|journal| journal.number);
    Ok(journals)
}

fn read_whole(journal: &Journal, mut last: Option<u64>) -> Result<Whole, Unsound> {
    let mut file = BufReader::with_capacity(CHUNK, File::open(&journal.path)?);
    let mut sum = Xxh3::new();
    let mut end = 0;
    loop {
        // A batch that turns out to be broken must leave no trace in it.
        let mut with_next = sum.clone();
        let broken = match batch::read(&mut file, &mut with_next) {
            Ok(batch) => {
                if !follows(last, batch.sequence) {
                    return Err(journal.damaged(end, "the number of a batch is out of order"));
                }
                last = Some(batch.sequence);
                end += batch.length;
                sum = with_next;
                continue;
            }
            Err(NoBatch::Nothing) => "no batch starts where one should",
            Err(NoBatch::Broken(how)) => how,
            Err(NoBatch::Io(error)) => return Err(error.into()),
        };
        return Ok(Whole {
            end,
            sum: sum.digest128(),
            last,
            broken,
        });
    }
}

/// Whether a batch with this sequence number can come after the last one.
fn follows(last: Option<u64>, sequence: u64) -> bool {
    last.is_none_or(|last| sequence > last && sequence - last <= MAX_STEP)
}

/// What stands behind the whole batches, up to the zeros that fjall reserves ahead of what it
/// writes; `None` where there are only those.
fn read_rest(journal: &Journal, from: u64) -> io::Result<Option<Vec<u8>>> {
    let mut file = File::open(&journal.path)?;
    let mut chunk = vec![0; CHUNK];
    let mut rest = Vec::new();
    // Zeros that are not part of it unless something follows.
    let mut zeros = 0;
    let mut at = from;
    loop {
        let data = next_data(&file, at)?;
        zeros += usize::try_from(data - at).map_err(io::Error::other)?;
        file.seek(SeekFrom::Start(data))?;
        let length = file.read(&mut chunk)?;
        at = data + length as u64;
        if length == 0 {
            return Ok((!rest.is_empty()).then_some(rest));
        }
        match chunk[..length].iter().rposition(|byte| *byte != 0) {
            None => zeros += length,
            Some(at) => {
                rest.resize(rest.len() + zeros, 0);
                rest.extend_from_slice(&chunk[..=at]);
                zeros = length - at - 1;
            }
        }
    }
}

/// Where a file goes on with something that may not be zeros, at `from` or behind it. What fjall
/// reserves is a hole in the file, and the file system knows its extent without reading it.
fn next_data(file: &File, from: u64) -> io::Result<u64> {
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(from)) {
        Ok(data) => Ok(data.max(from)),
        // There is none; or nothing is known of holes, as on some file systems over the network.
        Err(Errno::NXIO) => Ok(file.metadata()?.len().max(from)),
        Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(from),
        Err(error) => Err(error.into()),
    }
}

/// Whether a crash may have left this: one batch of which something is missing.
fn is_torn(rest: &[u8], whole: &Whole) -> bool {
    // Nothing is written behind a batch that was not synced.
    let another = (1..rest.len()).any(|at| {
        batch::may_start(&rest[at..])
            && batch::read(&mut &rest[at..], &mut Xxh3::new())
                .is_ok_and(|batch| follows(whole.last, batch.sequence))
    });
    if another {
        return false;
    }
    !batch::ends_like_one(rest) || has_hole(rest, whole.end)
}

/// Whether there is a sector that may never have been written. The first one may be shared with
/// the batch before.
fn has_hole(rest: &[u8], start: u64) -> bool {
    let in_sector = usize::try_from(start % SECTOR as u64).unwrap_or_default();
    let (first, others) = rest.split_at(rest.len().min(SECTOR - in_sector));
    let is_empty = |sector: &[u8]| sector.iter().all(|byte| *byte == 0);
    is_empty(first) || others.chunks(SECTOR).any(is_empty)
}
