//! Migrations that were broken off, and two at once.

use std::panic::{AssertUnwindSafe, catch_unwind};

use prominence_core::Lifetime;
use prominence_core::conformance::START;
use prominence_engines::Retention;
use prominence_engines::migrate::{MigrateError, Outcome, Source, Start, Step, migrate};

use super::{Stage, backup, commit, moved, set};

/// Breaks a migration into the cluster off after so many entries, in the middle of a batch.
fn break_off(stage: &Stage, after: u32) {
    let mut copied = 0;
    let mut watch = |step| {
        copied += u32::from(step == Step::Copied);
        assert!(copied < after, "far enough");
    };
    let from = Source::Store(stage.folder("first"));
    let broken = catch_unwind(AssertUnwindSafe(|| {
        migrate(&from, &stage.cluster(), START, &mut watch)
    }));
    assert!(broken.is_err(), "it came to its end");
}

#[test]
fn a_run_goes_on_where_another_was_broken_off_and_the_copy_is_the_same() {
    let stage = Stage::new();
    stage.fill("first");
    for after in [200, 300] {
        break_off(&stage, after);
    }
    let done = moved(stage.folder("first"), &stage.cluster());
    let resumed = Start::Resumed;
    assert!(matches!(done, Outcome::Done { start, .. } if start == resumed));
    moved(stage.cluster(), &stage.folder("second"));
    let (first, second) = (stage.path("first"), stage.path("second"));
    assert!(backup(&first) == backup(&second), "something is lost");
}

#[test]
fn a_run_does_not_go_on_with_another_source_and_none_is_made_of_half_a_copy() {
    let stage = Stage::new();
    stage.fill("first");
    break_off(&stage, 300);
    let half = Source::Store(stage.cluster());
    let refused = migrate(&half, &stage.folder("second"), START, &mut |_| {}).unwrap_err();
    assert!(matches!(refused, MigrateError::Unfinished), "{refused}");
    stage.embedded("first", Retention::default(), async |store| {
        // Within what is copied already.
        commit(store, "alice", vec![set("/a", "2", Lifetime::Permanent)]).await;
    });
    let from = Source::Store(stage.folder("first"));
    let refused = migrate(&from, &stage.cluster(), START, &mut |_| {}).unwrap_err();
    assert!(matches!(refused, MigrateError::Changed), "{refused}");
}

#[test]
fn of_two_runs_at_once_one_is_stopped_and_the_other_is_whole() {
    let stage = Stage::new();
    stage.fill("first");
    stage.fill("second");
    let from = Source::Store(stage.folder("first"));
    let mut has_run = false;
    let mut watch = |step| {
        if step == Step::Copied && !has_run {
            has_run = true;
            moved(stage.folder("second"), &stage.cluster());
        }
    };
    let stopped = migrate(&from, &stage.cluster(), START, &mut watch).unwrap_err();
    assert!(matches!(stopped, MigrateError::Disturbed), "{stopped}");
    let whole = moved(stage.folder("second"), &stage.cluster());
    assert!(matches!(whole, Outcome::NothingToDo(_)));
}
