//! `prominence admin`: looking after a server's data.

mod backup;
mod check;
#[cfg(feature = "etcd")]
mod migrate;
mod records;
mod restore;
mod upgrade;
mod usage;

use std::fs::File;
use std::io::{self, BufReader, IsTerminal as _, Read};
use std::path::PathBuf;

use prominence_api::time::rfc3339;
use prominence_server::Settings;
use prominence_server::admin::{AdminError, Backup, BackupReadError, RestoreError};
#[cfg(not(feature = "etcd"))]
use prominence_server::settings::WITHOUT_ETCD;
use prominence_server::settings::data_folders;
use serde::Serialize;

use super::{counted, keys};
use crate::args::admin::{AdminCommand, FileOrStream, Folder, Migrate};
use crate::failure::{Failure, next_step};
use crate::output::Output;

/// Bytes of a backup that are read together.
const BUFFER_BYTES: usize = 256 << 10;

pub(super) fn run(command: &AdminCommand, output: &mut Output) -> Result<(), Failure> {
    super::keep_files_private();
    match command {
        AdminCommand::Backup(options) => backup::run(options, output),
        AdminCommand::Restore(options) => restore::run(options, output),
        AdminCommand::Check(options) => check::run(options, output),
        AdminCommand::Usage(options) => usage::run(options, output),
        AdminCommand::User(options) => records::user(&options.command, output),
        AdminCommand::Quota(options) => records::quota(&options.command, output),
        AdminCommand::Migrate(options) => match &options.data_dir {
            Some(folder) => upgrade::run(folder, options.json, output),
            None => move_elsewhere(options, output),
        },
    }
}

#[cfg(feature = "etcd")]
fn move_elsewhere(options: &Migrate, output: &mut Output) -> Result<(), Failure> {
    migrate::run(&options.elsewhere, options.json, output)
}

#[cfg(not(feature = "etcd"))]
fn move_elsewhere(options: &Migrate, _: &mut Output) -> Result<(), Failure> {
    Err(Failure::Usage(match options.elsewhere.is_empty() {
        true => "admin migrate: name the data folder with --data-dir".to_owned(),
        false => format!("admin migrate: {WITHOUT_ETCD}"),
    }))
}

/// The data folder that is meant, which has to hold the data.
fn folder(given: &Folder) -> Result<PathBuf, Failure> {
    find_folder(given, false)
}

/// The data folder that is meant, also of a server whose data is in a cluster.
fn any_folder(given: &Folder) -> Result<PathBuf, Failure> {
    find_folder(given, true)
}

fn find_folder(given: &Folder, may_be_in_cluster: bool) -> Result<PathBuf, Failure> {
    if given.config.is_some() {
        let settings = Settings {
            config: given.config.clone(),
            data_dir: given.data_dir.clone(),
            // Nothing listens here, so it doesn't matter how safely.
            insecure: Some(true),
            ..Settings::default()
        };
        let config = settings
            .resolve()
            .map_err(|error| Failure::Usage(error.to_string()))?;
        let folder = config.data_dir;
        if config.engine.is_in_cluster() && !may_be_in_cluster {
            return Err(AdminError::InCluster { folder }.into());
        }
        return Ok(folder);
    }
    if let Some(folder) = &given.data_dir {
        return Ok(folder.clone());
    }
    let folders = data_folders();
    let used = folders.iter().find(|folder| folder.exists());
    used.or(folders.first()).cloned().ok_or_else(|| {
        Failure::Usage(
            "there is no home folder to look for data in; name the server's data folder with \
             --data-dir"
                .to_owned(),
        )
    })
}

/// A backup to read.
fn open(from: &FileOrStream) -> Result<Box<dyn Read>, Failure> {
    let reader: Box<dyn Read> = match from {
        FileOrStream::Stream if io::stdin().is_terminal() => {
            return Err(Failure::Usage(
                "a backup cannot be typed; name a file, or send one into standard input".to_owned(),
            ));
        }
        FileOrStream::Stream => Box::new(io::stdin()),
        FileOrStream::File(path) => Box::new(File::open(path).map_err(|error| {
            Failure::Store(format!(
                "cannot read {}: {error}; {}",
                path.display(),
                next_step(&error, "name another backup")
            ))
        })?),
    };
    Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, reader)))
}

/// The content of a backup, as `--json` prints it.
#[derive(Serialize)]
struct Contents {
    made: String,
    namespaces: u64,
    entries: u64,
    bytes: u64,
    changes: u64,
}

impl From<&Backup> for Contents {
    fn from(backup: &Backup) -> Self {
        Self {
            made: rfc3339(backup.made),
            namespaces: backup.namespaces,
            entries: backup.entries,
            bytes: backup.bytes,
            changes: backup.changes,
        }
    }
}

/// The content of a backup, in words.
fn contents(backup: &Backup) -> String {
    format!(
        "{} of {} ({}) and {}",
        keys(backup.entries),
        counted(backup.namespaces, "user"),
        counted(backup.bytes, "byte"),
        counted(backup.changes, "change")
    )
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Failed(_) | AdminError::Garbled(_) | AdminError::Refused(_) => {
                Self::No(error.to_string())
            }
            error => Self::Store(error.to_string()),
        }
    }
}

impl From<RestoreError> for Failure {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Backup(error) => error.into(),
            RestoreError::NotEmpty { .. } | RestoreError::IsAStore { .. } => {
                Self::Usage(error.to_string())
            }
            RestoreError::Folder(_) | RestoreError::Store { .. } => Self::Store(error.to_string()),
        }
    }
}

impl From<BackupReadError> for Failure {
    fn from(error: BackupReadError) -> Self {
        match error {
            BackupReadError::Read(_) => Self::Store(error.to_string()),
            BackupReadError::NotABackup
            | BackupReadError::LaterVersion { .. }
            | BackupReadError::Truncated { .. }
            | BackupReadError::Damaged { .. } => Self::No(error.to_string()),
        }
    }
}
