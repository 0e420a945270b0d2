//! The head of a backup, and frames: a kind, a length, a body and a checksum.

use std::io::{self, Read, Write};

use prominence_core::Timestamp;
use prominence_core::limits::{MAX_JOB_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES, MAX_WRITE_ID_BYTES};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::BackupReadError;

/// The first bytes of every backup. As in PNG (RFC 2083, section 12.12) the first byte is not
/// ASCII, and the line ends that follow show what a transfer as text does to the file.
const MAGIC: [u8; 8] = *b"\x89PKV\r\n\x1a\n";

/// The version that is written, and the latest that is read.
const VERSION: u32 = 2;

/// The first version that is read. Its records are ones of the latest without what was added
/// since.
const OLDEST: u32 = 1;

/// Bytes of a checksum.
const CHECKSUM: usize = 8;

/// Bytes of the head: what it begins with, version, instant, checksum.
const HEAD: usize = MAGIC.len() + 4 + 8 + CHECKSUM;

/// The longest body. A longer one can't be an entry's, so its length must be damaged, and no
/// memory is set aside for it.
const MAX_BODY: usize =
    MAX_VALUE_BYTES + MAX_KEY_BYTES + 2 * MAX_JOB_BYTES + MAX_WRITE_ID_BYTES + 64;

/// Writes frames one after another.
pub(super) struct FrameWriter<W> {
    to: W,
    whole: Xxh3,
    at: u64,
}

impl<W: Write> FrameWriter<W> {
    /// Writes the head.
    pub(super) fn new(to: W, made: Timestamp) -> io::Result<Self> {
        let mut writer = Self {
            to,
            whole: Xxh3::new(),
            at: 0,
        };
        let mut head = Vec::with_capacity(HEAD);
        head.extend_from_slice(&MAGIC);
        head.extend_from_slice(&VERSION.to_be_bytes());
        head.extend_from_slice(&made.as_millis().to_be_bytes());
        let sum = xxh3_64(&head);
        head.extend_from_slice(&sum.to_be_bytes());
        writer.append(&head)?;
        Ok(writer)
    }

    /// Writes one frame.
    pub(super) fn frame(&mut self, kind: u8, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len()).map_err(io::Error::other)?;
        let sum = checksum(self.at, kind, length, body);
        self.append(&[kind])?;
        self.append(&length.to_be_bytes())?;
        self.append(body)?;
        self.append(&sum.to_be_bytes())
    }

    /// The checksum of everything written so far.
    pub(super) fn whole(&self) -> u64 {
        self.whole.digest()
    }

    /// Hands everything on.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)?;
        self.whole.update(bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }
}

/// Reads frames one after another.
pub(super) struct FrameReader<R> {
    from: R,
    whole: Xxh3,
    at: u64,
    made: Timestamp,
}

/// A frame whose checksum is right.
pub(super) struct Frame {
    /// The byte at which it begins.
    pub(super) at: u64,
    pub(super) kind: u8,
    pub(super) body: Vec<u8>,
    /// The checksum of everything before it.
    pub(super) whole: u64,
}

impl<R: Read> FrameReader<R> {
    /// Reads the head.
    pub(super) fn new(from: R) -> Result<Self, BackupReadError> {
        let mut reader = Self {
            from,
            whole: Xxh3::new(),
            at: 0,
            made: Timestamp::default(),
        };
        let mut magic = [0; MAGIC.len()];
        match reader.fill(&mut magic) {
            Ok(()) if magic == MAGIC => {}
            Ok(()) | Err(BackupReadError::Truncated { .. }) => {
                return Err(BackupReadError::NotABackup);
            }
            Err(error) => return Err(error),
        }
        let version = reader.take()?;
        // Before the checksum, as a later version may have another head.
        if u32::from_be_bytes(version) > VERSION {
            return Err(BackupReadError::LaterVersion {
                found: u32::from_be_bytes(version),
                supported: VERSION,
            });
        }
        let made = reader.take()?;
        let sum = reader.whole.digest();
        if sum != u64::from_be_bytes(reader.take()?) || u32::from_be_bytes(version) < OLDEST {
            return Err(damaged(0, "its head is not what was written"));
        }
        reader.made = Timestamp::from_millis(u64::from_be_bytes(made));
        Ok(reader)
    }

    /// When the backup was made.
    pub(super) fn made(&self) -> Timestamp {
        self.made
    }

    /// The next frame. A missing one is an error, since the last one is marked as the last.
    pub(super) fn next(&mut self) -> Result<Frame, BackupReadError> {
        let (at, whole) = (self.at, self.whole.digest());
        let [kind] = self.take()?;
        let length = u32::from_be_bytes(self.take()?);
        let bytes = usize::try_from(length).unwrap_or(usize::MAX);
        if bytes > MAX_BODY {
            return Err(damaged(at, "a length that no record has"));
        }
        let mut body = vec![0; bytes];
        self.fill(&mut body)?;
        if u64::from_be_bytes(self.take()?) != checksum(at, kind, length, &body) {
            return Err(damaged(at, "a checksum that does not fit"));
        }
        Ok(Frame {
            at,
            kind,
            body,
            whole,
        })
    }

    /// Demands that nothing is left.
    pub(super) fn finish(&mut self) -> Result<(), BackupReadError> {
        let at = self.at;
        match self.take::<1>() {
            Err(BackupReadError::Truncated { .. }) => Ok(()),
            Ok(_) => Err(damaged(at, "something follows the end mark")),
            Err(error) => Err(error),
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], BackupReadError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), BackupReadError> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.from.read(&mut bytes[filled..]) {
                Ok(0) => {
                    let at = self.at + filled as u64;
                    return Err(BackupReadError::Truncated { at });
                }
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(BackupReadError::Read(error)),
            }
        }
        self.whole.update(bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }
}

/// The error for what can't be what was written.
pub(super) fn damaged(at: u64, what: &'static str) -> BackupReadError {
    BackupReadError::Damaged { at, what }
}

/// XXH3, 64 bits, seed 0. The place is part of it, so that a frame that is missing, repeated or
/// moved is noticed at the next one.
fn checksum(at: u64, kind: u8, length: u32, body: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&at.to_be_bytes());
    hash.update(&[kind]);
    hash.update(&length.to_be_bytes());
    hash.update(body);
    hash.digest()
}
