//! What differs between the formats that a new store can have, for tests that know its files.
//!
//! The whole program of tests runs on format 2, and on format 3 with `PROMINENCE_STORE_FORMAT=3`.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use prominence_engines::embedded::Options;

use crate::support::options;

/// Where a new store keeps its rows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// In keyspaces of fjall, with its journal: format 2.
    Fjall,
    /// In a log with trees as its index: format 3.
    Log,
}

/// How a disk is filled up so that the background threads fail and commits do not.
pub(crate) struct Shortage {
    /// Bytes of each value.
    pub(crate) value: usize,
    pub(crate) memtable: u64,
    /// Bytes that are free: enough for the commits that a memtable holds, too few to write it out.
    pub(crate) free: u64,
}

impl Layout {
    /// That of new stores.
    pub(crate) fn of_new_stores() -> Self {
        match std::env::var("PROMINENCE_STORE_FORMAT").as_deref() {
            Ok("3") => Self::Log,
            _ => Self::Fjall,
        }
    }

    /// The file to which the first commits of a store are appended.
    pub(crate) fn first_commits(self) -> &'static str {
        match self {
            Self::Fjall => "store/0.jnl",
            Self::Log => "store/log/00000001.log",
        }
    }

    /// A file that is read before all others, and without which nothing is opened.
    pub(crate) fn first_read(self) -> &'static str {
        match self {
            Self::Fjall => "store/version",
            Self::Log => "store/log/manifest",
        }
    }

    /// The folders of the trees.
    pub(crate) fn trees(self) -> [&'static str; 4] {
        match self {
            Self::Fjall => [
                "store/keyspaces/1",
                "store/keyspaces/2",
                "store/keyspaces/3",
                "store/keyspaces/4",
            ],
            Self::Log => [
                "store/index/entries",
                "store/index/changes",
                "store/index/expiry",
                "store/index/namespaces",
            ],
        }
    }

    /// Whether a message names one of the files that hold rows.
    pub(crate) fn names_rows(self, message: &str) -> bool {
        match self {
            Self::Fjall => message.contains("store/keyspaces/"),
            Self::Log => message.contains("store/index/") || message.contains("store/log/"),
        }
    }

    /// Options with which little is enough that memtables are written out and, in the log, that
    /// segments follow one another and are collected.
    pub(crate) fn small(self, folder: &Path) -> Options {
        match self {
            Self::Fjall => options(folder),
            Self::Log => Options {
                memtable_bytes: 16 << 10,
                segment_bytes: 96 << 10,
                ..options(folder)
            },
        }
    }

    /// Options for the conformance cases: memtables are so small that they are written out after
    /// every few commits, and that every case meets files, and compactions, as well as memory.
    pub(crate) fn smallest(self, folder: &Path) -> Options {
        match self {
            Self::Fjall => Options {
                memtable_bytes: 4 << 10,
                ..options(folder)
            },
            Self::Log => self.small(folder),
        }
    }

    pub(crate) fn shortage(self) -> Shortage {
        match self {
            Self::Fjall => Shortage {
                value: 16_384,
                memtable: 32 << 20,
                free: 48 << 20,
            },
            // Large values are in the log alone and never written out.
            Self::Log => Shortage {
                value: 400,
                memtable: 2 << 20,
                free: 2_500 << 10,
            },
        }
    }

    /// Something that changes whenever the end of the log was written once more because its process
    /// was killed: fjall's journal is copied, a group of the log is written in its place.
    pub(crate) fn renewal(self, folder: &Path) -> (u64, i64, i64) {
        let commits = fs::metadata(folder.join(self.first_commits())).unwrap();
        match self {
            Self::Fjall => (commits.ino(), 0, 0),
            Self::Log => (commits.ino(), commits.mtime(), commits.mtime_nsec()),
        }
    }

    /// A kind of file, so that small ones have their turn as often as large ones.
    pub(crate) fn kind(self, file: &Path) -> String {
        let name = file.file_name().unwrap().to_string_lossy();
        let folder = file.parent().unwrap().file_name();
        match folder.map(|name| name.to_string_lossy()) {
            Some(folder) if folder == "tables" || folder == "blobs" => file.display().to_string(),
            Some(folder) if folder == "log" => name.into_owned(),
            _ if name.ends_with(".jnl") => "journal".to_owned(),
            _ if name.starts_with('v') && name != "version" => "manifest of a tree".to_owned(),
            _ => name.into_owned(),
        }
    }

    /// Whether a file of this kind holds rows, each under a checksum that a check compares.
    pub(crate) fn holds_rows(self, kind: &str) -> bool {
        kind.contains("/tables/")
            || kind.contains("/blobs/")
            || Path::new(kind).extension().is_some_and(|end| end == "log")
    }
}

/// The folder of the log, in that of a store of format 3.
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

/// Makes a folder that becomes a store of format 3, whichever new stores get.
pub(crate) fn new_log(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("FORMAT"), "prominence-kv 3\n").unwrap();
}
