//! The last group lacks something, as a crash or a power cut may leave it: it is left out.

use super::super::format::HEADER;
use super::*;

const SECTOR: usize = 512;

/// The parts of a group that are each written wholly or not at all.
fn sectors(group: &Range<usize>) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = group.start;
    while start < group.end {
        let end = group.end.min((start / SECTOR + 1) * SECTOR);
        parts.push(start..end);
        start = end;
    }
    parts
}

#[test]
fn a_last_group_that_was_cut_at_any_length_is_left_out() {
    let log = Written::killed(3, LARGE);
    let last = log.last();
    let files = log.files();
    for length in last.bytes.clone() {
        log.restore(&files);
        log.change(last.segment, |bytes| bytes.truncate(length));
        log.assert_goes_on_after(2, &format!("cut at byte {length}"));
    }
}

#[test]
fn a_last_group_that_lacks_any_of_its_sectors_is_left_out() {
    let log = Written::killed(3, LARGE);
    let last = log.last();
    let files = log.files();
    let sectors = sectors(&last.bytes);
    assert!(sectors.len() > 3, "{sectors:?}");
    // Each subset of them but the empty one.
    for lost in 1..1_u32 << sectors.len() {
        log.restore(&files);
        log.change(last.segment, |bytes| {
            for (number, sector) in sectors.iter().enumerate() {
                if lost & (1 << number) != 0 {
                    bytes[sector.clone()].fill(0);
                }
            }
        });
        log.assert_goes_on_after(2, &format!("sectors {lost:b}"));
    }
}

#[test]
fn a_first_group_that_was_torn_leaves_an_empty_log() {
    let log = Written::killed(1, LARGE);
    let files = log.files();
    for length in [0, 1, HEADER - 1, HEADER, HEADER + 1, 1_000] {
        log.restore(&files);
        log.change(1, |bytes| bytes.truncate(length));
        log.assert_goes_on_after(0, &format!("cut at byte {length}"));
    }
}

#[test]
fn a_first_group_of_a_segment_that_was_torn_is_left_out() {
    let log = Written::killed(5, SMALL);
    let first = log.groups.iter().find(|group| group.segment == 2).unwrap();
    let number = log.groups.iter().position(|group| group.segment == 2);
    let end = first.bytes.end;
    log.change(2, |bytes| bytes.truncate(end));
    let files = log.files();
    for length in [0, 1, HEADER, 1_000] {
        log.restore(&files);
        log.change(2, |bytes| bytes.truncate(length));
        let left = number.unwrap() as u64;
        log.assert_goes_on_after(left, &format!("cut at byte {length}"));
    }
}

/// A value can be the copy of a file of a log.
#[test]
fn a_torn_group_is_left_out_although_a_value_in_it_looks_like_a_later_group() {
    let mut log = Written::killed(2, LARGE);
    let files = log.files();
    let (last, start) = (log.last().segment, log.last().bytes.end);
    for number in [1_000, 5] {
        log.restore(&files);
        let mut later = group(number, b"content");
        later.seal(last, number, 10 * number);
        let mut value = content(3);
        value[700..700 + later.len()].copy_from_slice(later.bytes());
        let opened = log.open(LARGE).unwrap();
        log.append(&opened.log, 3, &value);
        drop(opened);
        let place = log.groups.pop().unwrap();
        assert_eq!(place.bytes.start, start);
        let whole = log.files();
        for lost in sectors(&place.bytes) {
            // Where the header itself is lost, only impossible numbers tell it from a later group.
            if number == 5 && lost.start < start + HEADER {
                continue;
            }
            log.restore(&whole);
            log.change(last, |bytes| bytes[lost.clone()].fill(0));
            if lost.start <= start + 700 && lost.end > start + 800 {
                continue;
            }
            log.assert_goes_on_after(2, &format!("group {number}, without {lost:?}"));
        }
        log.restore(&whole);
        log.change(last, |bytes| bytes.truncate(place.bytes.end - 1));
        log.assert_goes_on_after(2, &format!("group {number}, cut short"));
    }
}

#[test]
fn an_empty_segment_that_was_made_in_advance_is_used_next() {
    let log = Written::killed(3, LARGE);
    let opened = log.open(LARGE).unwrap();
    opened.log.prepare_segment().unwrap();
    drop(opened);
    // A power cut may also leave the file without its name in the manifest, or the next one's.
    fs::write(log.segment(3), b"").unwrap();
    log.assert_goes_on_after(3, "with an empty segment");
    let opened = log.open(SMALL).unwrap();
    for number in 5..=7 {
        let mut next = group(number, &content(number));
        opened.log.append(&mut next, 10 * number, true).unwrap();
    }
    drop(opened);
    assert_eq!(log.shown().unwrap(), (1..=7).collect::<Vec<_>>());
    let names: Vec<_> = log.files().into_keys().collect();
    assert_eq!(names, ["00000001.log", "00000002.log", "manifest"]);
}

#[test]
fn the_manifest_that_was_being_written_is_not_read() {
    let log = Written::killed(3, LARGE);
    fs::write(log.log().join("manifest.new"), b"half of i").unwrap();
    log.assert_goes_on_after(3, "with a draft");
}

#[test]
fn numbers_go_on_where_they_were_after_each_opening() {
    let mut log = Written::killed(1, SMALL);
    for number in 2..20 {
        let opened = log.open(SMALL).unwrap();
        assert_eq!(opened.sequence, 10 * (number - 1));
        log.append(&opened.log, number, &content(number));
        if number % 3 == 0 {
            opened.log.note_closed().unwrap();
        }
    }
    assert_eq!(log.shown().unwrap(), (1..20).collect::<Vec<_>>());
    assert!(log.last().segment > 4, "segments followed one another");
}

#[test]
fn a_segment_that_was_finished_goes_on_where_no_group_got_into_the_next() {
    let log = Written::killed(3, LARGE);
    let opened = log.open(LARGE).unwrap();
    opened.log.change_segment(&mut opened.log.writer()).unwrap();
    // The manifest says where the segment ends, and then the process is killed.
    opened.log.write_manifest(None).unwrap();
    drop(opened);
    log.assert_goes_on_after(3, "with a finished segment");
}
