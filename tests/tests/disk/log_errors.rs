//! The disk answers errors to each kind of write that a log makes: of a group, its sync, a new segment,
//! the manifest, the files of a tree.
//!
//! The store refuses writes then, never answers a wrong read, and takes writes again by itself. Everything
//! that was acknowledged is there afterwards, and nothing is half there. The store is in a process of its own,
//! which is this test itself, started once more: with small memtables and segments, it makes all these
//! writes several times a second.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use prominence_core::clock::ManualClock;
use prominence_core::{Commit, Key, Lifetime, Operation, Store as _, StoreError, Value};
use prominence_engines::embedded::check::check_folder;
use prominence_engines::embedded::{EmbeddedStore, Options};
use prominence_tests::fault::Fault;
use prominence_tests::power::load;

const TEST: &str = "log_errors::writes_go_on_for_ever_in_a_process_of_their_own";

/// Tells the process that it is meant: the folder.
const FOLDER: &str = "PROMINENCE_TEST_LOG_ERRORS";

const WRITERS: u64 = 3;

/// Keys of each writer, which are written over all the time so that segments are collected.
const KEYS: u64 = 10;

/// Bytes of a value: so many that it is in the log alone.
const VALUE: usize = 3_000;

/// How long the store may take until it takes writes again. It tries ever more rarely.
const RECOVERY: Duration = Duration::from_secs(90);

fn options(folder: &Path) -> Options {
    Options {
        memtable_bytes: 16 << 10,
        segment_bytes: 64 << 10,
        upkeep_every: Duration::from_millis(50),
        ..load::options(folder)
    }
}

fn open(home: &Path) -> EmbeddedStore {
    let clock = Arc::new(ManualClock::new(load::START));
    EmbeddedStore::open(options(&home.join("data")), clock).unwrap()
}

fn key(writer: u64, number: u64) -> Key {
    Key::parse(&format!("/w{writer}/{}", number % KEYS)).unwrap()
}

/// It tells its number at the beginning and is the same to its end.
fn value(number: u64) -> Vec<u8> {
    let mut value = number.to_be_bytes().to_vec();
    let mut random = fastrand::Rng::with_seed(number);
    value.extend(std::iter::repeat_with(|| random.u8(..)).take(VALUE));
    value
}

#[test]
fn writes_go_on_for_ever_in_a_process_of_their_own() {
    let Some(home) = std::env::var_os(FOLDER) else {
        return;
    };
    let home = PathBuf::from(home);
    let store = open(&home);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let notes = |name: &str| {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        options.open(home.join(name)).unwrap()
    };
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let notes = notes(&format!("writer-{writer}"));
            let (store, runtime) = (&store, &runtime);
            scope.spawn(move || runtime.block_on(write(store, writer, notes)));
        }
        runtime.block_on(read(&store, notes("reader")));
    });
}

/// Notes what became of each write.
async fn write(store: &EmbeddedStore, writer: u64, mut notes: File) {
    let namespace = load::namespace(0);
    for number in 0.. {
        let set = Operation::Set {
            key: key(writer, number),
            value: Value::stored(value(number).into()),
            lifetime: Lifetime::Permanent,
        };
        let commit = Commit::single(None, set);
        let line = match store.commit(&namespace, None, commit).await {
            Ok(_) => format!("written {number}\n"),
            Err(StoreError::Unavailable { reason, .. }) => {
                std::thread::sleep(Duration::from_millis(5));
                format!("refused {number} {reason}\n")
            }
            Err(other) => format!("failed {number} {other}\n"),
        };
        notes.write_all(line.as_bytes()).unwrap();
    }
}

/// Notes what was read.
async fn read(store: &EmbeddedStore, mut notes: File) {
    let namespace = load::namespace(0);
    for number in 0.. {
        let key = key(number % WRITERS, number / WRITERS);
        let line = match store.get(&namespace, &key).await {
            Ok(None) => "read\n".to_owned(),
            Ok(Some(entry)) if is_whole(entry.value.as_bytes()) => "read\n".to_owned(),
            Ok(Some(_)) => "failed: half a value\n".to_owned(),
            // While the store is being opened again.
            Err(StoreError::Unavailable { .. }) => continue,
            Err(other) => format!("failed: {other}\n"),
        };
        notes.write_all(line.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn number_of(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(*bytes.first_chunk().unwrap())
}

fn is_whole(bytes: &[u8]) -> bool {
    bytes == value(number_of(bytes))
}

/// The process, which is killed at the latest when the test ends.
struct Writing {
    home: tempfile::TempDir,
    process: Child,
}

impl Drop for Writing {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Writing {
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", TEST])
            .env(FOLDER, home.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { home, process }
    }

    fn log(&self) -> PathBuf {
        self.home.path().join("data/store/log")
    }

    fn notes(&self, name: &str) -> String {
        fs::read_to_string(self.home.path().join(name)).unwrap_or_default()
    }

    /// How many lines of all writers begin with a word.
    fn count(&self, word: &str) -> usize {
        let of = |writer| {
            let notes = self.notes(&format!("writer-{writer}"));
            notes.lines().filter(|line| line.starts_with(word)).count()
        };
        (0..WRITERS).map(of).sum()
    }

    fn newest_segment(&self) -> u32 {
        let names = fs::read_dir(self.log()).unwrap();
        let names = names.filter_map(|entry| entry.unwrap().file_name().into_string().ok());
        let numbers = names.filter_map(|name| name.strip_suffix(".log")?.parse().ok());
        numbers.max().unwrap_or_default()
    }

    fn wait_for(&mut self, what: &str, happened: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + RECOVERY;
        while !happened(self) {
            assert!(
                Instant::now() < deadline,
                "{what}; the last write: {:?}",
                self.notes("writer-0").lines().last()
            );
            assert!(
                self.process.try_wait().unwrap().is_none(),
                "the process ended"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills the process, and demands that its folder holds what was acknowledged.
    fn check(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        assert!(!self.notes("reader").contains("failed"), "a read failed");
        assert_eq!(self.count("failed"), 0, "a write failed otherwise");
        let report = check_folder(&self.home.path().join("data"), &mut |_| {}).unwrap();
        assert!(report.is_clean(), "{:#?}", report.findings);
        let store = open(self.home.path());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let namespace = load::namespace(0);
        for writer in 0..WRITERS {
            for (slot, possible) in possible(&self.notes(&format!("writer-{writer}"))) {
                let key = key(writer, slot);
                let entry = runtime.block_on(store.get(&namespace, &key)).unwrap();
                let number = entry.map(|entry| {
                    assert!(
                        is_whole(entry.value.as_bytes()),
                        "/w{writer}/{slot} is half there"
                    );
                    number_of(entry.value.as_bytes())
                });
                assert!(
                    possible.contains(&number),
                    "/w{writer}/{slot} has {number:?}, and may have {possible:?}"
                );
            }
        }
    }
}

/// What the keys of a writer may hold by its notes: what was written last, or what was refused or not
/// yet answered after it.
fn possible(notes: &str) -> BTreeMap<u64, Vec<Option<u64>>> {
    let mut possible: BTreeMap<u64, Vec<Option<u64>>> =
        (0..KEYS).map(|slot| (slot, vec![None])).collect();
    let mut next = 0;
    for line in notes.lines() {
        let mut words = line.split(' ');
        let (word, number) = (words.next().unwrap(), words.next().unwrap());
        let number: u64 = number.parse().unwrap();
        let of_key = possible.get_mut(&(number % KEYS)).unwrap();
        if word == "written" {
            of_key.clear();
        }
        of_key.push(Some(number));
        next = number + 1;
    }
    possible.get_mut(&(next % KEYS)).unwrap().push(Some(next));
    possible
}

/// Which files a fault is for.
type Files = fn(&Writing) -> Vec<PathBuf>;

/// Segments that are there and some that will be.
fn segments(writing: &Writing) -> Vec<PathBuf> {
    let newest = writing.newest_segment();
    let numbers = newest.saturating_sub(1)..newest + 40;
    let name = |number| writing.log().join(format!("{number:08}.log"));
    numbers.map(name).collect()
}

/// Segments that are not there yet.
fn later_segments(writing: &Writing) -> Vec<PathBuf> {
    let newest = writing.newest_segment();
    let name = |number| writing.log().join(format!("{number:08}.log"));
    (newest + 1..newest + 40).map(name).collect()
}

fn manifest(writing: &Writing) -> Vec<PathBuf> {
    vec![writing.log().join("manifest.new")]
}

fn log_folder(writing: &Writing) -> Vec<PathBuf> {
    vec![writing.log()]
}

fn tables(writing: &Writing) -> Vec<PathBuf> {
    let tables = writing.home.path().join("data/store/index/entries/tables");
    (0..2_000)
        .map(|number| tables.join(number.to_string()))
        .collect()
}

fn trees(writing: &Writing) -> Vec<PathBuf> {
    let index = writing.home.path().join("data/store/index");
    vec![index.join("entries"), index.join("changes")]
}

/// What may be acknowledged as long as a fault lasts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Acknowledged {
    Nothing,
    /// What is written before the next file is needed.
    BetweenFailures,
}

/// Lets a fault come and go while the process writes.
fn endure(call: &str, how: &str, files: Files, acknowledged: Acknowledged) {
    let mut writing = Writing::start();
    writing.wait_for("segments are collected", |writing| {
        writing.count("written") > 300 && writing.newest_segment() > 5
    });
    let paths = files(&writing);
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let refused = writing.count("refused");
    let fault = Fault::inject(writing.process.id(), call, &paths, how);
    writing.wait_for("writes are refused", |writing| {
        writing.count("refused") > refused
    });
    if !how.contains("when=") {
        let more = |writing: &mut Writing| {
            let refused = writing.count("refused");
            writing.wait_for("more are", |writing| {
                writing.count("refused") > refused + 20
            });
        };
        // By then those have been noted that were acknowledged before it began.
        more(&mut writing);
        let written = writing.count("written");
        more(&mut writing);
        if acknowledged == Acknowledged::Nothing {
            assert_eq!(writing.count("written"), written, "acknowledged on trust");
        }
    }
    drop(fault);
    let (written, newest) = (writing.count("written"), writing.newest_segment());
    writing.wait_for("writes are taken again, and segments change", |writing| {
        writing.count("written") > written + 100 && writing.newest_segment() > newest
    });
    writing.check();
}

#[test]
fn while_groups_cant_be_written_nothing_is_acknowledged() {
    endure("pwrite64", "error=EIO", segments, Acknowledged::Nothing);
}

#[test]
fn a_group_that_finds_no_room_is_survived() {
    endure(
        "pwrite64",
        "error=ENOSPC:when=1..3",
        segments,
        Acknowledged::BetweenFailures,
    );
}

#[test]
fn while_groups_cant_be_synced_nothing_is_acknowledged() {
    endure("fdatasync", "error=EIO", segments, Acknowledged::Nothing);
}

#[test]
fn one_failed_sync_of_a_group_is_survived() {
    endure(
        "fdatasync",
        "error=EIO:when=1",
        segments,
        Acknowledged::BetweenFailures,
    );
}

#[test]
fn while_no_segment_can_be_made_writes_are_refused_and_afterwards_they_are_taken_again() {
    endure(
        "openat",
        "error=ENOSPC",
        later_segments,
        Acknowledged::BetweenFailures,
    );
}

#[test]
fn a_segment_whose_creation_is_not_synced_is_survived() {
    endure(
        "fsync",
        "error=EIO:when=1",
        later_segments,
        Acknowledged::BetweenFailures,
    );
}

#[test]
fn while_the_manifest_cant_be_written_writes_are_refused_and_afterwards_they_are_taken_again() {
    endure(
        "write",
        "error=ENOSPC",
        manifest,
        Acknowledged::BetweenFailures,
    );
}

#[test]
fn a_manifest_that_does_not_take_its_place_is_survived() {
    endure(
        "rename",
        "error=EIO:when=1",
        manifest,
        Acknowledged::BetweenFailures,
    );
}

#[test]
fn a_sync_of_the_folder_of_the_log_that_fails_is_survived() {
    endure(
        "fsync",
        "error=EIO:when=1..2",
        log_folder,
        Acknowledged::BetweenFailures,
    );
}

#[test]
fn while_tables_cant_be_written_writes_are_refused_and_afterwards_they_are_taken_again() {
    endure("fsync", "error=EIO", tables, Acknowledged::BetweenFailures);
}

#[test]
fn a_table_that_finds_no_room_is_survived() {
    endure(
        "write",
        "error=ENOSPC:when=1..2",
        tables,
        Acknowledged::BetweenFailures,
    );
}

#[test]
fn a_tree_whose_new_manifest_is_not_synced_is_survived() {
    endure(
        "fsync",
        "error=EIO:when=1..2",
        trees,
        Acknowledged::BetweenFailures,
    );
}

/// One sector that can't be read any more must not stop all writes for ever.
#[test]
fn a_segment_that_cant_be_read_is_not_collected_and_writes_go_on() {
    let mut writing = Writing::start();
    writing.wait_for("segments are collected", |writing| {
        writing.count("written") > 300 && writing.newest_segment() > 5
    });
    let newest = writing.newest_segment();
    let paths: Vec<_> = (newest.saturating_sub(9)..=newest)
        .map(|number| writing.log().join(format!("{number:08}.log")))
        .collect();
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let fault = Fault::inject(writing.process.id(), "pread64", &paths, "error=EIO");
    let written = writing.count("written");
    writing.wait_for(
        "writes go on, and later segments are collected",
        |writing| {
            writing.count("written") > written + 500 && writing.newest_segment() > newest + 20
        },
    );
    assert_eq!(writing.count("refused"), 0, "writes were refused");
    assert!(paths.iter().any(|path| path.exists()), "they are all gone");
    drop(fault);
    writing.check();
}
