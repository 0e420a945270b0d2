//! The power is cut in a recorded run, and nothing that was acknowledged is lost.
//!
//! The seed is printed; `PROMINENCE_TEST_SEED` makes the same choices again and
//! `PROMINENCE_TEST_CUTS` sets how many folders are made and checked (`all` for those of every
//! sync of the run). As threads never take turns twice in the same way, the recording in which a
//! check failed is kept.

use prominence_tests::power::check::Known;
use prominence_tests::power::disk::{Cut, Disk};
use prominence_tests::power::history::Change;

use crate::recording::{End, Recording};

/// Folders that one test makes unless it is told otherwise: some 20 seconds.
const CUTS: usize = 150;

/// Steps of each writer in the run of a new store.
const STEPS: usize = 300;

struct Plan {
    seed: u64,
    /// Of how many cuts one is made.
    one_in: usize,
    random: fastrand::Rng,
}

impl Plan {
    fn new(changes: &[Change], seed: u64) -> Self {
        let cuts = std::env::var("PROMINENCE_TEST_CUTS").ok();
        let syncs = changes
            .iter()
            .filter(|change| matches!(change, Change::Sync { .. }));
        let possible = syncs.count() * 2 * cut(seed, 0).len();
        let wanted = match cuts.as_deref() {
            Some("all") => possible,
            Some(number) => number
                .parse()
                .expect("PROMINENCE_TEST_CUTS is a number or `all`"),
            None => CUTS,
        };
        println!("{wanted} of {possible} cuts with PROMINENCE_TEST_SEED={seed}");
        Self {
            seed,
            one_in: (possible / wanted.max(1)).max(1),
            random: fastrand::Rng::with_seed(seed),
        }
    }
}

fn seed() -> u64 {
    let given = std::env::var("PROMINENCE_TEST_SEED").ok();
    given.map_or_else(|| fastrand::u64(..), |text| text.parse().unwrap())
}

/// The ways in which the power is cut at one place.
fn cut(seed: u64, place: usize) -> [Cut; 4] {
    let torn = |sector| Cut::Torn {
        random: fastrand::Rng::with_seed(seed ^ (place as u64) << 16 ^ sector),
        sector,
    };
    [Cut::Kept, Cut::Lost, torn(512), torn(4_096)]
}

/// Cuts the power around every sync of a recording.
fn cut_everywhere(recording: Recording, mut known: Known, seed: u64) {
    let mut plan = Plan::new(&recording.changes, seed);
    let home = tempfile::tempdir().unwrap();
    let mut disk = Disk::default();
    let mut checked = 0;
    let before = recording.before;
    for (place, change) in recording.changes.into_iter().enumerate() {
        if place == before {
            disk.settle();
        }
        if let Change::Note(note) = &change {
            known.note(note);
        }
        let is_sync = place >= before && matches!(change, Change::Sync { .. });
        let mut change = Some(change);
        for moment in ["before", "after"] {
            if moment == "after" {
                disk.apply(place, change.take().expect("it happens once"));
            }
            if !is_sync {
                continue;
            }
            for (number, mut cut) in cut(plan.seed, place).into_iter().enumerate() {
                if plan.random.usize(..plan.one_in) > 0 {
                    continue;
                }
                let folder = home.path().join("cut");
                disk.leave(&folder, &mut cut);
                if let Err(fault) = known.check(&folder.join("data")) {
                    panic!(
                        "cut {number} {moment} the sync at {place}: {fault}; in {}",
                        home.keep().display()
                    );
                }
                std::fs::remove_dir_all(&folder).unwrap();
                checked += 1;
            }
        }
    }
    assert!(checked > 0);
    println!("{checked} folders were checked");
}

#[test]
fn a_power_cut_in_the_life_of_a_new_store_loses_nothing_acknowledged() {
    let seed = seed();
    let recording = Recording::run(seed, STEPS, 0, End::Close);
    cut_everywhere(recording, Known::new(seed, 0), seed);
}
