//! Bits flip in the files of a store: it is noticed, named, and never answered as something else.
//!
//! Files and bits are drawn from a seed, which is printed; `PROMINENCE_TEST_SEED` draws the same
//! ones again and `PROMINENCE_TEST_FLIPS` sets how many.

mod template;

use std::fs;
use std::path::{Path, PathBuf};

use prominence_core::StoreError;
use prominence_engines::EmbeddedStore;
use prominence_engines::embedded::OpenError;
use prominence_engines::embedded::check::{FindingKind, Place, check_folder};

use crate::layout;
use crate::support::{clock, options};
use template::Template;

/// Flips of each test where nobody says how many: half a minute in a debug build.
const FLIPS: u64 = 120;

/// What became of a flip.
#[derive(Default, Debug)]
struct Tally {
    refused: u64,
    /// Opened, and some reads said that data is damaged.
    partly: u64,
    /// Opened, and everything was right.
    unhurt: u64,
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn seed() -> u64 {
    let seed = number("PROMINENCE_TEST_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("PROMINENCE_TEST_SEED={seed}");
    seed
}

fn flips() -> u64 {
    number("PROMINENCE_TEST_FLIPS").unwrap_or(FLIPS)
}

/// All files that are not empty, and one of them.
fn draw(folder: &Path, random: &mut fastrand::Rng, wanted: impl Fn(&str) -> bool) -> PathBuf {
    let files: Vec<_> = template::files(folder)
        .into_iter()
        .filter(|file| fs::metadata(folder.join(file)).unwrap().len() > 0)
        .collect();
    let mut kinds: Vec<_> = files.iter().map(|file| layout::kind(file)).collect();
    kinds.retain(|kind| wanted(kind));
    kinds.sort();
    kinds.dedup();
    let chosen = random.choice(kinds).unwrap();
    let of_kind: Vec<_> = files
        .into_iter()
        .filter(|file| layout::kind(file) == chosen)
        .collect();
    random.choice(of_kind).unwrap()
}

/// Flips one bit of what was written, and says where.
fn flip(path: &Path, random: &mut fastrand::Rng) -> String {
    let mut bytes = fs::read(path).unwrap();
    // Not of the zeros that are reserved ahead.
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let (at, bit) = (random.usize(..end), random.u8(..8));
    bytes[at] ^= 1 << bit;
    // In place, as a disk does it: who has the file open has the same one.
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &bytes[at..=at], at as u64).unwrap();
    format!("bit {bit} of byte {at} of {end} of {}", path.display())
}

/// Demands that the error names the file.
fn assert_named(error: &OpenError, file: &Path, what: &str) {
    match error {
        OpenError::DamagedFile { file: named, .. } => {
            let same_folder = Path::new(named).parent() == file.parent();
            // `current` and the manifest that it names vouch for each other.
            let vouch = ["current", "manifest of a tree"];
            let is_pair = same_folder
                && vouch.contains(&layout::kind(file).as_str())
                && vouch.contains(&layout::kind(Path::new(named)).as_str());
            assert!(Path::new(named) == file || is_pair, "{what}: {error}");
        }
        OpenError::UnknownFormat { .. }
        | OpenError::LaterFormat { .. }
        | OpenError::OldFormat { .. } => {
            assert_eq!(file, Path::new("FORMAT"), "{what}");
        }
        error => panic!("{what}: {error}"),
    }
}

/// Looks at everything, and demands that it is right or said to be damaged.
async fn assert_right_or_corrupt(store: &EmbeddedStore, template: &Template, what: &str) -> u64 {
    let mut corrupt = 0;
    let mut right = 0;
    for (question, seen) in template.look(store).await {
        match seen {
            Ok(seen) => {
                assert_eq!(
                    Some(&seen),
                    template.right(&question),
                    "{what}: {question:?}"
                );
                right += 1;
            }
            Err(StoreError::Corrupt { what: told }) => {
                let is_named = layout::names_rows(&told);
                assert!(is_named, "{what}: {told}");
                corrupt += 1;
            }
            Err(error) => panic!("{what}: {question:?}: {error}"),
        }
    }
    assert!(right > 0, "{what}: nothing is served");
    corrupt
}

#[tokio::test]
async fn flipped_bits_in_a_store_that_is_not_running_are_noticed_and_named() {
    let template = Template::new().await;
    let mut random = fastrand::Rng::with_seed(seed());
    let mut tally = Tally::default();
    for _ in 0..flips() {
        let copy = match random.bool() {
            true => template.copy_of_killed(),
            false => template.copy(),
        };
        let file = draw(copy.path(), &mut random, |_| true);
        let what = flip(&copy.path().join(&file), &mut random);
        match EmbeddedStore::open(options(copy.path()), clock()) {
            Err(error) => {
                assert_named(&error, &file, &what);
                tally.refused += 1;
            }
            Ok(store) => {
                let corrupt = assert_right_or_corrupt(&store, &template, &what).await;
                let report = store.check(&mut |_| {}).unwrap();
                store.close();
                if corrupt > 0 {
                    tally.partly += 1;
                    // A walk over all rows does not need the filters of the tables, which reads of
                    // single keys do; they are compared where the store is not running.
                    let is_found = !report.is_clean()
                        || !check_folder(copy.path(), &mut |_| {}).unwrap().is_clean();
                    assert!(is_found, "{what}: the check finds nothing");
                } else {
                    tally.unhurt += 1;
                }
            }
        }
    }
    println!("{tally:?}");
}

#[tokio::test]
async fn flipped_bits_under_a_running_store_are_noticed_and_named() {
    let template = Template::new().await;
    let mut random = fastrand::Rng::with_seed(seed());
    let mut tally = Tally::default();
    for _ in 0..flips() {
        let copy = template.copy();
        let store = EmbeddedStore::open(options(copy.path()), clock()).unwrap();
        let is_stored = |kind: &str| !kind.ends_with("LOCK") && kind != "FORMAT";
        let file = draw(copy.path(), &mut random, is_stored);
        let what = flip(&copy.path().join(&file), &mut random);
        if assert_right_or_corrupt(&store, &template, &what).await > 0 {
            tally.partly += 1;
        } else {
            tally.unhurt += 1;
        }
        store.close();
        match EmbeddedStore::open(options(copy.path()), clock()) {
            Err(error) => {
                assert_named(&error, &file, &what);
                tally.refused += 1;
            }
            Ok(store) => {
                assert_right_or_corrupt(&store, &template, &what).await;
                store.close();
            }
        }
    }
    println!("{tally:?}");
}

#[tokio::test]
async fn the_check_names_every_file_of_rows_in_which_a_bit_flipped() {
    let template = Template::new().await;
    let mut random = fastrand::Rng::with_seed(seed());
    for _ in 0..flips() / 4 {
        let copy = template.copy();
        let holds_rows = |kind: &str| layout::holds_rows(kind);
        let file = draw(copy.path(), &mut random, holds_rows);
        let what = flip(&copy.path().join(&file), &mut random);
        let report = check_folder(copy.path(), &mut |_| {}).unwrap();
        let named = report.findings.iter().any(|finding| {
            finding.kind == FindingKind::DamagedFile
                && finding.place == Place::File(file.display().to_string())
        });
        assert!(named, "{what}: {:#?}", report.findings);
    }
    let copy = template.copy();
    let report = check_folder(copy.path(), &mut |_| {}).unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
}
