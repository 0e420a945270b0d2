//! The socket in the data folder: its path, its permissions, and the server on it.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use tokio::net::{UnixListener, UnixSocket, UnixStream};

use super::routes::BACKUP_WITHIN;
use crate::net::few_clients;

/// The socket's name in the data folder.
pub(super) const SOCKET: &str = "admin.sock";

/// Its name until its permissions are set.
const DRAFT: &str = "admin.sock.new";

/// The longest path of a socket: `sun_path` has 108 bytes, one of them for the end (unix(7)).
const MAX_SOCKET_PATH: usize = 107;

/// Connections that may wait in the operating system's queue.
const BACKLOG: u32 = 16;

/// The longest life of a connection: the longest backup, and what it takes to say how it ended.
const CONNECTION_WITHIN: Duration = BACKUP_WITHIN.saturating_add(Duration::from_mins(1));

/// A socket that is listened on. Its file goes with it.
pub(crate) struct AdminSocket {
    listener: UnixListener,
    file: PathBuf,
}

impl AdminSocket {
    /// Listens in a data folder, which has to be this process's own: a socket that is there
    /// already is what a killed server left, and is replaced.
    pub(crate) fn bind(folder: &Path) -> io::Result<Self> {
        let near = Near::new(folder)?;
        let draft = near.path.join(DRAFT);
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let socket = UnixSocket::new_stream()?;
        socket.bind(&draft)?;
        // Before it listens: nothing can connect earlier, so other users never can.
        fs::set_permissions(&draft, Permissions::from_mode(0o600))?;
        let listener = socket.listen(BACKLOG)?;
        fs::rename(&draft, near.path.join(SOCKET))?;
        Ok(Self {
            listener,
            file: folder.join(SOCKET),
        })
    }

    /// Serves until the future is dropped, which cuts what is in flight: a backup must not hold
    /// up the end of a server, and can be made again.
    pub(crate) async fn serve(self, router: Router) {
        few_clients::serve(&self.listener, router, CONNECTION_WITHIN).await;
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // Where it stays, the next server replaces it.
        let _ = fs::remove_file(&self.file);
    }
}

/// Connects to the server that has a folder open.
pub(super) async fn connect(folder: &Path) -> io::Result<UnixStream> {
    let near = Near::new(folder)?;
    UnixStream::connect(near.path.join(SOCKET)).await
}

/// A path to a folder that leaves room for a socket's name.
struct Near {
    path: PathBuf,
    /// The open folder that the short path goes through.
    _folder: Option<File>,
}

impl Near {
    fn new(folder: &Path) -> io::Result<Self> {
        if folder.as_os_str().as_bytes().len() + 1 + DRAFT.len() <= MAX_SOCKET_PATH {
            return Ok(Self {
                path: folder.to_owned(),
                _folder: None,
            });
        }
        let opened = File::open(folder)?;
        Ok(Self {
            path: format!("/proc/self/fd/{}", opened.as_raw_fd()).into(),
            _folder: Some(opened),
        })
    }
}
