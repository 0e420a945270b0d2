//! Steps on the disk that files of a store share: the free space, folders that are synced, and files that
//! are replaced as a whole.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use crate::private_folder;

/// Bytes that an unprivileged process can still write to the file system of `path`.
pub(in crate::embedded) fn free_space(path: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Makes what was created in or renamed within a folder survive a power cut.
pub(in crate::embedded) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Writes a file of this name, or replaces it. A reader finds the old or the new content as a whole,
/// also after a power cut.
pub(in crate::embedded) fn replace_file(
    folder: &Path,
    name: &str,
    content: &[u8],
) -> io::Result<()> {
    let draft = folder.join(format!("{name}.new"));
    let mut file = private_folder::new_file(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&draft, folder.join(name))?;
    sync_folder(folder)
}
