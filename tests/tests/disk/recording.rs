//! Records runs of the engine, and tests that the recorder misses no change.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Command;

use prominence_tests::power::disk::{Cut, Disk};
use prominence_tests::power::history::{Change, Follower};
use prominence_tests::power::trace::{self, CALLS, MAX_TEXT};
use prominence_tests::succeed;
use tempfile::TempDir;

const LOAD: &str = env!("CARGO_BIN_EXE_recorded-load");

/// A run of the engine, and all its changes to its folder.
///
/// | in `home` | contents |
/// | --- | --- |
/// | `base/` | the folder before the run |
/// | `root/` | the folder after the run |
/// | `trace` | the system calls of the run, which name `root` |
pub(crate) struct Recording {
    /// The first ones create the contents before the run.
    pub(crate) changes: Vec<Change>,
    /// The number of these.
    pub(crate) before: usize,
    pub(crate) home: PathBuf,
    /// Removes `home` when it is dropped.
    pub(crate) cleanup: Option<TempDir>,
}

/// The end of a recorded run.
#[derive(Clone, Copy)]
pub(crate) enum End {
    /// The store is closed.
    Close,
    /// The process ends without closing it.
    Crash,
}

impl Recording {
    /// Runs the writers for this number of steps each, on a folder with this number of bytes of filling, or on a new
    /// one if it is 0.
    pub(crate) fn run(seed: u64, steps: usize, filling: usize, end: End) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("root")).unwrap();
        if filling > 0 {
            let mut fill = Command::new(LOAD);
            fill.arg("fill").arg(home.path().join("root/data"));
            succeed(fill.arg(filling.to_string()));
        }
        Self::go_on(home, seed, steps, end)
    }

    /// Runs the writers on the contents of the folder `root` of `home`.
    pub(crate) fn go_on(home: TempDir, seed: u64, steps: usize, end: End) -> Self {
        let path = |name: &str| home.path().join(name);
        let mut copy = Command::new("cp");
        copy.args(["--recursive", "--sparse=always", "--no-target-directory"]);
        succeed(copy.arg(path("root")).arg(path("base")));
        let mut strace = Command::new("strace");
        strace
            .args([
                "--follow-forks",
                "--seccomp-bpf",
                "--quiet=all",
                "--no-abbrev",
            ])
            .arg(format!("--string-limit={MAX_TEXT}"))
            .arg(format!("--trace={CALLS}"))
            .arg("--output")
            .arg(path("trace"))
            .arg(LOAD)
            .arg(match end {
                End::Close => "write",
                End::Crash => "crash",
            })
            .arg(path("root/data"))
            .arg(path("notes"))
            .args([seed.to_string(), steps.to_string()]);
        succeed(&mut strace);
        Self::read(home.path().to_owned(), Some(home))
    }

    /// Reads a recording.
    pub(crate) fn read(home: PathBuf, cleanup: Option<TempDir>) -> Self {
        // Nothing that the engine told anybody depends on the calls in which the process ended.
        let (changes, before) = follow(&home, CutOff::Without);
        Self {
            changes,
            before,
            home,
            cleanup,
        }
    }
}

/// The effect of the calls in which the process ended.
#[derive(Clone, Copy)]
enum CutOff {
    /// They had no effect.
    Without,
    /// They had their effect.
    With,
}

/// The changes of a recording, and the number of those that create the contents before the run.
fn follow(home: &Path, cut_off: CutOff) -> (Vec<Change>, usize) {
    let path = |name: &str| home.join(name);
    let trace = File::open(path("trace")).unwrap();
    let mut trace = trace::parse(BufReader::new(trace)).unwrap();
    if matches!(cut_off, CutOff::With) {
        trace.calls.append(&mut trace.cut_off);
    }
    Follower::new(&path("base"), &path("root"), &path("notes")).follow(trace.calls)
}

/// The files and folders that these changes make, in a new folder.
fn made(changes: Vec<Change>, folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut disk = Disk::default();
    for (place, change) in changes.into_iter().enumerate() {
        disk.apply(place, change);
    }
    disk.leave(folder, &mut Cut::Kept);
    files(folder)
}

/// Every file and folder below a folder, by its relative path.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_owned();
            if path.is_dir() {
                found.insert(name, vec![]);
                waiting.push(path);
            } else {
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn all_recorded_changes_together_make_the_folder_that_the_engine_left() {
    let runs = [(300, 0, End::Close), (100, 1_000_000, End::Crash)];
    for (steps, filling, end) in runs {
        let recording = Recording::run(fastrand::u64(..), steps, filling, end);
        let home = &recording.home;
        let real = files(&home.join("root"));
        let without = made(recording.changes, &home.join("without"));
        // A crash can come while the threads of the engine write: each of these calls had its effect or had not.
        let (changes, _) = follow(home, CutOff::With);
        let with = made(changes, &home.join("with"));
        for path in real.keys().chain(without.keys()).chain(with.keys()) {
            let bytes = real.get(path);
            assert!(
                [without.get(path), with.get(path)].contains(&bytes),
                "{} differs",
                path.display()
            );
        }
    }
}
