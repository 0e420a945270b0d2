//! Why an administrator gets no answer about a store.

use std::io;
use std::path::PathBuf;

use prominence_core::StoreError;
use prominence_engines::embedded::{BackupReadError, OpenError};

use super::socket::SOCKET;

/// The reason why an administrator gets no answer about a store. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The folder can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The folder of a server without a store: the data may be in a cluster.
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
        /// The other process, if the lock names it.
        pid: Option<u32>,
    },
    /// No server answers, and only a server can do what is asked.
    #[error("no server runs with the data folder {}; start it, or name another folder with --data-dir",
        .folder.display())]
    NoServer {
        /// The data folder.
        folder: PathBuf,
    },
    /// Something that is asked for can't be done.
    #[error("{0}")]
    Refused(String),
    /// Another user owns the socket.
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
        /// The reason.
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
    /// The server did not send a whole backup.
    #[error("the server did not send a whole backup: {0}")]
    Garbled(#[source] BackupReadError),
    /// The backup can't be written.
    #[error("cannot write the backup: {0}; make room or choose another place")]
    Write(#[source] io::Error),
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

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "another process".to_owned(),
        |pid| format!("process {pid}"),
    )
}
