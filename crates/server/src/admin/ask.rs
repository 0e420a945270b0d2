//! Asking about the store in a folder: the server that has it open, or else the folder itself.

use std::io::{self, BufReader, BufWriter, Read, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::{Duration, Instant};

use prominence_engines::embedded::{
    BackupError, BackupReadError, BackupSummary, OfflineStore, OpenError, check, verify,
};

use super::error::AdminError;
use super::remote::Remote;
use super::report::{CheckReport, Ranking, UsageReport};
use crate::identity::token::SECRET;
use crate::settings::LISTENING;
use crate::wait::clock::wall_time;

/// The longest time in which a folder is in use and no server answers: a server starts, or is just ending.
const REACH_WITHIN: Duration = Duration::from_secs(5);

/// The pause between two attempts.
const REACH_PAUSE: Duration = Duration::from_millis(50);

/// Bytes of a backup that are read or written together, as its records may be small.
const BUFFER_BYTES: usize = 256 << 10;

/// The usage of each namespace of the store in a folder.
///
/// # Errors
/// See [`AdminError`].
pub fn usage(
    folder: &Path,
    ranking: Ranking,
    limit: NonZeroUsize,
) -> Result<UsageReport, AdminError> {
    match reach(folder, OfflineStore::open)? {
        Reached::Server(remote) => remote.ask(&format!("/usage/{}/{limit}", ranking.name())),
        Reached::Folder(store) => Ok(store.namespaces(ranking.into(), limit)?.into()),
    }
}

/// The damage in the store in a folder.
///
/// # Errors
/// See [`AdminError`]. Damage is not an error.
pub fn check(folder: &Path) -> Result<CheckReport, AdminError> {
    let open = |folder: &Path| check::check_folder(folder, &mut |_| {});
    match reach(folder, open)? {
        Reached::Server(remote) => remote.ask("/check"),
        Reached::Folder(report) => Ok(report.into()),
    }
}

/// Writes a backup of the store in a folder. A backup from a server is checked on the way, so it is complete if this
/// succeeds; otherwise the written part is to be discarded.
///
/// # Errors
/// See [`AdminError`].
pub fn backup(folder: &Path, mut to: impl Write) -> Result<BackupSummary, AdminError> {
    let made = match reach(folder, OfflineStore::open)? {
        Reached::Server(remote) => {
            let mut failed = None;
            let copied = Copied {
                from: remote.stream("/backup")?,
                to: &mut to,
                failed: &mut failed,
            };
            let verified = verify(BufReader::with_capacity(BUFFER_BYTES, copied));
            if let Some(error) = failed {
                return Err(AdminError::Write(error));
            }
            verified.map_err(|error| match error {
                BackupReadError::Read(_) | BackupReadError::Truncated { .. } => {
                    AdminError::BrokenOff
                }
                error => AdminError::Garbled(error),
            })?
        }
        Reached::Folder(store) => {
            let buffered = BufWriter::with_capacity(BUFFER_BYTES, &mut to);
            store
                .backup(wall_time(), buffered)
                .map_err(|error| match error {
                    BackupError::Store(error) => error.into(),
                    BackupError::Write(error) => AdminError::Write(error),
                })?
        }
    };
    to.flush().map_err(AdminError::Write)?;
    Ok(made)
}

/// The source of an answer.
enum Reached<T> {
    Server(Remote),
    Folder(T),
}

/// True if the folder has the files that a server leaves there with any engine.
fn has_served(folder: &Path) -> bool {
    [LISTENING, SECRET]
        .iter()
        .any(|name| folder.join(name).exists())
}

/// Connects to the server that has the folder open, or opens it if there is none.
fn reach<T>(
    folder: &Path,
    open: impl Fn(&Path) -> Result<T, OpenError>,
) -> Result<Reached<T>, AdminError> {
    let deadline = Instant::now() + REACH_WITHIN;
    loop {
        if let Some(remote) = Remote::connect(folder)? {
            return Ok(Reached::Server(remote));
        }
        match open(folder) {
            Ok(opened) => return Ok(Reached::Folder(opened)),
            Err(OpenError::Locked { .. }) if Instant::now() < deadline => {
                std::thread::sleep(REACH_PAUSE);
            }
            Err(OpenError::Locked { folder, pid }) => {
                return Err(AdminError::NoSocket { folder, pid });
            }
            Err(OpenError::NoStore { folder }) if has_served(&folder) => {
                return Err(AdminError::InCluster { folder });
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Writes everything that is read through it.
struct Copied<'a, R, W> {
    from: R,
    to: W,
    failed: &'a mut Option<io::Error>,
}

impl<R: Read, W: Write> Read for Copied<'_, R, W> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(to)?;
        if let Err(error) = self.to.write_all(&to[..read]) {
            let kind = error.kind();
            *self.failed = Some(error);
            return Err(kind.into());
        }
        Ok(read)
    }
}
