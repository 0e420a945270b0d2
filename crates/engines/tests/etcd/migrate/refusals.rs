//! What is not migrated, and why.

use prominence_core::Lifetime;
use prominence_core::conformance::START;
use prominence_engines::Retention;
use prominence_engines::embedded::OpenError;
use prominence_engines::migrate::{MigrateError, Place, Source, migrate};

use super::{Stage, commit, moved, set};

#[track_caller]
fn refused(from: Place, to: &Place) -> MigrateError {
    migrate(&Source::Store(from), to, START, &mut |_| {}).unwrap_err()
}

#[test]
fn a_place_is_not_migrated_into_itself() {
    let stage = Stage::new();
    stage.fill("first");
    let same = refused(stage.folder("first"), &stage.folder("./first"));
    assert!(matches!(same, MigrateError::SamePlace));
    moved(stage.folder("first"), &stage.cluster());
    let same = refused(stage.cluster(), &stage.cluster());
    assert!(matches!(same, MigrateError::SamePlace));
}

#[test]
fn a_source_that_is_missing_or_empty_is_refused_and_nothing_is_made() {
    let stage = Stage::new();
    let missing = refused(stage.folder("none"), &stage.cluster());
    let is_missing = matches!(missing, MigrateError::Folder(OpenError::NoStore { .. }));
    assert!(is_missing, "{missing}");
    let empty = refused(stage.cluster(), &stage.folder("second"));
    assert!(matches!(empty, MigrateError::NothingThere), "{empty}");
    assert!(!stage.path("second").exists());
    stage.embedded("empty", Retention::default(), async |_| {});
    let empty = refused(stage.folder("empty"), &stage.cluster());
    assert!(matches!(empty, MigrateError::NothingThere), "{empty}");
}

#[test]
fn a_folder_that_is_in_use_is_refused_at_either_end() {
    let stage = Stage::new();
    stage.fill("first");
    stage.embedded("first", Retention::default(), async |_| {
        let used = std::thread::scope(|scope| {
            let run = || refused(stage.folder("first"), &stage.cluster());
            scope.spawn(run).join().unwrap()
        });
        let is_used = matches!(used, MigrateError::Folder(OpenError::Locked { .. }));
        assert!(is_used, "{used}");
    });
    moved(stage.folder("first"), &stage.cluster());
    stage.embedded("second", Retention::default(), async |_| {
        let used = std::thread::scope(|scope| {
            let run = || refused(stage.cluster(), &stage.folder("second"));
            scope.spawn(run).join().unwrap()
        });
        let is_used = matches!(used, MigrateError::Folder(OpenError::Locked { .. }));
        assert!(is_used, "{used}");
    });
}

#[test]
fn a_destination_with_something_else_in_it_is_left_as_it_is() {
    let stage = Stage::new();
    stage.fill("first");
    stage.etcd(START, async |store| {
        let other = vec![set("/other", "1", Lifetime::Permanent)];
        commit(store, "carol", other).await;
    });
    let full = refused(stage.folder("first"), &stage.cluster());
    assert!(matches!(full, MigrateError::NotEmpty { .. }), "{full}");
    let full = refused(stage.cluster(), &stage.folder("first"));
    assert!(matches!(full, MigrateError::NotEmpty { .. }), "{full}");
    moved(stage.cluster(), &stage.folder("second"));
}
