//! `prominence admin backup`: a file that is there whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use prominence_api::time::rfc3339;
use prominence_server::admin;
use serde::Serialize;

use super::{Contents, contents};
use crate::args::admin::{Backup, FileOrStream};
use crate::failure::{Failure, next_step};
use crate::output::{self, Output, Reader};

/// The output of `--json`.
#[derive(Serialize)]
struct Made {
    file: String,
    #[serde(flatten)]
    contents: Contents,
}

/// The ending of a backup's name until it is complete.
const DRAFT: &str = ".new";

pub(super) fn run(options: &Backup, output: &mut Output) -> Result<(), Failure> {
    let folder = super::folder(&options.folder)?;
    match &options.to {
        FileOrStream::Stream => {
            if output.reader() == Reader::Terminal {
                return Err(Failure::Usage(
                    "a backup is not for a terminal; name a file, or send the output into one"
                        .to_owned(),
                ));
            }
            let made = admin::backup(&folder, &mut *output)?;
            if options.json {
                // Standard output has the backup.
                let json =
                    serde_json::to_string(&Contents::from(&made)).map_err(io::Error::from)?;
                output::say(json);
            } else {
                output::say(format_args!("backed up {}", contents(&made)));
            }
        }
        FileOrStream::File(path) => {
            let replace = if options.force {
                Existing::Replace
            } else {
                Existing::Keep
            };
            let mut draft = Draft::create(path, replace)?;
            let made = admin::backup(&folder, &mut draft.file)?;
            draft.complete()?;
            if options.json {
                return Ok(output.json(&Made {
                    file: path.display().to_string(),
                    contents: (&made).into(),
                })?);
            }
            writeln!(
                output,
                "backed up {} to {} as of {}",
                contents(&made),
                path.display(),
                rfc3339(made.made)
            )?;
        }
    }
    Ok(())
}

/// The treatment of a file that has the name already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Existing {
    Keep,
    Replace,
}

/// The file until it is whole. Dropped before, it goes.
struct Draft<'a> {
    file: File,
    path: PathBuf,
    to: &'a Path,
    existing: Existing,
}

impl<'a> Draft<'a> {
    fn create(to: &'a Path, existing: Existing) -> Result<Self, Failure> {
        check(to, existing)?;
        let mut name = OsString::from(to);
        name.push(DRAFT);
        let path = PathBuf::from(name);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            // It holds what all users have stored.
            .mode(0o600)
            .open(&path)
            .map_err(|error| cannot_write(&path, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::Usage(format!(
                    "another backup is being written to {}; choose another name, or wait until \
                     it is done",
                    to.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(cannot_write(&path, &error)),
        }
        let draft = Self {
            file,
            path,
            to,
            existing,
        };
        // The draft of a backup that was killed.
        draft
            .file
            .set_len(0)
            .map_err(|error| cannot_write(&draft.path, &error))?;
        Ok(draft)
    }

    /// Gives it its name, once it can be found there after a power cut.
    fn complete(self) -> Result<(), Failure> {
        // Another process may have made one meanwhile.
        check(self.to, self.existing)?;
        let complete = || {
            self.file.sync_all()?;
            fs::rename(&self.path, self.to)?;
            sync_folder_of(self.to)
        };
        complete().map_err(|error| cannot_write(self.to, &error))
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        // After it is renamed there is no draft.
        let _ = fs::remove_file(&self.path);
    }
}

/// Refuses to write over what is there.
fn check(to: &Path, existing: Existing) -> Result<(), Failure> {
    let found = match fs::symlink_metadata(to) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot_write(to, &error)),
    };
    if !found.is_file() {
        return Err(Failure::Usage(format!(
            "{} is not a file; name a new file for the backup, or - for standard output",
            to.display()
        )));
    }
    if existing == Existing::Keep {
        return Err(Failure::Usage(format!(
            "{} is there already; choose another name, or replace it with --force",
            to.display()
        )));
    }
    Ok(())
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::Store(format!(
        "cannot write {}: {error}; {}",
        path.display(),
        next_step(error, "choose another place for the backup")
    ))
}
