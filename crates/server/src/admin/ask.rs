//! Asking about the store in a folder: the server that has it open, or else the folder itself.

use std::io::{self, BufReader, BufWriter, Read, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use prominence_core::StoreError;
use prominence_engines::embedded::{
    BackupError, BackupSummary, OfflineStore, OpenError, RestoreError, check, verify,
};

use super::remote::Remote;
use super::report::{CheckReport, Ranking, UsageReport};
use super::socket::SOCKET;
use crate::clock::wall_time;
use crate::serve::LISTENING;
use crate::token::SECRET;

/// How long a folder may be in use without anybody answering: a server that starts, or one that
/// is just about to be gone.
const REACH_WITHIN: Duration = Duration::from_secs(5);

/// How often it is tried.
const REACH_PAUSE: Duration = Duration::from_millis(50);

/// Why a question about a store has no answer. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The folder can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It is the folder of a server, and there is no store in it: the data may be in a cluster.
    #[error("{} holds no data; if its server keeps that in etcd, look after it with etcd's own \
        tools, such as etcdctl snapshot save, and otherwise name another folder with --data-dir",
        .folder.display())]
    InCluster {
        /// The data folder.
        folder: PathBuf,
    },
    /// Another process has the folder open and can't be asked.
    #[error("{} is in use by {}, which does not answer on {SOCKET}; if that is a server, restart \
        it, and otherwise wait until it is done", .folder.display(), holder(*.pid))]
    NoSocket {
        /// The data folder.
        folder: PathBuf,
        /// The other process, where the lock tells.
        pid: Option<u32>,
    },
    /// The socket is somebody else's.
    #[error("this user may not use {}; run the command as the user that runs the server",
        .socket.display())]
    NoPermission {
        /// The socket.
        socket: PathBuf,
    },
    /// The socket can't be used for another reason.
    #[error("cannot talk to the server through {}: {cause}; look at the server's log",
        .socket.display())]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// The server ended or gave up before it was done.
    #[error("the server broke off before it was done; its log says why, and then try again")]
    BrokenOff,
    /// The server answers otherwise than this program expects.
    #[error("the server is of another version; use the program that it was started from")]
    OtherVersion,
    /// The store can't be read now.
    #[error("{0}; try again later")]
    Busy(String),
    /// The store can't be read.
    #[error("{0}; run prominence admin check to see how much is damaged")]
    Failed(String),
    /// What the server sent is not what it read.
    #[error("what the server sent is no whole backup: {0}")]
    Garbled(#[source] RestoreError),
    /// The backup can't be written.
    #[error("cannot write the backup: {0}; make room or choose another place")]
    Write(#[source] io::Error),
}

/// Bytes of a backup that are read or written together, as its records may be small.
const BUFFER_BYTES: usize = 256 << 10;

/// How much each namespace of the store in a folder holds.
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

/// What is damaged in the store in a folder.
///
/// # Errors
/// See [`AdminError`]. Damage is none.
pub fn check(folder: &Path) -> Result<CheckReport, AdminError> {
    let open = |folder: &Path| check::check_folder(folder, &mut |_| {});
    match reach(folder, open)? {
        Reached::Server(remote) => remote.ask("/check"),
        Reached::Folder(report) => Ok(report.into()),
    }
}

/// Writes a backup of the store in a folder. What a server sends is checked on its way, so that a
/// backup is whole where this ends well; where it does not, what was written is to be thrown away.
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
                RestoreError::Read(_) | RestoreError::Truncated { .. } => AdminError::BrokenOff,
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

/// Who answers.
enum Reached<T> {
    Server(Remote),
    Folder(T),
}

/// Whether there is what a server leaves in its folder with any engine.
fn has_served(folder: &Path) -> bool {
    [LISTENING, SECRET]
        .iter()
        .any(|name| folder.join(name).exists())
}

/// Connects to the server that has the folder open, or opens it where there is none.
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

impl AdminError {
    pub(super) fn unreachable(socket: PathBuf, cause: io::Error) -> Self {
        match cause.kind() {
            io::ErrorKind::PermissionDenied => Self::NoPermission { socket },
            _ => Self::Unreachable { socket, cause },
        }
    }
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { .. } => Self::Busy(error.to_string()),
            error => Self::Failed(error.to_string()),
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

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "another process".to_owned(),
        |pid| format!("process {pid}"),
    )
}
