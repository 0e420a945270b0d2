//! Rows that are wrong by themselves, and sums that don't add up.

use super::*;

#[test]
fn a_row_that_fails_its_checksum_is_found_in_every_table() {
    let alice = name("alice");
    let change = keys::change(&alice, place(2, 0));
    let expires = START.after(Duration::from_hours(1));
    let rows = [
        (
            Table::Entries,
            keys::entry(&alice, &key("/a")),
            Place::Entries,
        ),
        (Table::Log, change, Place::Log),
        (
            Table::Expiry,
            keys::expiry(expires, &alice, &key("/e")),
            Place::Expiry,
        ),
        (
            Table::Namespaces,
            keys::namespace(&alice),
            Place::Namespaces,
        ),
    ];
    for (table, row_key, place) in rows {
        let damaged = Damaged::new();
        let mut row = damaged.get(table, &row_key);
        row[3] ^= 1;
        damaged.put(table, row_key.clone(), row);
        let shown = row_key.escape_ascii().to_string();
        damaged.finds(&[(FindingKind::DamagedRow, place, Some(&shown))]);
    }
}

#[test]
fn a_damaged_expiry_floor_is_found() {
    let damaged = Damaged::new();
    let mut row = format::encode_expiry_floor(START);
    row[3] ^= 1;
    damaged.put(Table::Namespaces, keys::EXPIRY_FLOOR.to_vec(), row);
    let report = damaged.report();
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
    assert_eq!(report.findings[0].kind, FindingKind::DamagedRow);
}

#[test]
fn an_illegal_key_is_found_in_every_table() {
    for (table, row_key) in [
        (Table::Entries, b"alice\0no-slash".as_slice()),
        (Table::Log, b"alice\0short"),
        (Table::Namespaces, b"alice\0more"),
    ] {
        let damaged = Damaged::new();
        damaged.put(table, row_key.to_vec(), b"\x01".to_vec());
        let shown = row_key.escape_ascii().to_string();
        let place = At::new(table, None).place;
        damaged.finds(&[(FindingKind::IllegalKey, place, Some(&shown))]);
    }
}

#[test]
fn rows_that_belong_to_no_namespace_are_found() {
    for (table, row_key) in [
        (Table::Entries, b"\x1fx\0/a".as_slice()),
        (Table::Entries, b"\0/a"),
        (Table::Entries, b"without end"),
        (Table::Log, b"\xff\xfe\0"),
        (Table::Namespaces, b"\0nonsense"),
        (Table::Expiry, b"12345678without end"),
    ] {
        let damaged = Damaged::new();
        damaged.put(table, row_key.to_vec(), b"\x01".to_vec());
        let report = damaged.report();
        assert_eq!(report.entries, 9, "the others are checked all the same");
        let kinds: Vec<_> = report.findings.iter().map(|finding| finding.kind).collect();
        let is_legal_name = row_key == b"without end";
        if is_legal_name {
            assert_eq!(kinds, [FindingKind::NoNamespace], "{:?}", report.findings);
        } else {
            assert_eq!(kinds, [FindingKind::IllegalKey], "{:?}", report.findings);
        }
    }
}

#[test]
fn a_namespace_without_a_row_is_found() {
    let damaged = Damaged::new();
    damaged.remove(Table::Namespaces, keys::namespace(&name("alice")));
    damaged.finds(&[(FindingKind::NoNamespace, Place::Namespaces, None)]);
}

#[test]
fn wrong_sums_are_found() {
    let damaged = Damaged::new();
    damaged.change_space(|row| row.usage.keys += 1);
    damaged.finds(&[(FindingKind::WrongUsage, Place::Namespaces, None)]);
    damaged.change_space(|row| {
        row.usage.keys -= 1;
        row.usage.bytes -= 1;
    });
    damaged.finds(&[(FindingKind::WrongUsage, Place::Namespaces, None)]);
    damaged.change_space(|row| {
        row.usage.bytes += 1;
        row.log_rows -= 1;
    });
    damaged.finds(&[(FindingKind::WrongLogLength, Place::Namespaces, None)]);
}

#[test]
fn findings_beyond_the_first_thousand_are_counted() {
    let damaged = Damaged::new();
    let database = damaged.store.shared.slot.open().unwrap();
    let mut batch = database.batch();
    for n in 0..1_200 {
        batch.put(
            Table::Entries,
            format!("alice\0/z{n}").into_bytes(),
            vec![1],
        );
    }
    assert!(batch.write().is_ok());
    let report = damaged.report();
    assert_eq!(report.findings.len(), MAX_FINDINGS);
    assert_eq!(report.more_findings, 200);
}
