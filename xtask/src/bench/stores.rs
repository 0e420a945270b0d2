//! Stores with up to ten million keys, filled once and kept under target/bench-data.

use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use walkdir::WalkDir;

use super::catalogue::{Contents, Shrinks};
use super::lab::{Lab, Scale};
use crate::sh;

/// Raised when what the loader writes changes.
const LOADER_VERSION: u32 = 1;

impl Contents {
    /// What the store of this name holds in the scale of this run.
    pub(crate) fn of(lab: &Lab, name: &str) -> anyhow::Result<Self> {
        let store = lab.catalogue.stores.get(name);
        let mut contents = store.with_context(|| format!("no store {name}"))?.clone();
        match contents.shrinks {
            Shrinks::Keys => contents.keys = lab.scaled(contents.keys),
            Shrinks::Users => contents.users = lab.scaled(contents.users),
            Shrinks::Nothing => {}
        }
        Ok(contents)
    }

    /// The command that fills `folder` with this.
    pub(crate) fn loader(&self, lab: &Lab, folder: &Path) -> Command {
        let mut load = lab.own("load");
        load.arg(folder);
        let counts = [
            ("--users", self.users),
            ("--keys", self.keys),
            ("--bytes", self.bytes),
            ("--folders", self.folders),
        ];
        for (flag, count) in counts {
            load.arg(flag).arg(count.to_string());
        }
        load
    }
}

/// The folder of a store that is only read; filled where it is missing or out of date.
pub(crate) fn prepared(lab: &Lab, name: &str) -> anyhow::Result<PathBuf> {
    let scale = match lab.options.scale {
        Scale::Full => "full",
        Scale::Small => "small",
    };
    let home = sh::root().join("target/bench-data").join(scale);
    let (folder, stamp) = (home.join(name), home.join(format!("{name}.stamp")));
    let contents = Contents::of(lab, name)?;
    let wanted = format!("{LOADER_VERSION} {contents:?} {}\n", engine()?);
    match std::fs::read_to_string(&stamp) {
        Ok(stamped) if stamped == wanted || lab.options.keep_data => return Ok(folder),
        _ => {}
    }
    if folder.exists() {
        std::fs::remove_file(&stamp).or_else(absent_is_fine)?;
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&home)?;
    sh::run(&mut contents.loader(lab, &folder))?;
    std::fs::write(&stamp, wanted)?;
    Ok(folder)
}

/// A copy of a store that may be changed; it goes away with what is answered.
pub(crate) fn copied(lab: &Lab, name: &str) -> anyhow::Result<tempfile::TempDir> {
    let from = prepared(lab, name)?;
    let to = lab.folder()?;
    sh::output(
        Command::new("cp")
            .args(["-a", "--reflink=auto"])
            .arg(from.join("."))
            .arg(to.path()),
    )?;
    settle_disk()?;
    Ok(to)
}

/// Reads every file of a folder, so that the operating system has them in its cache: some
/// virtual machines give that back within seconds.
pub(crate) fn read_through(folder: &Path) -> anyhow::Result<()> {
    for file in files_below(folder)? {
        std::io::copy(&mut File::open(file)?, &mut std::io::sink())?;
    }
    Ok(())
}

/// Waits until the disk has what was written, so that it doesn't slow down what comes next.
pub(crate) fn settle_disk() -> anyhow::Result<()> {
    sh::output(&mut Command::new("sync"))?;
    Ok(())
}

/// Bytes of disk that a folder takes.
pub(crate) fn disk(folder: &Path) -> anyhow::Result<f64> {
    let listed = sh::output(Command::new("du").args(["-s", "-B1"]).arg(folder))?;
    let bytes = listed
        .split_whitespace()
        .next()
        .context("du prints a size")?;
    Ok(bytes.parse()?)
}

/// Tells versions of the engine apart: its source, and the version of the library below it.
/// A store that another version laid out would be measured as if this one had.
fn engine() -> anyhow::Result<String> {
    let mut hasher = DefaultHasher::new();
    for file in files_below(&sh::root().join("crates/engines/src"))? {
        std::fs::read(file)?.hash(&mut hasher);
    }
    let lock = std::fs::read_to_string(sh::root().join("Cargo.lock"))?;
    let is_meant = |package: &&str| package.contains("name = \"lsm-tree\"\n");
    lock.split("\n\n").find(is_meant).hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}

/// The files below a folder, in order; the administrators' socket is none.
fn files_below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let entry = entry?;
        if entry.file_type().is_file() {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}

fn absent_is_fine(error: std::io::Error) -> std::io::Result<()> {
    match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }
}
