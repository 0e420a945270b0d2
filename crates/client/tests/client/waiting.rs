//! Waits: in several requests, over outages, and until their time limit.

use std::time::Duration;

use prominence_client::{Awaited, Timeouts, Until};
use prominence_core::{Key, Prefix};

use crate::script::{Held, Script, answer, refusal, value};

fn key() -> Key {
    Key::parse("/a").unwrap()
}

fn absent() -> String {
    refusal("404 Not Found", "no_such_key", "")
}

fn hour() -> Duration {
    Duration::from_secs(3_600)
}

#[test]
fn a_wait_is_made_of_turns_that_proxies_let_through() {
    let script = Script::holding(vec![
        Held::For(Duration::from_millis(600), absent()),
        Held::For(Duration::from_millis(600), absent()),
        Held::For(Duration::ZERO, value("42")),
    ]);
    let found = script.client().get_when(&key(), Until::Exists, hour());
    assert!(matches!(found.unwrap(), Awaited::Entry(_)));
    assert_eq!(
        script.pauses(),
        [],
        "a turn that was held is followed by another"
    );
    for request in script.played() {
        assert!(
            request.starts_with("GET /prominence/v1/kv/a?wait=25 "),
            "{request}"
        );
    }
}

#[test]
fn a_turn_may_last_longer_than_the_silence_that_is_put_up_with() {
    let long = Duration::from_millis(1_500);
    let claimed = "ETag: \"7\"\r\nProminence-Key: /a\r\n";
    let script = Script::holding(vec![
        Held::For(long, value("42")),
        Held::For(long, answer("200 OK", "", "{\"count\": 2}")),
        Held::For(long, answer("200 OK", claimed, "work")),
    ]);
    let client = script.client_with(|config| {
        config.timeouts = Timeouts {
            silence: long / 3,
            ..Timeouts::default()
        };
    });
    let within = Duration::from_secs(10);
    let found = client.get_when(&key(), Until::Exists, within);
    assert!(matches!(found.unwrap(), Awaited::Entry(_)));
    let prefix = Prefix::everything();
    assert_eq!(client.count_when(&prefix, 2, within).unwrap(), 2);
    let claimed = client.claim(&prefix, within, Some(within)).unwrap();
    assert_eq!(claimed.unwrap().entry.value, b"work");
    assert_eq!(script.pauses(), []);
    assert_eq!(script.played().len(), 3);
}

#[test]
fn a_connection_that_is_cut_while_it_waits_is_made_again_at_once() {
    let cut = || Held::For(Duration::from_millis(1_100), String::new());
    let script = Script::holding(vec![cut(), cut(), Held::For(Duration::ZERO, value("42"))]);
    let found = script.client().get_when(&key(), Until::Exists, hour());
    assert!(matches!(found.unwrap(), Awaited::Entry(_)));
    assert_eq!(script.pauses(), []);
    script.played();
}

#[test]
fn a_wait_outlasts_an_outage_and_is_told_of_it() {
    let page = answer("502 Bad Gateway", "", "<html>");
    let script = Script::new(&[String::new(), page, value("42")]);
    let found = script.client().get_when(&key(), Until::Exists, hour());
    assert!(matches!(found.unwrap(), Awaited::Entry(_)));
    assert_eq!(script.pauses().len(), 2);
    script.played();
}

#[test]
fn a_wait_ends_with_its_time_although_nobody_answers() {
    let script = Script::new(&[]);
    let client = script.client_with(|config| config.retry_for = Duration::ZERO);
    let pauses = script.pauses.clone();
    script.played();
    let minutes = Duration::from_secs(120);
    client.get_when(&key(), Until::Exists, minutes).unwrap_err();
    let spent: Duration = pauses.lock().unwrap().iter().sum();
    assert!(spent > minutes - Duration::from_secs(2), "{spent:?}");
    assert!(spent <= minutes, "{spent:?}");
}

#[test]
fn where_no_more_requests_are_held_it_is_asked_how_things_are() {
    let crowded = || {
        refusal(
            "429 Too Many Requests",
            "rate_limited",
            "Retry-After: 1\r\n",
        )
    };
    let script = Script::new(&[crowded(), absent(), crowded(), value("42")]);
    let found = script.client().get_when(&key(), Until::Exists, hour());
    assert!(matches!(found.unwrap(), Awaited::Entry(_)));
    let requests = script.played();
    let targets: Vec<_> = requests
        .iter()
        .map(|request| request.split(' ').nth(1).unwrap())
        .collect();
    let (held, asked) = ("/prominence/v1/kv/a?wait=25", "/prominence/v1/kv/a");
    assert_eq!(targets, [held, asked, held, asked]);
}

#[test]
fn a_server_that_does_not_hold_requests_is_not_asked_in_a_tight_loop() {
    let script = Script::new(&[absent(), absent(), absent(), value("42")]);
    let found = script.client().get_when(&key(), Until::Exists, hour());
    assert!(matches!(found.unwrap(), Awaited::Entry(_)));
    assert_eq!(script.pauses().len(), 3);
    script.played();
}
