//! A state that no crash leaves is refused by the name of the file, and nothing is changed.

use super::*;

fn flip(bytes: &mut [u8], at: usize) {
    bytes[at] ^= 1 << (at % 8);
}

#[test]
fn a_flipped_bit_in_any_group_is_damage() {
    let log = Written::killed(3, LARGE);
    let files = log.files();
    for at in 0..log.last().bytes.end {
        log.change(1, |bytes| flip(bytes, at));
        let refused = log.shown().expect_err("a flipped bit");
        assert!(
            refused.starts_with("store/log/00000001.log: "),
            "{at}: {refused}"
        );
        log.change(1, |bytes| flip(bytes, at));
    }
    assert_eq!(log.files(), files);
}

#[test]
fn a_group_that_lacks_a_sector_and_has_another_behind_it_is_damage() {
    let log = Written::killed(3, LARGE);
    let files = log.files();
    let second = log.groups[1].bytes.clone();
    for start in second.clone().step_by(512) {
        log.restore(&files);
        let lost = start..(start + 512).min(second.end);
        log.change(1, |bytes| bytes[lost.clone()].fill(0));
        log.assert_refused("00000001.log", &format!("without {lost:?}"));
    }
}

#[test]
fn a_torn_group_in_a_segment_that_has_another_behind_it_is_damage() {
    let log = Written::killed(8, SMALL);
    let last_of_first = log.groups.iter().rev().find(|group| group.segment == 1);
    let length = last_of_first.unwrap().bytes.end - 100;
    log.change(1, |bytes| bytes.truncate(length));
    log.assert_refused("00000001.log", "a segment in the midst was cut");
}

#[test]
fn a_gap_in_the_numbers_is_damage() {
    let log = Written::killed(4, LARGE);
    let second = log.groups[1].bytes.clone();
    log.change(1, |bytes| drop(bytes.drain(second)));
    log.assert_refused("00000001.log", "a group is missing");
}

#[test]
fn a_group_that_is_there_twice_is_damage() {
    let log = Written::killed(2, LARGE);
    log.change(1, |bytes| {
        let again = bytes[log.last().bytes].to_vec();
        bytes.extend(again);
    });
    log.assert_refused("00000001.log", "a group is there twice");
}

#[test]
fn a_segment_that_is_missing_is_named() {
    let log = Written::killed(8, SMALL);
    let files = log.files();
    for number in 1..=log.last().segment {
        log.restore(&files);
        fs::remove_file(log.segment(number)).unwrap();
        log.assert_refused(&segment::name(number), "a missing segment");
    }
}

#[test]
fn a_segment_under_the_number_of_another_is_damage() {
    let log = Written::killed(8, SMALL);
    let files = log.files();
    let newest = log.last().segment;
    assert!(newest > 2);
    for (from, to) in [(1, 2), (2, 1), (1, newest), (newest, 1)] {
        log.restore(&files);
        fs::copy(log.segment(from), log.segment(to)).unwrap();
        log.assert_refused(&segment::name(to), &format!("{from} copied to {to}"));
    }
    // The manifest would have named it before anything was written to it.
    log.restore(&files);
    fs::copy(log.segment(1), log.segment(newest + 1)).unwrap();
    log.assert_refused("manifest", "a segment that is not named");
}

#[test]
fn a_segment_of_an_earlier_time_is_damage() {
    let mut log = Written::killed(2, LARGE);
    let earlier = fs::read(log.segment(1)).unwrap();
    let opened = log.open(SMALL).unwrap();
    for number in 3..=6 {
        log.append(&opened.log, number, &content(number));
    }
    drop(opened);
    assert!(log.last().segment > 1);
    fs::write(log.segment(1), earlier).unwrap();
    log.assert_refused(
        "00000002.log",
        "the groups of one segment are of an earlier time",
    );
}

#[test]
fn a_manifest_of_an_earlier_time_is_damage_where_a_segment_was_made_since() {
    let mut log = Written::killed(2, SMALL);
    let earlier = fs::read(log.manifest()).unwrap();
    let opened = log.open(SMALL).unwrap();
    for number in 3..=6 {
        log.append(&opened.log, number, &content(number));
    }
    drop(opened);
    fs::write(log.manifest(), earlier).unwrap();
    log.assert_refused("manifest", "it lacks a segment");
}

#[test]
fn a_manifest_of_an_earlier_time_is_damage_where_a_segment_was_removed_since() {
    let log = Written::killed(8, SMALL);
    let opened = log.open(SMALL).unwrap();
    let earlier = fs::read(log.manifest()).unwrap();
    opened.log.indexed(opened.log.checkpoint(80)).unwrap();
    opened.log.remove(1).unwrap();
    drop(opened);
    assert_eq!(log.shown().unwrap(), Vec::<u64>::new());
    fs::write(log.manifest(), earlier).unwrap();
    log.assert_refused("00000001.log", "it was removed");
}

#[test]
fn a_manifest_of_an_earlier_time_with_the_same_segments_only_shows_more() {
    let log = Written::killed(3, LARGE);
    let opened = log.open(LARGE).unwrap();
    let earlier = fs::read(log.manifest()).unwrap();
    opened.log.indexed(opened.log.checkpoint(30)).unwrap();
    drop(opened);
    assert_eq!(log.shown().unwrap(), Vec::<u64>::new());
    fs::write(log.manifest(), earlier).unwrap();
    assert_eq!(log.shown().unwrap(), [1, 2, 3]);
}

#[test]
fn a_manifest_that_is_missing_or_changed_is_named() {
    let log = Written::killed(3, LARGE);
    let whole = fs::read(log.manifest()).unwrap();
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flip(&mut flipped, at);
        fs::write(log.manifest(), flipped).unwrap();
        log.assert_refused("manifest", &format!("byte {at}"));
    }
    for length in 0..whole.len() {
        fs::write(log.manifest(), &whole[..length]).unwrap();
        log.assert_refused("manifest", &format!("{length} bytes of it"));
    }
    fs::remove_file(log.manifest()).unwrap();
    log.assert_refused("manifest", "it is missing");
}

#[test]
fn a_log_that_ends_before_what_the_index_holds_is_damage() {
    let log = Written::killed(3, LARGE);
    // The trees have rows of the third group.
    let files = log.files();
    let start = log.last().bytes.start;
    for length in [start, start + 1, start + 1_000] {
        log.restore(&files);
        log.change(1, |bytes| bytes.truncate(length));
        let cut = log.files();
        let refused = open(log.folder.path(), LARGE, 30)
            .err()
            .expect("it was cut");
        assert!(refused.starts_with("store/log/00000001.log: "), "{refused}");
        assert_eq!(log.files(), cut, "it is left as it is");
    }
    log.restore(&files);
    assert!(open(log.folder.path(), LARGE, 30).is_ok());
}

#[test]
fn a_log_that_ends_before_what_the_manifest_says_is_indexed_is_damage() {
    let log = Written::killed(3, LARGE);
    let opened = log.open(LARGE).unwrap();
    opened.log.indexed(opened.log.checkpoint(30)).unwrap();
    drop(opened);
    let files = log.files();
    for length in [0, log.groups[1].bytes.end, log.last().bytes.end - 1] {
        log.restore(&files);
        log.change(1, |bytes| bytes.truncate(length));
        log.assert_refused("00000001.log", &format!("{length} bytes are left"));
    }
}

#[test]
fn nothing_counts_as_torn_after_a_clean_end() {
    let log = Written::killed(3, LARGE);
    let opened = log.open(LARGE).unwrap();
    opened.log.note_closed().unwrap();
    drop(opened);
    let files = log.files();
    for length in [log.last().bytes.start, log.last().bytes.end - 1] {
        log.restore(&files);
        log.change(1, |bytes| bytes.truncate(length));
        log.assert_refused("00000001.log", &format!("{length} bytes are left"));
    }
    log.restore(&files);
    log.change(1, |bytes| {
        bytes[log.last().bytes.start + 512..][..1_000].fill(0);
    });
    log.assert_refused("00000001.log", "sectors are missing");
    log.restore(&files);
    log.assert_goes_on_after(3, "a clean end");
    // And from then on something can be torn again.
    let length = log.last().bytes.end + 100;
    log.change(1, |bytes| bytes.truncate(length));
    log.assert_goes_on_after(3, "after the next opening");
}

#[test]
fn a_segment_goes_only_when_the_trees_hold_all_its_groups() {
    let log = Written::killed(8, SMALL);
    let opened = log.open(SMALL).unwrap();
    let finished = || -> Vec<u32> {
        let usage = opened.log.usage();
        let numbers = usage.finished.iter().map(|line| line.segment.number());
        numbers.collect()
    };
    assert_eq!(finished(), Vec::<u32>::new(), "nothing is in files");
    opened.log.indexed(opened.log.checkpoint(80)).unwrap();
    let current = log.last().segment;
    assert_eq!(finished(), (1..current).collect::<Vec<_>>());
}

#[test]
fn who_reads_a_segment_goes_on_after_it_was_removed() {
    let log = Written::killed(8, SMALL);
    let opened = log.open(SMALL).unwrap();
    opened.log.indexed(opened.log.checkpoint(80)).unwrap();
    let held = opened.log.segments();
    let whole = fs::read(log.segment(1)).unwrap();
    opened.log.remove(1).unwrap();
    assert!(!log.segment(1).exists());
    assert!(!opened.log.segments().contains_key(&1));
    assert_eq!(held[&1].read(0, whole.len()).unwrap(), whole);
}
