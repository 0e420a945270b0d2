//! A process that commits many operations at once is killed, again and again: each commit is
//! there whole or not at all, and each that was acknowledged is there.
//!
//! The process is this test itself, started once more. Both sides draw the same commits from the
//! same seed, so that the number of acknowledged ones says what has to be there. The seed is
//! printed; `PROMINENCE_TEST_SEED` draws the same commits again and `PROMINENCE_TEST_KILLS` sets
//! the number of kills.
//!
//! In the log, little is enough that memtables are written out and that segments follow one another
//! and are collected; each of that has to happen between the kills.

mod load;
mod progress;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use prominence_core::{Clock, Store, Timestamp};
use prominence_engines::EmbeddedStore;
use prominence_engines::embedded::Options;
use prominence_engines::embedded::check::{CheckReport, check_folder};

use crate::layout;
use load::{State, Writer};
use progress::Progress;

const WRITERS: u64 = 6;
const TEST: &str = "kill::commits_of_many_operations_are_whole_after_a_kill";

/// Tells the process what it is for: the folder, the seed and the round.
const FOLDER: &str = "PROMINENCE_TEST_KILL_FOLDER";
const SEED: &str = "PROMINENCE_TEST_SEED";
const ROUND: &str = "PROMINENCE_TEST_KILL_ROUND";

/// How long the process may take until its first commits are acknowledged.
const PATIENCE: Duration = Duration::from_secs(60);

/// The time of day: the process is another one each time, and entries expire meanwhile.
struct TimeOfDay;

impl Clock for TimeOfDay {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let millis = since.unwrap().as_millis();
        Timestamp::from_millis(u64::try_from(millis).unwrap())
    }

    fn not_before(&self, _: Timestamp) {}
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn open(folder: &Path) -> EmbeddedStore {
    let options = Options {
        upkeep_every: Duration::from_millis(20),
        ..layout::small(folder)
    };
    EmbeddedStore::open(options, Arc::new(TimeOfDay)).unwrap()
}

/// Where a writer notes each commit that was acknowledged, with one byte.
fn notes(folder: &Path, writer: u64) -> PathBuf {
    folder.join(format!("acknowledged-{writer}"))
}

/// The process: commits until it is killed.
fn commit_for_ever(folder: &Path, seed: u64, round: u64) {
    let store = open(&folder.join("data"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    std::thread::scope(|scope| {
        for name in 0..WRITERS {
            let (store, runtime) = (&store, &runtime);
            scope.spawn(move || {
                let notes = notes(folder, name);
                let mut notes = OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(notes)
                    .unwrap();
                let mut writer = Writer::new(seed, round, name);
                loop {
                    let commit = writer.next().commit();
                    let namespace = writer.namespace();
                    let committed = store.commit(&namespace, None, commit);
                    runtime.block_on(committed).unwrap();
                    notes.write_all(b".").unwrap();
                    runtime.block_on(writer.put_passing(store));
                }
            });
        }
    });
}

/// Starts the process and kills it at a random moment.
fn run_and_kill(folder: &Path, seed: u64, round: u64, random: &mut fastrand::Rng) {
    let mut process: Child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST])
        .env(FOLDER, folder)
        .env(SEED, seed.to_string())
        .env(ROUND, round.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    while count(folder, 0) < 3 {
        assert!(Instant::now() < deadline, "the process commits nothing");
        let ended = process.try_wait().unwrap();
        assert!(ended.is_none(), "the process ended by itself: {ended:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(random.u64(..100)));
    process.kill().unwrap();
    process.wait().unwrap();
}

fn count(folder: &Path, writer: u64) -> u64 {
    fs::metadata(notes(folder, writer)).map_or(0, |notes| notes.len())
}

fn assert_clean(report: &CheckReport) {
    assert!(report.is_clean(), "{:#?}", report.findings);
}

#[test]
fn commits_of_many_operations_are_whole_after_a_kill() {
    let seed = number(SEED).unwrap_or_else(|| fastrand::u64(..));
    if let Some(folder) = std::env::var_os(FOLDER) {
        return commit_for_ever(Path::new(&folder), seed, number(ROUND).unwrap());
    }
    let kills = number("PROMINENCE_TEST_KILLS").unwrap_or(20);
    println!("{kills} kills with {SEED}={seed}");
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut known = vec![State::default(); usize::try_from(WRITERS).unwrap()];
    let mut acknowledged = 0;
    let mut progress = Progress::default();
    for round in 0..kills {
        let before = progress::look(&data);
        run_and_kill(folder.path(), seed, round, &mut random);
        progress.add(&before, &progress::look(&data));
        if random.bool() {
            assert_clean(&check_folder(&data, &mut |_| {}).unwrap());
        }
        let store = open(&data);
        assert_clean(&store.check(&mut |_| {}).unwrap());
        for (name, state) in (0..WRITERS).zip(&mut known) {
            let mut writer = Writer::new(seed, round, name);
            let commits = count(folder.path(), name);
            acknowledged += commits;
            for _ in 0..commits {
                state.apply(&writer.next());
            }
            let found = writer.read(&store);
            if found != *state {
                // The one that was under way.
                state.apply(&writer.next());
                assert_eq!(found, *state, "writer {name}, kill {round}");
            }
            let _ = fs::remove_file(notes(folder.path(), name));
        }
        store.close();
        if round % 50 == 49 {
            println!(
                "{} kills, {acknowledged} acknowledged commits, {progress:?}",
                round + 1
            );
        }
    }
    println!("{progress:?}");
    progress.assert_everything_happened();
    println!("{acknowledged} acknowledged commits, none lost or half there");
}
