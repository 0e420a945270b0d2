//! Stores with up to ten million keys, filled once and kept under target/bench-data.

use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use walkdir::WalkDir;

use super::lab::{Lab, Names, Scale};
use super::rows::{Contents, Shrinks};
use crate::sh;

/// Raised when the loader writes other entries than before.
const LOADER_VERSION: u32 = 1;

impl Contents {
    /// The contents of the store of this name in the scale of this run.
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

    /// Fills `folder` with these contents.
    fn fill(&self, lab: &Lab, folder: &Path) -> anyhow::Result<()> {
        let mut names = Names::new(folder, "");
        names.set("keys", self.keys);
        names.set("bytes", self.bytes);
        names.set("users", self.users);
        names.set("folders", self.folders);
        let words = "{release}/prominence-bench --data {data} --keys {keys} --bytes {bytes} fill {users} {folders} 1 60";
        sh::run(&mut lab.command(&names, words.split(' '))?)
    }
}

/// The folder of a store that is only read; filled if it is missing or out of date.
pub(crate) fn prepared(lab: &Lab, name: &str) -> anyhow::Result<PathBuf> {
    let scale = match lab.options.scale {
        Scale::Full => "full",
        Scale::Small => "small",
    };
    let home = sh::root().join("target/bench-data").join(scale);
    let (folder, stamp) = (home.join(name), home.join(format!("{name}.stamp")));
    let contents = Contents::of(lab, name)?;
    let wanted = format!("{LOADER_VERSION} {contents:?} {}\n", engine()?);
    let stamped = std::fs::read_to_string(&stamp);
    if stamped.is_ok_and(|stamped| stamped == wanted || lab.options.keep_data) {
        return Ok(folder);
    }
    // The stamp is removed first, so that a store that is only partly filled is not used.
    if stamp.exists() {
        std::fs::remove_file(&stamp)?;
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&home)?;
    contents.fill(lab, &folder)?;
    std::fs::write(&stamp, wanted)?;
    Ok(folder)
}

/// A copy of a store, which may be changed; it is removed when the returned value is dropped.
pub(crate) fn copied(lab: &Lab, name: &str) -> anyhow::Result<tempfile::TempDir> {
    let from = prepared(lab, name)?;
    let to = lab.folder()?;
    let mut copy = Command::new("cp");
    copy.args(["-a", "--reflink=auto"]).arg(from.join("."));
    sh::output(copy.arg(to.path()))?;
    settle_disk()?;
    Ok(to)
}

/// Reads every file of a folder, so that the operating system has them in its cache: some virtual machines drop cached
/// files within seconds.
pub(crate) fn read_through(folder: &Path) -> anyhow::Result<()> {
    for file in files_below(folder)? {
        std::io::copy(&mut File::open(file)?, &mut std::io::sink())?;
    }
    Ok(())
}

/// Waits until earlier writes are on the disk, so that they don't slow down the next measurement.
pub(crate) fn settle_disk() -> anyhow::Result<()> {
    sh::output(&mut Command::new("sync"))?;
    Ok(())
}

/// Bytes of disk that a folder takes.
pub(crate) fn disk(folder: &Path) -> anyhow::Result<f64> {
    let listed = sh::output(Command::new("du").args(["-s", "-B1"]).arg(folder))?;
    let bytes = listed.split_whitespace().next();
    Ok(bytes.context("du prints a size")?.parse()?)
}

/// A hash of the engine's source and of the version of the storage library. A store that another version has written
/// would be measured as one of this version.
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

/// The files below a folder, in order, without the administrators' socket.
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
