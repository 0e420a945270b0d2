//! The files of a store, for tests that know them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use prominence_engines::embedded::Options;

use crate::support::options;

/// The file to which the first commits of a store are appended.
pub(crate) const FIRST_COMMITS: &str = "store/log/00000001.log";

/// A file that is read before all others, and without which nothing is opened.
pub(crate) const FIRST_READ: &str = "store/log/manifest";

/// The folders of the trees.
pub(crate) const TREES: [&str; 4] = [
    "store/index/entries",
    "store/index/changes",
    "store/index/expiry",
    "store/index/namespaces",
];

/// True if a message names one of the files that hold rows.
pub(crate) fn names_rows(message: &str) -> bool {
    message.contains("store/index/") || message.contains("store/log/")
}

/// Options with which little is enough that memtables are written out, and that segments follow one
/// another and are collected.
pub(crate) fn small(folder: &Path) -> Options {
    Options {
        memtable_bytes: 16 << 10,
        segment_bytes: 96 << 10,
        ..options(folder)
    }
}

/// Something that changes whenever the last group of the log was written once more because its process
/// was killed.
pub(crate) fn renewal(folder: &Path) -> (i64, i64) {
    let commits = fs::metadata(folder.join(FIRST_COMMITS)).unwrap();
    (commits.mtime(), commits.mtime_nsec())
}

/// A kind of file, so that small ones have their turn as often as large ones.
pub(crate) fn kind(file: &Path) -> String {
    let name = file.file_name().unwrap().to_string_lossy();
    let folder = file.parent().unwrap().file_name();
    match folder.map(|name| name.to_string_lossy()) {
        Some(folder) if folder == "tables" => file.display().to_string(),
        Some(folder) if folder == "log" => name.into_owned(),
        _ if name.starts_with('v') => "manifest of a tree".to_owned(),
        _ => name.into_owned(),
    }
}

/// True if a file of this kind holds rows, each under a checksum that a check compares.
pub(crate) fn holds_rows(kind: &str) -> bool {
    kind.contains("/tables/") || Path::new(kind).extension().is_some_and(|end| end == "log")
}

/// The folder of the log, in that of a store.
pub(crate) fn log(folder: &Path) -> PathBuf {
    folder.join("store/log")
}

/// What the manifest of a log says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// The last group that every tree has in files.
    pub(crate) indexed: u64,
    /// The numbers of the segments.
    pub(crate) segments: Vec<u32>,
}

/// Reads the manifest of the log, where there is one.
pub(crate) fn manifest(folder: &Path) -> Option<Manifest> {
    let text = fs::read_to_string(log(folder).join("manifest")).ok()?;
    let mut manifest = Manifest::default();
    for line in text.lines() {
        let words: Vec<_> = line.split(' ').collect();
        match words.as_slice() {
            ["index", group, ..] => manifest.indexed = group.parse().unwrap(),
            ["segment", number, ..] => manifest.segments.push(number.parse().unwrap()),
            _ => {}
        }
    }
    Some(manifest)
}
