//! Stores of earlier formats become stores of the latest one, whatever interrupts that.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use prominence_core::{Commit, Key, Namespace, Operation, Outcome, Prefix, Store as _};
use prominence_engines::EmbeddedStore;
use prominence_engines::embedded::check::check_folder;
use prominence_engines::embedded::{OpenError, UpgradeError, Upgraded, upgrade};

use crate::fixture::{END, open};
use crate::formats::{content, copy, formats};

/// The line of the latest format.
const LATEST: &str = "prominence-kv 3\n";

/// A copy of a store of an earlier format.
struct Earlier {
    place: tempfile::TempDir,
    number: u32,
    /// All that is in it.
    content: String,
}

impl Earlier {
    fn path(&self) -> &Path {
        self.place.path()
    }
}

/// The fixtures of earlier formats: of each, a store that was written to, and one that was restored.
fn earlier() -> Vec<Earlier> {
    let mut all = Vec::new();
    for (number, format) in (1..).zip(formats()).take(2) {
        for folder in ["written", "restored"] {
            let place = tempfile::tempdir().unwrap();
            copy(&format.join(folder), place.path());
            let content = fs::read_to_string(format.join("content.txt")).unwrap();
            all.push(Earlier {
                place,
                number,
                content,
            });
        }
    }
    all
}

fn line(folder: &Path) -> String {
    fs::read_to_string(folder.join("FORMAT")).unwrap()
}

fn refusal(folder: &Path) -> UpgradeError {
    upgrade(folder, &mut || {}).unwrap_err()
}

/// The file and what is wrong with it.
fn damage(folder: &Path) -> (String, String) {
    match refusal(folder) {
        UpgradeError::Open(OpenError::DamagedFile { file, how, .. }) => (file, how),
        other => panic!("{other}"),
    }
}

/// The journals, with what is in them apart from the zeros that are reserved at their ends.
fn journals(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(folder.join("store")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let files = files.filter(|file| file.extension().is_some_and(|found| found == "jnl"));
    let content = |file: PathBuf| {
        let mut bytes = fs::read(&file).unwrap();
        let end = bytes.iter().rposition(|byte| *byte != 0);
        bytes.truncate(end.map_or(0, |end| end + 1));
        (file, bytes)
    };
    files.map(content).collect()
}

#[tokio::test]
async fn a_store_of_every_earlier_format_is_upgraded_with_all_that_it_holds() {
    for earlier in earlier() {
        let mut steps = 0;
        let Upgraded::Now(copied) = upgrade(earlier.path(), &mut || steps += 1).unwrap() else {
            panic!("it is said to have the latest format");
        };
        assert_eq!(
            (copied.entries, copied.from_format),
            (steps, earlier.number)
        );
        assert_eq!(line(earlier.path()), LATEST);
        assert!(!earlier.path().join("store.upgraded").exists());
        assert!(!earlier.path().join("store/keyspaces").exists());
        let checked = check_folder(earlier.path(), &mut |_| {}).unwrap();
        assert_eq!(checked.findings, []);
        assert_eq!(content(earlier.path()).await, earlier.content);
        let again = upgrade(earlier.path(), &mut || {}).unwrap();
        assert_eq!(again, Upgraded::Before);
        assert_eq!(content(earlier.path()).await, earlier.content);
    }
}

#[tokio::test]
async fn an_upgraded_store_is_written_to_like_any_other() {
    for earlier in earlier() {
        upgrade(earlier.path(), &mut || {}).unwrap();
        // The claims in it have run out.
        let store = open(earlier.path(), END.after(Duration::from_hours(1))).unwrap();
        let alice = Namespace::parse("alice").unwrap();
        let claim = Operation::Claim {
            prefix: Prefix::parse("/many/10").unwrap(),
            hold: Duration::from_mins(1),
        };
        let before = Key::parse("/many/10").unwrap();
        let before = store.get(&alice, &before).await.unwrap().unwrap();
        let claimed = store
            .commit(&alice, None, Commit::single(None, claim))
            .await;
        let claimed = claimed.unwrap();
        let [Outcome::Claimed(_, entry)] = &claimed.outcomes[..] else {
            panic!("{claimed:?}");
        };
        assert_eq!(entry.metadata.claims, before.metadata.claims + 1);
        assert_eq!(entry.value, before.value);
        store.sweep().await.unwrap();
        store.close();
        let checked = check_folder(earlier.path(), &mut |_| {}).unwrap();
        assert_eq!(checked.findings, []);
    }
}

#[test]
fn a_store_of_an_earlier_format_is_not_opened_and_left_as_it_is() {
    for earlier in earlier() {
        let before = line(earlier.path());
        let refused = open(earlier.path(), END)
            .map(|_: EmbeddedStore| ())
            .unwrap_err();
        let OpenError::EarlierFormat { found, .. } = refused else {
            panic!("{refused}");
        };
        assert_eq!(found, earlier.number);
        let refused = refused.to_string();
        assert!(
            refused.contains("prominence admin migrate --data-dir"),
            "{refused}"
        );
        assert!(
            refused.contains("serve") || refused.contains("--migrate"),
            "{refused}"
        );
        assert!(check_folder(earlier.path(), &mut |_| {}).is_err());
        assert_eq!(line(earlier.path()), before);
    }
}

#[tokio::test]
async fn an_upgrade_that_was_interrupted_before_its_end_is_done_again() {
    for earlier in earlier() {
        let draft = earlier.path().join("store.upgraded/store/log");
        fs::create_dir_all(&draft).unwrap();
        fs::write(draft.join("manifest"), "half of it").unwrap();
        upgrade(earlier.path(), &mut || {}).unwrap();
        assert_eq!(content(earlier.path()).await, earlier.content);
    }
}

/// The moments after the new store is the store, and before its files are in their place.
#[tokio::test]
async fn an_upgrade_that_was_interrupted_at_its_end_is_finished_when_the_store_is_opened() {
    for earlier in earlier() {
        let old = tempfile::tempdir().unwrap();
        copy(earlier.path(), old.path());
        upgrade(earlier.path(), &mut || {}).unwrap();
        let store = earlier.path().join("store");
        let upgraded = earlier.path().join("store.upgraded");
        for is_old_removed in [false, true] {
            fs::create_dir(&upgraded).unwrap();
            fs::rename(&store, upgraded.join("store")).unwrap();
            if !is_old_removed {
                copy(&old.path().join("store"), &store);
            }
            assert_eq!(content(earlier.path()).await, earlier.content);
            assert!(!upgraded.exists());
        }
        // All is done but the removal of an empty folder.
        fs::create_dir(&upgraded).unwrap();
        assert_eq!(content(earlier.path()).await, earlier.content);
        assert!(!upgraded.exists());
    }
}

#[test]
fn there_has_to_be_a_store_and_nobody_may_have_it_open() {
    let empty = tempfile::tempdir().unwrap();
    let refused = refusal(empty.path());
    let is_named = matches!(refused, UpgradeError::Open(OpenError::NoStore { .. }));
    assert!(is_named, "{refused}");
    let store = open(empty.path(), END).unwrap();
    let refused = refusal(empty.path());
    let is_named = matches!(refused, UpgradeError::Open(OpenError::Locked { .. }));
    assert!(is_named, "{refused}");
    store.close();
}

#[test]
fn damaged_tables_and_manifests_are_named_and_the_store_stays_as_it_is() {
    for earlier in earlier() {
        let mut files = Vec::new();
        for tree in fs::read_dir(earlier.path().join("store/keyspaces")).unwrap() {
            let tree = tree.unwrap().path();
            let tables = fs::read_dir(tree.join("tables")).unwrap();
            files.extend(tables.map(|table| table.unwrap().path()));
            files.push(tree.join("current"));
        }
        for file in files {
            let whole = fs::read(&file).unwrap();
            let mut bytes = whole.clone();
            bytes[whole.len() / 2] ^= 1;
            fs::write(&file, bytes).unwrap();
            let (named, _) = damage(earlier.path());
            let named = earlier.path().join(named);
            // A number in `current` may name another manifest.
            assert_eq!(named.parent(), file.parent(), "{}", named.display());
            fs::write(&file, whole).unwrap();
        }
        assert_ne!(line(earlier.path()), LATEST);
        upgrade(earlier.path(), &mut || {}).unwrap();
    }
}

#[test]
fn a_journal_that_is_not_whole_is_refused_with_the_way_to_go_on() {
    let mut flipped = 0;
    for earlier in earlier() {
        for (file, whole) in journals(earlier.path()) {
            let named = file.strip_prefix(earlier.path()).unwrap();
            let refused = |bytes: &[u8], what: &str| {
                fs::write(&file, bytes).unwrap();
                let (found, how) = damage(earlier.path());
                assert_eq!(Path::new(&found), named, "{what}");
                let tells = how.contains("with the version that wrote this")
                    || how.contains("when the store was closed");
                assert!(tells, "{what}: {how}");
            };
            // Without the note of a clean end, nothing vouches for the number of a batch.
            let is_noted = earlier.path().join("CLOSED").exists();
            let flips = if is_noted { whole.len() } else { 0 };
            for at in (0..flips).step_by(1 + whole.len() / 200) {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << (at % 8);
                refused(&bytes, &format!("byte {at}"));
                flipped += 1;
            }
            if let Some(cut) = whole.len().checked_sub(1) {
                refused(&whole[..cut], "cut");
                let mut longer = whole.clone();
                longer.extend([0; 1_000]);
                longer.push(7);
                refused(&longer, "longer");
            }
            fs::write(&file, &whole).unwrap();
        }
    }
    assert!(flipped > 50, "{flipped} bits were flipped");
}

#[test]
fn a_journal_that_was_there_at_the_end_has_to_be_there() {
    let with_note = earlier()
        .into_iter()
        .filter(|earlier| earlier.path().join("CLOSED").exists());
    let mut seen = 0;
    for earlier in with_note {
        for (file, _) in journals(earlier.path()) {
            fs::remove_file(&file).unwrap();
        }
        let (_, how) = damage(earlier.path());
        assert!(how.contains("when the store was closed"), "{how}");
        seen += 1;
    }
    assert!(seen > 0);
}

#[test]
fn a_number_that_a_flipped_bit_made_another_formats_is_noticed() {
    let place = tempfile::tempdir().unwrap();
    open(place.path(), END).unwrap().close();
    fs::write(place.path().join("FORMAT"), "prominence-kv 2\n").unwrap();
    assert_eq!(damage(place.path()).0, "FORMAT");
    let earlier = earlier().remove(0);
    fs::write(earlier.path().join("FORMAT"), LATEST).unwrap();
    assert_eq!(damage(earlier.path()).0, "FORMAT");
}

/// Every file below a folder, with its content.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            found.insert(path, bytes);
        }
    }
    found
}

/// The process ends while rows are copied; here the callback of a step panics.
#[tokio::test]
async fn an_upgrade_that_ends_in_the_midst_leaves_the_store_as_it_was_and_can_be_repeated() {
    for earlier in earlier() {
        let store = earlier.path().join("store");
        let before = (files(&store), line(earlier.path()));
        let mut steps = 0;
        let broken_off = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            upgrade(earlier.path(), &mut || {
                steps += 1;
                assert!(steps < 5, "the process ends");
            })
        }));
        assert!(broken_off.is_err());
        let after = (files(&store), line(earlier.path()));
        assert!(before == after, "{:?}", after.0.keys());
        upgrade(earlier.path(), &mut || {}).unwrap();
        assert_eq!(content(earlier.path()).await, earlier.content);
    }
}
