//! The power is cut in recorded runs, and no acknowledged write is lost.
//!
//! Power is cut directly before and directly after each sync, each time in four ways. `PROMINENCE_TEST_CUTS` is the
//! number of cuts that are made and checked (`all` for all), and `PROMINENCE_TEST_SEED` repeats the random choices. The
//! order of threads differs from run to run, so the recording of a failed check is kept; `PROMINENCE_TEST_RECORDING`
//! names it for another run.

use std::path::{Path, PathBuf};

use prominence_tests::power::check::Known;
use prominence_tests::power::disk::{Cut, Disk};
use prominence_tests::power::history::Change;
use prominence_tests::segments;

use crate::recording::{End, Recording};

/// The default number of cuts in a test: some 15 seconds.
const CUTS: usize = 100;

/// The contents of the disk after a cut are checked in this folder if it exists, since the check needs no syncs.
const MEMORY: &str = "/dev/shm";

/// The number of steps of each writer in a run.
const STEPS: usize = 200;

/// The ways in which the power is cut at one moment.
fn ways(seed: u64, moment: usize) -> [Cut; 4] {
    let torn = |sector| Cut::Torn {
        random: fastrand::Rng::with_seed(seed ^ ((moment as u64) << 16) ^ sector),
        sector,
    };
    [Cut::Kept, Cut::Lost, torn(512), torn(4_096)]
}

/// The choice of cuts.
#[derive(Clone, Copy)]
struct Choice {
    seed: u64,
    /// The default number, without `PROMINENCE_TEST_CUTS`.
    usual: usize,
    since: Since,
}

/// The first moment for cuts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Since {
    /// From the start of the run.
    Start,
    /// From its first acknowledged commit on.
    Acknowledged,
}

impl Choice {
    fn new(seed: u64, usual: usize) -> Self {
        Self {
            seed,
            usual,
            since: Since::Start,
        }
    }
}

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn seed() -> u64 {
    let given = setting("PROMINENCE_TEST_SEED");
    given.map_or_else(|| fastrand::u64(..), |text| text.parse().unwrap())
}

/// Records a run, or reads the recording in the environment variable.
fn record(run: impl FnOnce() -> Recording) -> Recording {
    match setting("PROMINENCE_TEST_RECORDING") {
        Some(kept) => Recording::read(PathBuf::from(kept), None),
        None => run(),
    }
}

/// Of this number of possible cuts, one is made.
fn one_in(recording: &Recording, choice: Choice) -> usize {
    let seed = choice.seed;
    let run = &recording.changes[recording.before..];
    let syncs = run
        .iter()
        .filter(|change| matches!(change, Change::Sync { .. }));
    let possible = syncs.count() * 2 * ways(seed, 0).len();
    let wanted = match setting("PROMINENCE_TEST_CUTS").as_deref() {
        Some("all") => possible,
        Some(number) => number
            .parse()
            .expect("PROMINENCE_TEST_CUTS is a number or `all`"),
        None => choice.usual,
    };
    println!("{wanted} of {possible} cuts with PROMINENCE_TEST_SEED={seed}");
    (possible / wanted.max(1)).max(1)
}

/// Cuts the power around every sync of a run. The disk is in its state before the run, changed by `prepare`.
fn cut_everywhere(
    recording: Recording,
    mut known: Known,
    choice: Choice,
    prepare: impl Fn(&mut Disk),
) {
    let seed = choice.seed;
    let one_in = one_in(&recording, choice);
    let Recording {
        changes,
        before,
        home,
        cleanup,
    } = recording;
    let mut random = fastrand::Rng::with_seed(seed);
    let memory = Path::new(MEMORY);
    let left = if memory.exists() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    };
    let left = left.path().join("left");
    let (mut disk, mut checked) = (Disk::default(), 0);
    let mut check = |disk: &Disk, known: &Known, moment: usize| {
        if choice.since == Since::Acknowledged && !known.has_acknowledged() {
            return Ok(());
        }
        for (number, mut cut) in ways(seed, moment).into_iter().enumerate() {
            if random.usize(..one_in) > 0 {
                continue;
            }
            disk.leave(&left, &mut cut);
            known.check(&left.join("data")).map_err(|fault| {
                let place = moment / 2;
                format!("a cut at change {place} in way {number}: {fault}")
            })?;
            std::fs::remove_dir_all(&left).unwrap();
            checked += 1;
        }
        Ok::<_, String>(())
    };
    for (place, change) in changes.into_iter().enumerate() {
        if place == before {
            disk.settle();
            prepare(&mut disk);
        }
        if let Change::Note(note) = &change {
            known.note(note);
        }
        let is_sync = place >= before && matches!(change, Change::Sync { .. });
        let mut result = Ok(());
        if is_sync {
            result = check(&disk, &known, 2 * place);
        }
        disk.apply(place, change);
        if is_sync {
            result = result.and_then(|()| check(&disk, &known, 2 * place + 1));
        }
        if let Err(fault) = result {
            drop(cleanup.map(tempfile::TempDir::keep));
            let home = home.display();
            panic!("{fault}\nPROMINENCE_TEST_SEED={seed} PROMINENCE_TEST_RECORDING={home}");
        }
    }
    println!("{checked} cuts were checked");
    assert!(checked > 0);
}

fn count(recording: &Recording, wanted: impl Fn(&Change) -> bool) -> usize {
    let run = recording.changes[recording.before..].iter();
    run.filter(|change| wanted(change)).count()
}

/// The number of files that a run creates, removes, or moves over another.
struct Files {
    made: usize,
    gone: usize,
    replaced: usize,
}

fn files(recording: &Recording, is_meant: impl Fn(&str) -> bool) -> Files {
    let made = |change: &Change| matches!(change, Change::Enter { name, .. } if is_meant(name));
    let gone = |change: &Change| matches!(change, Change::Leave { name, .. } if is_meant(name));
    let replaced = |change: &Change| matches!(change, Change::Rename { to, .. } if is_meant(to));
    Files {
        made: count(recording, made),
        gone: count(recording, gone),
        replaced: count(recording, replaced),
    }
}

/// Fails unless a run had every kind of event of the log around which power should be cut.
fn assert_eventful(recording: &Recording) {
    let segments = files(recording, |name| name.ends_with(".log"));
    assert!(segments.made > 4, "segments followed one another");
    assert!(segments.gone > 2, "segments were collected");
    let manifests = files(recording, |name| name == "manifest");
    assert!(manifests.replaced > 10, "the manifest was changed");
    let trees = files(recording, |name| name == "current");
    assert!(trees.replaced > 10, "memtables were written out");
    println!(
        "{} segments made, {} collected, {} manifests, {} changes of trees",
        segments.made, segments.gone, manifests.replaced, trees.replaced
    );
}

#[test]
fn a_power_cut_in_the_life_of_a_new_store_loses_nothing_acknowledged() {
    let seed = seed();
    let recording = record(|| Recording::run(seed, STEPS, 0, End::Close));
    assert_eventful(&recording);
    let choice = Choice::new(seed, CUTS);
    cut_everywhere(recording, Known::new(seed, 0), choice, |_| ());
}

#[test]
fn a_power_cut_while_a_large_store_is_collected_loses_nothing_acknowledged() {
    let seed = seed();
    let filling = 2_000_000;
    let recording = record(|| Recording::run(seed, STEPS, filling, End::Crash));
    assert_eventful(&recording);
    let choice = Choice::new(seed, CUTS);
    cut_everywhere(recording, Known::new(seed, filling), choice, |_| ());
}

/// The state after a failed sync: the log is complete in the cache, but its end is not on the disk, although the system
/// considers the pages clean. The process was killed at once.
#[test]
fn what_only_the_cache_holds_of_a_log_is_not_built_upon() {
    let seed = seed();
    // So little that no memtable is written to a file: unsynced rows are never on the disk.
    let filling = 80_000;
    let recording = record(|| {
        let first = Recording::run(seed, 0, filling, End::Crash);
        let home = first.cleanup.expect("a new recording owns its folder");
        for old in ["trace", "notes"] {
            std::fs::remove_file(home.path().join(old)).unwrap();
        }
        std::fs::remove_dir_all(home.path().join("base")).unwrap();
        Recording::go_on(home, seed, STEPS / 4, End::Crash)
    });
    let commits = segments(&recording.home.join("base/data"), 1).remove(0);
    let bytes = std::fs::read(commits).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    let known = Known::new(seed, filling);
    // The filling was not acknowledged, so before the first acknowledgement it may be lost too.
    let choice = Choice {
        since: Since::Acknowledged,
        ..Choice::new(seed, CUTS)
    };
    cut_everywhere(recording, known, choice, |disk| {
        disk.forget(&["data", "store", "log", "00000001.log"], used - 1_000);
    });
}
