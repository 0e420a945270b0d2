//! Rows that are right by themselves and contradict each other.

use prominence_core::{Change, ChangeKind, Put};

use super::*;

#[test]
fn revisions_that_the_namespace_has_not_reached_are_found() {
    let damaged = Damaged::new();
    damaged.change_space(|row| row.usage.revision = Revision::new(3));
    damaged.finds(&[(FindingKind::FutureRevision, Place::Log, None)]);

    let damaged = Damaged::new();
    let mut entry = damaged.entry("/a");
    entry.metadata.revision = Revision::new(9);
    damaged.put_entry("/a", &entry);
    damaged.finds(&[
        (FindingKind::FutureRevision, Place::Entries, Some("/a")),
        (FindingKind::LogDisagrees, Place::Entries, Some("/a")),
    ]);
}

/// The rows of the log, one for each commit, by the place of its last change; and how many changes it has.
fn log_rows() -> [(Cursor, u64); 4] {
    [
        (place(1, 1), 2),
        (place(2, 0), 1),
        (place(3, 1), 2),
        (place(4, 0), 1),
    ]
}

fn count_gaps(report: &CheckReport) -> usize {
    let is_gap = |finding: &&Finding| finding.kind == FindingKind::LogGap;
    report.findings.iter().filter(is_gap).count()
}

#[test]
fn changes_that_are_missing_from_the_log_are_found_wherever_they_were() {
    let alice = name("alice");
    for (gap, changes) in log_rows() {
        let damaged = Damaged::new();
        damaged.remove(Table::Log, keys::change(&alice, gap));
        damaged.change_space(|row| row.log_rows -= changes);
        assert_eq!(count_gaps(&damaged.report()), 1, "{gap:?}");
    }
    // The first change of a commit, and the last one, which leaves no gap where more commits follow, and
    // is missed by its entry.
    for (is_first_missing, gaps) in [(true, 1), (false, 0)] {
        let damaged = Damaged::new();
        let row_key = keys::change(&alice, place(3, 1));
        let row = damaged.get(Table::Log, &row_key);
        let mut changes = format::decode_changes(&row_key, &row).unwrap();
        let change = changes.remove(usize::from(is_first_missing));
        damaged.remove(Table::Log, row_key);
        let row_key = keys::change(&alice, change.at);
        let row = format::encode_change(&row_key, &change);
        damaged.put(Table::Log, row_key, row);
        damaged.change_space(|row| row.log_rows -= 1);
        let report = damaged.report();
        assert_eq!(count_gaps(&report), gaps, "{:?}", report.findings);
        assert!(!report.is_clean());
    }
}

#[test]
fn a_change_below_the_floor_is_found() {
    let damaged = Damaged::new();
    damaged.change_space(|row| row.log_floor = place(1, 0));
    damaged.finds(&[(FindingKind::BelowLogFloor, Place::Log, None)]);
}

#[test]
fn a_trimmed_log_is_sound() {
    let damaged = Damaged::new();
    for (floor, changes) in log_rows() {
        damaged.remove(Table::Log, keys::change(&name("alice"), floor));
        damaged.change_space(|row| {
            row.log_floor = floor;
            row.log_rows -= changes;
        });
        damaged.finds(&[]);
    }
}

#[test]
fn entries_that_are_not_what_the_log_says_are_found() {
    let alice = name("alice");
    // An older value under the same key.
    let damaged = Damaged::new();
    let mut entry = damaged.entry("/a");
    entry.metadata.revision = Revision::new(1);
    damaged.put_entry("/a", &entry);
    damaged.finds(&[(FindingKind::LogDisagrees, Place::Entries, Some("/a"))]);

    // One that was deleted.
    let damaged = Damaged::new();
    let mut entry = damaged.entry("/a");
    entry.metadata.revision = Revision::new(3);
    damaged.put_entry("/d", &entry);
    damaged.change_space(|row| {
        row.usage.keys += 1;
        row.usage.bytes += 5;
    });
    damaged.finds(&[(FindingKind::LogDisagrees, Place::Entries, Some("/d"))]);

    // One that is gone.
    let damaged = Damaged::new();
    damaged.remove(Table::Entries, keys::entry(&alice, &key("/a")));
    damaged.change_space(|row| {
        row.usage.keys -= 1;
        row.usage.bytes -= 5;
    });
    damaged.finds(&[(FindingKind::LogDisagrees, Place::Entries, Some("/a"))]);

    // One that nobody wrote.
    let damaged = Damaged::new();
    let entry = damaged.entry("/a");
    damaged.put_entry("/x", &entry);
    damaged.change_space(|row| {
        row.usage.keys += 1;
        row.usage.bytes += 5;
    });
    damaged.finds(&[(FindingKind::LogDisagrees, Place::Entries, Some("/x"))]);
}

#[test]
fn an_entry_of_another_size_than_the_log_says_is_found() {
    let damaged = Damaged::new();
    let change_key = keys::change(&name("alice"), place(2, 0));
    let row = format::encode_change(
        &change_key,
        &Change {
            at: place(2, 0),
            key: key("/a"),
            kind: ChangeKind::Put(Put {
                size: 4,
                state: None,
            }),
            job: None,
            time: START,
        },
    );
    damaged.put(Table::Log, change_key, row);
    damaged.finds(&[(FindingKind::LogDisagrees, Place::Entries, Some("/a"))]);
}

#[test]
fn an_expiring_entry_that_is_not_indexed_is_found() {
    let damaged = Damaged::new();
    let expires = START.after(Duration::from_hours(1));
    let row = keys::expiry(expires, &name("alice"), &key("/e"));
    damaged.remove(Table::Expiry, row);
    damaged.finds(&[(FindingKind::NotIndexed, Place::Expiry, Some("/e"))]);
}

#[test]
fn rows_of_the_index_without_their_entry_are_found() {
    let alice = name("alice");
    let expires = START.after(Duration::from_hours(1));
    for (instant, text, bytes) in [
        (expires, "/nobody", 9),
        // It doesn't expire, or not then, or has another size.
        (expires, "/a", 5),
        (START.after(Duration::from_hours(2)), "/e", 3),
        (expires, "/e", 4),
    ] {
        let damaged = Damaged::new();
        let row_key = keys::expiry(instant, &alice, &key(text));
        let row = format::encode_expiry(&row_key, bytes);
        damaged.put(Table::Expiry, row_key, row);
        damaged.finds(&[(FindingKind::StaleIndex, Place::Expiry, Some(text))]);
    }
}

#[test]
fn an_expiry_floor_above_the_first_row_is_found() {
    let damaged = Damaged::new();
    let floor = format::encode_expiry_floor(START.after(Duration::from_hours(2)));
    damaged.put(Table::Namespaces, keys::EXPIRY_FLOOR.to_vec(), floor);
    let report = damaged.report();
    assert_eq!(report.findings.len(), 6);
    for finding in &report.findings {
        assert_eq!(finding.kind, FindingKind::BelowExpiryFloor);
    }
}
