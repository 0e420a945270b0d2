//! A process that writes to a store without end, for tests that make its disk fail or slow.
//!
//! The process is this test program itself, started once more. It has small memtables and segments, so that it
//! writes memtables out, compacts, and begins and collects segments several times a second. It notes the result of
//! each write in files, and logs its compaction stalls.

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
use prominence_tests::power::load;
use tracing_subscriber::EnvFilter;

const TEST: &str = "writing::writes_go_on_for_ever_in_a_process_of_their_own";

/// The file in which the process logs its compaction stalls.
pub(super) const STALLS: &str = "stalls";

/// The environment variable with the folder, which only the process has.
const FOLDER: &str = "PROMINENCE_TEST_WRITING";

const WRITERS: u64 = 3;

/// The number of keys of each writer. They are overwritten again and again, so that segments are collected.
const KEYS: u64 = 10;

/// Bytes of a value, which is too large for the index.
const VALUE: usize = 3_000;

/// The time limit for the store until it accepts writes again. Its pauses between attempts grow.
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

/// A value that begins with its number, from which all of it follows.
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
    let log = File::create(home.join(STALLS)).unwrap();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("[compaction_stall]=debug"))
        .with_ansi(false)
        .with_writer(log)
        .init();
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

/// Writes without end, and notes the result of each write.
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

/// Reads without end, and notes the result of each read.
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

/// The process, which is killed at the end of the test at the latest.
pub(super) struct Writing {
    pub(super) home: tempfile::TempDir,
    pub(super) process: Child,
}

impl Drop for Writing {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Writing {
    pub(super) fn start() -> Self {
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

    pub(super) fn log(&self) -> PathBuf {
        self.home.path().join("data/store/log")
    }

    pub(super) fn notes(&self, name: &str) -> String {
        fs::read_to_string(self.home.path().join(name)).unwrap_or_default()
    }

    /// The number of lines of all writers that begin with a word.
    pub(super) fn count(&self, word: &str) -> usize {
        let of = |writer| {
            let notes = self.notes(&format!("writer-{writer}"));
            notes.lines().filter(|line| line.starts_with(word)).count()
        };
        (0..WRITERS).map(of).sum()
    }

    pub(super) fn newest_segment(&self) -> u32 {
        let names = fs::read_dir(self.log()).unwrap();
        let names = names.filter_map(|entry| entry.unwrap().file_name().into_string().ok());
        let numbers = names.filter_map(|name| name.strip_suffix(".log")?.parse().ok());
        numbers.max().unwrap_or_default()
    }

    pub(super) fn wait_for(&mut self, what: &str, happened: impl Fn(&Self) -> bool) {
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

    /// Kills the process, and checks that its folder has every acknowledged write.
    pub(super) fn check(mut self) {
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

/// The values that the keys of a writer may have by its notes: the last acknowledged one, and those that were refused
/// or not answered after it.
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
