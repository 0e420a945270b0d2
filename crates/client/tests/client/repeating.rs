//! What is sent again, and what is not.

use std::time::Duration;

use prominence_client::{Error, Fate, SetOptions};
use prominence_core::{Key, Precondition, Prefix, Revision};

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
fn the_number_of_tries_is_bounded_and_the_last_error_comes_out() {
    let script = Script::new(&vec![unavailable(); 5]);
    let error = script.client().get(&key()).unwrap_err();
    let Error::Unavailable { refusal, fate } = error else {
        panic!("{error:?}");
    };
    assert_eq!(refusal.message, "as the script says");
    assert_eq!(fate, Fate::NotApplied, "a read changes nothing");
    assert_eq!(script.played().len(), 5);
}

#[test]
fn a_wait_longer_than_patience_is_not_begun() {
    let later = refusal(
        "503 Service Unavailable",
        "unavailable",
        "Retry-After: 60\r\n",
    );
    let script = Script::new(&[later]);
    assert!(script.client().get(&key()).is_err());
    assert_eq!(script.pauses(), []);
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
fn conditional_writes_are_not_repeated_where_they_may_have_happened() {
    let conditional = SetOptions {
        condition: Some(Precondition::Absent),
        ..SetOptions::default()
    };
    let script = Script::new(&[unavailable(), String::new()]);
    let client = script.client();
    let error = client.set(&key(), b"v", &conditional).unwrap_err();
    assert_eq!(error.fate(), Fate::Unknown);
    let error = client
        .delete_revision(&key(), Revision::new(7))
        .unwrap_err();
    assert_eq!(error.fate(), Fate::Unknown);
    let requests = script.played();
    assert!(requests[0].contains("if-none-match: *"), "{}", requests[0]);
    assert!(requests[1].contains("if-match: \"7\""), "{}", requests[1]);
}

#[test]
fn a_server_that_is_not_there_is_asked_five_times_whatever_the_request() {
    let script = Script::new(&[]);
    let client = script.client();
    let pauses = script.pauses.clone();
    script.played();
    let error = client.add(&key(), 1).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert_eq!(error.fate(), Fate::NotApplied);
    assert!(error.to_string().contains("connection refused"), "{error}");
    assert_eq!(pauses.lock().unwrap().len(), 4);
}
