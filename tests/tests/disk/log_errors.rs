//! The disk answers errors to each kind of write that a store makes: of a group, its sync, a new segment, the
//! manifest, the files of a tree.
//!
//! The store refuses writes then, never answers a wrong read, and accepts writes again by itself. Every acknowledged
//! write is there afterwards, and none is there in part.

use std::path::{Path, PathBuf};

use prominence_tests::fault::Fault;

use crate::writing::{STALLS, Writing};

/// Lists the files of a fault.
type Files = fn(&Writing) -> Vec<PathBuf>;

/// Segments that exist and some later ones.
fn segments(writing: &Writing) -> Vec<PathBuf> {
    let newest = writing.newest_segment();
    let numbers = newest.saturating_sub(1)..newest + 40;
    let name = |number| writing.log().join(format!("{number:08}.log"));
    numbers.map(name).collect()
}

/// Segments that do not exist yet.
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

/// The writes that may be acknowledged while a fault lasts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Acknowledged {
    Nothing,
    /// Those before the next file is needed.
    BetweenFailures,
}

/// Injects a fault into the process that writes, and ends it again.
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
        // After this, all writes have been noted that were acknowledged before the fault.
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

/// A sector that cannot be read must not stop all writes.
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

#[test]
fn while_memtables_are_written_out_slowly_commits_wait_and_the_log_tells_of_the_stalls() {
    let mut writing = Writing::start();
    writing.wait_for("segments are collected", |writing| {
        writing.count("written") > 300 && writing.newest_segment() > 5
    });
    let tables = tables(&writing);
    let paths: Vec<&Path> = tables.iter().map(PathBuf::as_path).collect();
    let fault = Fault::inject(
        writing.process.id(),
        "fsync",
        &paths,
        "delay_enter=500000us",
    );
    writing.wait_for("a stall is logged, with its end", |writing| {
        let stalls = writing.notes(STALLS);
        stalls.contains("compaction_stall: ") && stalls.contains("commits go on waited=")
    });
    assert_eq!(writing.count("refused"), 0, "writes were refused");
    drop(fault);
    writing.check();
}
