//! One batch in a journal, as fjall 3.1 writes it.
//!
//! ```text
//! batch  1 (start), items (4), sequence number (8), item*, 3 (end), XXH3 of the items (8), "FJL\3"
//! item   2, kind of value (1), compression (1, always 0 here), keyspace (8),
//!        length of the key (2), of the value (4), of the stored value (4), key, value
//! ```
//!
//! Numbers are little-endian. The checksum does not cover the start.

use std::io::{self, BufRead};

use xxhash_rust::xxh3::Xxh3;

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const NO_COMPRESSION: u8 = 0;

/// What the end of a batch ends with.
const TRAILER: [u8; 4] = *b"FJL\x03";

/// Bytes of the end of a batch.
const END_LENGTH: usize = 1 + 8 + TRAILER.len();

/// A batch that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) sequence: u64,
    pub(super) length: u64,
}

/// Why there is no whole batch.
#[derive(Debug)]
pub(super) enum NoBatch {
    /// There is nothing, or a zero, where one would start.
    Nothing,
    /// It is not what fjall writes.
    Broken(&'static str),
    Io(io::Error),
}

impl From<io::Error> for NoBatch {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Broken("a batch is cut short"),
            _ => Self::Io(error),
        }
    }
}

/// Reads one batch, and adds its bytes to a checksum over all.
pub(super) fn read(from: &mut impl BufRead, all: &mut Xxh3) -> Result<Batch, NoBatch> {
    let mut reader = Reader {
        from,
        length: 0,
        all,
        items: Xxh3::new(),
    };
    match reader.first()? {
        None | Some(0) => return Err(NoBatch::Nothing),
        Some(START) => {}
        Some(_) => return Err(NoBatch::Broken("no batch starts where one should")),
    }
    let count = u32::from_le_bytes(reader.take()?);
    let sequence = u64::from_le_bytes(reader.take()?);
    // Of the items alone.
    reader.items = Xxh3::new();
    for _ in 0..count {
        reader.item()?;
    }
    let sum = reader.items.digest();
    let [tag] = reader.take()?;
    if tag != END {
        return Err(NoBatch::Broken("a batch does not end after its last item"));
    }
    if u64::from_le_bytes(reader.take()?) != sum {
        return Err(NoBatch::Broken("a batch fails its checksum"));
    }
    if reader.take()? != TRAILER {
        return Err(NoBatch::Broken(
            "the end of a batch is not what it should be",
        ));
    }
    Ok(Batch {
        sequence,
        length: reader.length,
    })
}

/// Whether a batch may start here, as far as a few bytes tell.
pub(super) fn may_start(bytes: &[u8]) -> bool {
    // Its first item follows the start.
    matches!(bytes, [START, ..]) && matches!(bytes.get(13..16), Some([ITEM, _, NO_COMPRESSION]))
}

/// Whether these bytes end as a batch does, or would but for one bit.
pub(super) fn ends_like_one(bytes: &[u8]) -> bool {
    let Some(end) = bytes.last_chunk::<END_LENGTH>() else {
        return false;
    };
    let expected = std::iter::once(END).chain(TRAILER);
    let found = std::iter::once(end[0]).chain(end[9..].iter().copied());
    let wrong: u32 = expected
        .zip(found)
        .map(|(expected, found)| (expected ^ found).count_ones())
        .sum();
    wrong <= 1
}

/// Reads, counts, and adds up.
struct Reader<'r, R> {
    from: &'r mut R,
    length: u64,
    all: &'r mut Xxh3,
    items: Xxh3,
}

impl<R: BufRead> Reader<'_, R> {
    fn first(&mut self) -> Result<Option<u8>, NoBatch> {
        let mut byte = [0];
        match self.fill(&mut byte) {
            Ok(()) => Ok(Some(byte[0])),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(NoBatch::Io(error)),
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], NoBatch> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn item(&mut self) -> Result<(), NoBatch> {
        let [tag, _kind, compression] = self.take()?;
        if tag != ITEM {
            return Err(NoBatch::Broken("a batch has fewer items than it says"));
        }
        if compression != NO_COMPRESSION {
            return Err(NoBatch::Broken("an item is said to be compressed"));
        }
        let _keyspace: [u8; 8] = self.take()?;
        let key = u16::from_le_bytes(self.take()?);
        let value = u32::from_le_bytes(self.take()?);
        let stored = u32::from_le_bytes(self.take()?);
        if value != stored {
            return Err(NoBatch::Broken(
                "the lengths of a value contradict each other",
            ));
        }
        self.skip(u64::from(key) + u64::from(value))
    }

    fn skip(&mut self, mut length: u64) -> Result<(), NoBatch> {
        while length > 0 {
            let there = match self.from.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                there => there?,
            };
            if there.is_empty() {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let most = usize::try_from(length).unwrap_or(usize::MAX);
            let bytes = &there[..most.min(there.len())];
            self.items.update(bytes);
            self.all.update(bytes);
            let passed = bytes.len();
            self.from.consume(passed);
            self.length += passed as u64;
            length -= passed as u64;
        }
        Ok(())
    }

    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.from.read_exact(bytes)?;
        self.items.update(bytes);
        self.all.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }
}
