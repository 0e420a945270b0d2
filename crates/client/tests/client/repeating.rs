//! The requests that are repeated, and those that are not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use prominence_client::retry::RETRY_FOR;
use prominence_client::{Credentials, Error, Fate, OnNotice, SetOptions, TokenFile};
use prominence_core::{Key, Precondition, Prefix, Revision, WriteId};

use crate::script::{Script, answer, refusal, value};

fn key() -> Key {
    Key::parse("/a").unwrap()
}

fn unavailable() -> String {
    refusal(
        "503 Service Unavailable",
        "unavailable",
        "Retry-After: 1\r\n",
    )
}

fn limited() -> String {
    refusal(
        "429 Too Many Requests",
        "rate_limited",
        "Retry-After: 2\r\n",
    )
}

fn stored() -> String {
    answer("201 Created", "", "{\"key\": \"/a\", \"revision\": 8}")
}

#[test]
fn a_read_is_repeated_after_a_broken_connection_429_and_503() {
    let script = Script::new(&[String::new(), limited(), unavailable(), value("42")]);
    let entry = script.client().get(&key()).unwrap().unwrap();
    assert_eq!(entry.value, b"42");
    assert_eq!(entry.metadata.revision, Revision::new(7));
    let pauses = script.pauses();
    assert_eq!(pauses.len(), 3);
    assert_eq!(pauses[1], Duration::from_secs(2), "Retry-After is heeded");
    assert_eq!(script.played().len(), 4);
}

#[test]
fn an_answer_that_breaks_off_is_asked_for_again() {
    let half = value("4242").replace("4242", "42");
    let script = Script::new(&[half, value("4242")]);
    let entry = script.client().get(&key()).unwrap().unwrap();
    assert_eq!(entry.value, b"4242");
    script.played();
}

#[test]
fn tries_go_on_for_as_long_as_is_configured_and_the_last_error_comes_out() {
    // After these answers, the server has ended.
    let script = Script::new(&[unavailable(), unavailable()]);
    let error = script.client().get(&key()).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    let spent: Duration = script.pauses().iter().sum();
    assert!(spent > Duration::from_secs(59), "{spent:?}");
    assert!(spent <= RETRY_FOR, "{spent:?}");
    script.played();

    let script = Script::new(&[unavailable()]);
    let client = script.client_with(|config| config.retry_for = Duration::ZERO);
    let error = client.get(&key()).unwrap_err();
    let Error::Unavailable { refusal, fate } = error else {
        panic!("{error:?}");
    };
    assert_eq!(refusal.message, "as the script says");
    assert_eq!(fate, Fate::NotApplied, "a read changes nothing");
    assert_eq!(script.pauses(), []);
    script.played();
}

#[test]
fn a_pause_longer_than_the_time_that_is_left_is_not_begun() {
    let later = refusal(
        "503 Service Unavailable",
        "unavailable",
        "Retry-After: 61\r\n",
    );
    let script = Script::new(&[later]);
    assert!(script.client().get(&key()).is_err());
    assert_eq!(script.pauses(), []);
    script.played();
}

#[test]
fn a_date_in_retry_after_is_heeded_as_well() {
    let date = std::time::SystemTime::now() + Duration::from_secs(30);
    let headers = format!("Retry-After: {}\r\n", httpdate::fmt_http_date(date));
    let busy = refusal("503 Service Unavailable", "unavailable", &headers);
    let script = Script::new(&[busy, value("42")]);
    script.client().get(&key()).unwrap().unwrap();
    let pauses = script.pauses();
    assert!(pauses[0] > Duration::from_secs(25), "{pauses:?}");
    script.played();
}

#[test]
fn the_first_failure_is_told_and_then_one_every_half_minute() {
    let script = Script::new(&[]);
    let told = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&told);
    let client = script.client_with(|config| {
        config.retry_for = Duration::from_secs(100);
        config.on_notice = OnNotice::new(move |notice| {
            let mut notes = notes.lock().unwrap();
            notes.push((notice.error.to_string(), notice.left));
        });
    });
    script.played();
    client.get(&key()).unwrap_err();
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told[0].0.contains("connection refused"), "{told:?}");
    assert!(told[0].1 > Duration::from_secs(99), "{told:?}");
    assert!(told[3].1 < Duration::from_secs(10), "{told:?}");
}

#[test]
fn proxies_that_reach_no_server_are_asked_again() {
    let page = |status| answer(status, "Content-Type: text/html\r\n", "<html>oops</html>");
    let script = Script::new(&[
        page("502 Bad Gateway"),
        page("503 Service Unavailable"),
        page("504 Gateway Timeout"),
        page("408 Request Timeout"),
        value("42"),
    ]);
    let entry = script.client().get(&key()).unwrap().unwrap();
    assert_eq!(entry.value, b"42");
    script.played();
}

#[test]
fn a_write_whose_first_try_may_have_happened_stays_uncertain_whatever_comes_later() {
    let script = Script::new(&[String::new()]);
    let client = script.client();
    let written = client.set(&key(), b"v", &SetOptions::default());
    let error = written.unwrap_err();
    assert!(error.to_string().contains("connection refused"), "{error}");
    assert_eq!(error.fate(), Fate::Unknown);
    script.played();
}

#[test]
fn an_answer_says_in_a_field_whether_a_write_may_have_happened() {
    let says = |may| {
        let body = format!(
            "{{\"error\": \"no\", \"code\": \"unavailable\", \"may_have_happened\": {may}}}"
        );
        answer("503 Service Unavailable", "", &body)
    };
    let sum = "{\"key\": \"/a\", \"value\": 3, \"revision\": 9}";
    let script = Script::new(&[says(false), answer("200 OK", "", sum)]);
    assert_eq!(script.client().add(&key(), 3).unwrap().value, 3);
    script.played();
    let script = Script::new(&[says(true)]);
    let error = script.client().add(&key(), 3).unwrap_err();
    assert_eq!(error.fate(), Fate::Unknown);
    script.played();
}

#[test]
fn plain_sets_and_deletions_are_repeated() {
    let deleted = || answer("200 OK", "", "{\"deleted\": 1}");
    let script = Script::new(&[
        unavailable(),
        stored(),
        String::new(),
        deleted(),
        unavailable(),
        deleted(),
    ]);
    let client = script.client();
    let written = client.set(&key(), b"v", &SetOptions::default()).unwrap();
    assert_eq!(written.revision, Revision::new(8));
    assert_eq!(client.delete(&key()).unwrap(), 1);
    assert_eq!(client.delete_prefix(&Prefix::everything()).unwrap(), 1);
    let requests = script.played();
    assert_eq!(requests[0], requests[1]);
    assert!(requests[0].starts_with("PUT /prominence/v1/kv/a HTTP/1.1"));
    assert!(requests[0].ends_with("\r\n\r\nv"), "{}", requests[0]);
    assert!(requests[5].starts_with("DELETE /prominence/v1/kv?prefix HTTP/1.1"));
}

#[test]
fn an_addition_that_may_have_happened_is_not_repeated() {
    for broken in [String::new(), unavailable()] {
        let script = Script::new(&[broken]);
        let error = script.client().add(&key(), 1).unwrap_err();
        assert_eq!(error.fate(), Fate::Unknown, "{error}");
        assert_eq!(script.pauses(), []);
        script.played();
    }
}

#[test]
fn an_addition_that_was_turned_away_is_repeated() {
    let sum = "{\"key\": \"/a\", \"value\": 3, \"revision\": 9}";
    let script = Script::new(&[limited(), answer("200 OK", "", sum)]);
    assert_eq!(script.client().add(&key(), 3).unwrap().value, 3);
    script.played();
}

#[test]
fn conditional_sets_carry_an_id_by_which_their_repetitions_are_known() {
    let conditional = |write_id| SetOptions {
        condition: Some(Precondition::Absent),
        write_id,
        ..SetOptions::default()
    };
    let script = Script::new(&[unavailable(), String::new(), stored(), stored(), stored()]);
    let client = script.client();
    client.set(&key(), b"v", &conditional(None)).unwrap();
    client.set(&key(), b"v", &conditional(None)).unwrap();
    let own = WriteId::parse(b"id-1").ok();
    client.set(&key(), b"v", &conditional(own)).unwrap();
    let requests = script.played();
    let ids: Vec<_> = requests
        .iter()
        .map(|request| {
            assert!(request.contains("if-none-match: *"), "{request}");
            let id = request.split("prominence-write-id: ").nth(1).unwrap();
            id.split("\r\n").next().unwrap()
        })
        .collect();
    assert!(
        ids[0].len() == 32 && ids[0] == ids[1] && ids[1] == ids[2],
        "{ids:?}"
    );
    assert_ne!(ids[2], ids[3], "another set has another");
    assert_eq!(ids[4], "id-1");
}

#[test]
fn a_condition_that_fails_after_a_lost_answer_leaves_open_what_happened_before() {
    let conditional = SetOptions {
        condition: Some(Precondition::Absent),
        ..SetOptions::default()
    };
    let failed = || refusal("412 Precondition Failed", "precondition_failed", "");
    let script = Script::new(&[String::new(), failed(), failed()]);
    let client = script.client();
    let text = |outcome: Result<_, Error>| outcome.unwrap_err().to_string();
    let lost = text(client.set(&key(), b"v", &conditional));
    assert!(
        lost.contains("whose answer was lost, may or may not"),
        "{lost}"
    );
    let plain = text(client.set(&key(), b"v", &conditional));
    assert!(!plain.contains("lost"), "{plain}");
    script.played();
}

#[test]
fn a_conditional_deletion_is_not_repeated_where_it_may_have_happened() {
    let script = Script::new(&[String::new()]);
    let revision = Revision::new(7);
    let error = script.client().delete_revision(&key(), revision);
    assert_eq!(error.unwrap_err().fate(), Fate::Unknown);
    let requests = script.played();
    assert!(requests[0].contains("if-match: \"7\""), "{}", requests[0]);
}

#[test]
fn a_deletion_that_demands_a_count_is_not_repeated_where_it_may_have_happened() {
    let script = Script::new(&[String::new()]);
    let prefix = Prefix::parse("/in/").unwrap();
    let error = script.client().delete_prefix_if_count(&prefix, 7);
    assert_eq!(error.unwrap_err().fate(), Fate::Unknown);
    let requests = script.played();
    let line = "DELETE /prominence/v1/kv/in/?prefix&if_count=7 HTTP/1.1";
    assert!(requests[0].starts_with(line), "{}", requests[0]);
}

#[test]
fn a_server_that_is_not_there_is_asked_again_whatever_the_request() {
    let script = Script::new(&[]);
    let client = script.client();
    let pauses = script.pauses.clone();
    script.played();
    let error = client.add(&key(), 1).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert_eq!(error.fate(), Fate::NotApplied);
    assert!(error.to_string().contains("connection refused"), "{error}");
    assert!(pauses.lock().unwrap().len() > 10);
}

#[test]
fn a_token_that_is_refused_is_replaced_by_the_one_that_its_file_has_by_then() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "one").unwrap();
    let refused = || refusal("401 Unauthorized", "unauthenticated", "");
    let script = Script::new(&[refused(), value("42"), refused()]);
    let tokens = TokenFile::open(&file).unwrap();
    let client = script.client_with(|config| config.credentials = Credentials::File(tokens));
    std::fs::write(&file, "two").unwrap();
    let entry = client.get(&key()).unwrap().unwrap();
    assert_eq!(entry.value, b"42");
    // The file still has the same token.
    let error = client.get(&key()).unwrap_err();
    assert!(matches!(error, Error::Unauthenticated(_)), "{error:?}");
    let sent: Vec<_> = script
        .played()
        .iter()
        .map(|request| request.contains("authorization: Bearer two"))
        .collect();
    assert_eq!(sent, [false, true, true]);
}
