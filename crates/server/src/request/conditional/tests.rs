//! Headers into conditions.

use prominence_core::{Key, Timestamp};

use super::*;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        )
    };
    let mut map = HeaderMap::new();
    for (name, value) in pairs.iter().map(pair) {
        map.append(name, value);
    }
    map
}

fn metadata(revision: u64, modified: Timestamp) -> Metadata {
    Metadata {
        revision: Revision::new(revision),
        created: modified,
        modified,
        expires: None,
        claimed_until: None,
        claimed_by: None,
        claims: 0,
        write_id: None,
        job: None,
        size: 1,
    }
}

#[test]
fn a_write_demands_absence_presence_or_one_of_several_revisions() {
    let of = |pairs: &[_]| WriteCondition::of(&headers(pairs)).map_err(|_| ());
    let one_of = |revisions: &[u64]| {
        let revisions = revisions.iter().map(|number| Revision::new(*number));
        Ok(Some(WriteCondition::OneOf(revisions.collect())))
    };
    assert_eq!(of(&[]), Ok(None));
    let star = [("if-none-match", "*")];
    assert_eq!(of(&star), Ok(Some(WriteCondition::Absent)));
    let star = [("if-match", " * ")];
    assert_eq!(of(&star), Ok(Some(WriteCondition::Present)));
    for (text, revisions) in [
        ("\"7\"", &[7][..]),
        // Only a proxy marks or renames our tags.
        ("W/\"7\"", &[7]),
        ("\"7-gzip\"", &[7]),
        ("W/\"7-br\"", &[7]),
        ("\"6\", \"7\"", &[6, 7]),
        (",, \"6\" ,\tW/\"7\",", &[6, 7]),
        ("\"a,b\", \"7\"", &[7]),
        // Tags that this service never gives out.
        ("\"abc\"", &[]),
        ("\"\"", &[]),
        ("\"0\"", &[]),
        ("\"07\"", &[]),
        ("\"+7\"", &[]),
        ("\"7\u{e9}\"", &[]),
        ("\"99999999999999999999\"", &[]),
    ] {
        assert_eq!(of(&[("if-match", text)]), one_of(revisions), "{text}");
    }
    let lines = [("if-match", "\"6\""), ("if-match", "\"7\"")];
    assert_eq!(of(&lines), one_of(&[6, 7]));
    for odd in [
        "7",
        "'7'",
        "\"7",
        "7\"",
        "w/\"7\"",
        "W/7",
        "\"6\" \"7\"",
        "\"6\"\"7\"",
        "\"6\"; \"7\"",
        "",
        ",",
        "**",
        "*, *",
        "*, \"7\"",
        "\"7\", *",
        "\"7\"x",
        "\"7 \"",
    ] {
        assert_eq!(of(&[("if-match", odd)]), Err(()), "{odd}");
        assert_eq!(of(&[("if-none-match", odd)]), Err(()), "{odd}");
    }
    assert_eq!(of(&[("if-none-match", "\"7\"")]), Err(()));
    assert_eq!(of(&[("if-match", "*"), ("if-none-match", "*")]), Err(()));
}

#[test]
fn a_date_is_no_condition_of_a_write_and_is_ignored_only_beside_the_tags_that_replace_it() {
    let date = "Tue, 14 Nov 2023 22:13:20 GMT";
    for name in ["if-modified-since", "if-unmodified-since"] {
        for value in [date, "yesterday", ""] {
            let refused = WriteCondition::of(&headers(&[(name, value)])).unwrap_err();
            let message = refused.message().to_lowercase();
            assert!(message.contains(name), "{message}");
        }
    }
    let both = headers(&[("if-match", "\"7\""), ("if-unmodified-since", date)]);
    assert!(WriteCondition::of(&both).unwrap().is_some());
    let both = headers(&[("if-none-match", "*"), ("if-modified-since", date)]);
    let absent = WriteCondition::of(&both).unwrap();
    assert_eq!(absent, Some(WriteCondition::Absent));
}

#[test]
fn the_next_try_is_for_the_revision_that_is_there_where_the_caller_named_it() {
    let failed = |reason| StoreError::PreconditionFailed {
        key: Key::parse("/a").unwrap(),
        reason,
    };
    let six = Precondition::Revision(Revision::new(6));
    let tags = headers(&[("if-match", "\"6\", \"9\", \"7\"")]);
    let condition = WriteCondition::of(&tags).unwrap().unwrap();
    let nine = Precondition::Revision(Revision::new(9));
    assert_eq!(condition.first(), nine);
    let found = |revision| failed(Mismatch::Revision(Revision::new(revision)));
    assert_eq!(condition.next(&found(6)), Some(six));
    assert_eq!(condition.next(&found(8)), None);
    assert_eq!(condition.next(&failed(Mismatch::Missing)), None);
    let mismatch = Mismatch::Value(Revision::new(6));
    assert_eq!(condition.next(&failed(mismatch)), None);
    let none = WriteCondition::OneOf(Vec::new());
    assert_eq!(none.first(), Precondition::Revision(Revision::ZERO));
}

#[test]
fn a_read_evaluates_tags_first_and_dates_only_without_them() {
    // Half a second is lost in Last-Modified.
    let current = metadata(7, Timestamp::from_millis(1_700_000_000_500));
    let check = |pairs: &[_]| {
        let conditions = ReadConditions::of(&headers(pairs)).unwrap();
        (
            conditions.hold(&current).is_ok(),
            conditions.unchanged(&current),
        )
    };
    let (earlier, same, later) = (
        "Tue, 14 Nov 2023 22:13:19 GMT",
        "Tue, 14 Nov 2023 22:13:20 GMT",
        "Tuesday, 14-Nov-23 22:13:21 GMT",
    );
    for (name, value, expected) in [
        ("if-none-match", "\"7\"", (true, true)),
        ("if-none-match", "\"6\", W/\"7\"", (true, true)),
        ("if-none-match", "\"7-gzip\"", (true, true)),
        ("if-none-match", "*", (true, true)),
        ("if-none-match", "\"77\"", (true, false)),
        ("if-none-match", "\"abc\"", (true, false)),
        ("if-match", "\"7\"", (true, false)),
        ("if-match", "W/\"7\"", (true, false)),
        ("if-match", "\"6\", \"7\"", (true, false)),
        ("if-match", "*", (true, false)),
        ("if-match", "\"6\"", (false, false)),
        ("if-match", "\"abc\"", (false, false)),
        ("if-modified-since", earlier, (true, false)),
        ("if-modified-since", same, (true, true)),
        ("if-modified-since", later, (true, true)),
        ("if-unmodified-since", earlier, (false, false)),
        ("if-unmodified-since", same, (true, false)),
        ("if-unmodified-since", later, (true, false)),
    ] {
        assert_eq!(check(&[(name, value)]), expected, "{name}: {value}");
    }
    let tags_win = [("if-none-match", "\"6\""), ("if-modified-since", later)];
    assert_eq!(check(&tags_win), (true, false));
    let tags_win = [("if-match", "\"7\""), ("if-unmodified-since", earlier)];
    assert_eq!(check(&tags_win), (true, false));
    let ignored = [
        ("if-none-match", "\"6\""),
        ("if-modified-since", "yesterday"),
    ];
    assert_eq!(check(&ignored), (true, false));
}

#[test]
fn a_malformed_condition_of_a_read_is_named_with_what_would_be_right() {
    for (name, value) in [
        ("if-none-match", "7"),
        ("if-match", "7"),
        ("if-match", ""),
        ("if-modified-since", "yesterday"),
        ("if-modified-since", "2023-11-14T22:13:20Z"),
        ("if-unmodified-since", ""),
    ] {
        let refused = ReadConditions::of(&headers(&[(name, value)])).unwrap_err();
        let message = refused.message();
        assert!(message.to_lowercase().starts_with(name), "{message}");
        let example = if name.ends_with("since") {
            "GMT"
        } else {
            "\"7\""
        };
        assert!(message.contains(example), "{message}");
    }
    let twice = [
        ("if-modified-since", "Tue, 14 Nov 2023 22:13:20 GMT"),
        ("if-modified-since", "Tue, 14 Nov 2023 22:13:21 GMT"),
    ];
    assert!(ReadConditions::of(&headers(&twice)).is_err());
    let long = "x".repeat(5_000);
    let refused = ReadConditions::of(&headers(&[("if-match", &long)])).unwrap_err();
    assert!(refused.message().len() < 300);
}

#[test]
fn dates_are_written_as_the_library_writes_them_whichever_day_was_written_before() {
    // Two steps that are no multiples of a day, one within a day and one over many.
    let near = (0..3 * DAY_SECONDS).step_by(1_013);
    let far = (0..Timestamp::MAX.as_secs()).step_by(86_461_234);
    for second in near.chain(far) {
        let expected = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
        assert_eq!(http_date(Timestamp::from_secs(second)), expected);
    }
}

#[test]
fn an_entity_tag_is_the_revision_in_quotes() {
    for revision in [1, 10, u64::MAX] {
        assert_eq!(etag(Revision::new(revision)), format!("\"{revision}\""));
    }
}
