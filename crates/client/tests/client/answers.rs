//! What an answer means, and what is no answer of this service.

use prominence_api::ErrorCode;
use prominence_client::{Error, Fate, SetOptions};
use prominence_core::{Key, Timestamp};

use crate::script::{Script, answer, refusal, value};

fn key() -> Key {
    Key::parse("/a b").unwrap()
}

#[test]
fn a_value_comes_with_what_is_known_about_it() {
    let headers = "ETag: \"12\"\r\nLast-Modified: Tue, 14 Nov 2023 22:13:20 GMT\r\n\
                   Prominence-Expires: 2023-11-14T23:13:20.500Z\r\nProminence-Job: jöb-1\r\n";
    let claim = "Prominence-Claimed-By: wörker\r\nProminence-Claims: 3\r\n";
    let claimed = format!("{headers}{claim}");
    let script = Script::new(&[
        answer("200 OK", headers, "x"),
        answer("200 OK", &claimed, "x"),
    ]);
    let client = script.client();
    let entry = client.get(&key()).unwrap().unwrap();
    assert_eq!(entry.metadata.revision.get(), 12);
    assert_eq!(entry.metadata.size, 1);
    assert_eq!(
        entry.metadata.modified,
        Some(Timestamp::from_secs(1_700_000_000))
    );
    assert_eq!(
        entry.metadata.expires,
        Some(Timestamp::from_millis(1_700_003_600_500))
    );
    assert_eq!(entry.metadata.job.as_deref(), Some("jöb-1"));
    assert_eq!(entry.metadata.claimed_until, None);
    assert_eq!(
        (entry.metadata.claimed_by, entry.metadata.claims),
        (None, 0)
    );
    let claimed = client.get(&key()).unwrap().unwrap().metadata;
    assert_eq!(claimed.claimed_by.as_deref(), Some("wörker"));
    assert_eq!(claimed.claims, 3);
    let requests = script.played();
    assert!(requests[0].starts_with("GET /prominence/v1/kv/a%20b HTTP/1.1"));
    assert!(
        requests[0].contains("authorization: Bearer t\r\n"),
        "{}",
        requests[0]
    );
}

#[test]
fn a_key_that_does_not_exist_is_no_error_but_a_wrong_address_is() {
    let script = Script::new(&[
        refusal("404 Not Found", "no_such_key", ""),
        refusal("404 Not Found", "not_found", ""),
        answer("404 Not Found", "", "<html>nothing here</html>"),
    ]);
    let client = script.client();
    assert_eq!(client.get(&key()).unwrap(), None);
    assert!(matches!(client.get(&key()), Err(Error::Failed { .. })));
    assert!(matches!(client.get(&key()), Err(Error::BadAnswer { .. })));
    script.played();
}

#[test]
fn refusals_are_told_apart_by_their_code_and_keep_their_sentence() {
    for (status, code, expected) in [
        ("401 Unauthorized", "unauthenticated", "Unauthenticated"),
        ("403 Forbidden", "forbidden", "Forbidden"),
        ("409 Conflict", "not_a_number", "NotANumber"),
        (
            "412 Precondition Failed",
            "precondition_failed",
            "PreconditionFailed",
        ),
        ("413 Content Too Large", "value_too_large", "TooLarge"),
        ("400 Bad Request", "bad_key", "BadRequest"),
        (
            "507 Insufficient Storage",
            "quota_exceeded",
            "QuotaExceeded",
        ),
        ("500 Internal Server Error", "internal", "Failed"),
        ("418 I'm a teapot", "a_code_of_a_later_version", "Failed"),
    ] {
        let script = Script::new(&[refusal(status, code, "")]);
        let error = script
            .client()
            .set(&key(), b"", &SetOptions::default())
            .unwrap_err();
        assert!(format!("{error:?}").starts_with(expected), "{error:?}");
        assert_eq!(error.to_string(), "as the script says");
        script.played();
    }
}

#[test]
fn a_refusal_names_the_request_for_the_servers_log() {
    let body = "{\"error\": \"no\", \"code\": \"internal\", \"request_id\": \"r-1\"}";
    let script = Script::new(&[answer("500 Internal Server Error", "", body)]);
    let Err(Error::Failed { refusal, .. }) = script.client().usage() else {
        panic!("a refusal is expected");
    };
    assert_eq!(refusal.code, Some(ErrorCode::Internal));
    assert_eq!(refusal.to_string(), "no (request r-1)");
    script.played();
}

#[test]
fn an_answer_without_an_end_is_not_taken_for_a_whole_one() {
    let endless = "HTTP/1.1 200 OK\r\nETag: \"7\"\r\n\r\nhalf of the val".to_owned();
    let script = Script::new(&[endless]);
    let error = script.client().get(&key()).unwrap_err();
    assert!(error.to_string().contains("where it ends"), "{error}");
    script.played();
}

#[test]
fn an_answer_that_never_stops_is_not_read_for_ever() {
    let body = "x".repeat(2 << 20);
    let script = Script::new(&[value(&body)]);
    let error = script.client().get(&key()).unwrap_err();
    assert!(matches!(error, Error::BadAnswer { .. }), "{error:?}");
    drop(script);
}

#[test]
fn a_redirect_is_not_followed_with_the_token() {
    let script = Script::new(&[answer(
        "302 Found",
        "Location: http://evil.example/\r\n",
        "",
    )]);
    let error = script.client().get(&key()).unwrap_err();
    assert!(
        error.to_string().contains("http://evil.example/"),
        "{error}"
    );
    script.played();
}

#[test]
fn what_does_not_speak_http_is_a_bad_answer() {
    let script = Script::new(&["SSH-2.0-OpenSSH_9.2\r\n\r\n".to_owned()]);
    let error = script.client().get(&key()).unwrap_err();
    assert!(matches!(error, Error::BadAnswer { .. }), "{error:?}");
    script.played();
}

#[test]
fn the_page_of_a_proxy_is_told_as_what_it_is_and_not_printed() {
    let page = "<html><head><title>413</title></head></html>";
    let script = Script::new(&[answer(
        "413 Request Entity Too Large",
        "Content-Type: text/html\r\n",
        page,
    )]);
    let options = SetOptions::default();
    let error = script.client().set(&key(), &[0; 2_000], &options);
    let error = error.unwrap_err();
    assert_eq!(error.fate(), Fate::NotApplied);
    let text = error.to_string();
    assert!(
        text.contains("a proxy in front of http://127.0.0.1:"),
        "{text}"
    );
    assert!(text.contains("smaller than the 2000 bytes"), "{text}");
    assert!(!text.contains('<'), "{text}");
    script.played();

    let script = Script::new(&[answer("502 Bad Gateway", "", page)]);
    let error = script.client().add(&key(), 1).unwrap_err();
    assert_eq!(
        error.fate(),
        Fate::Unknown,
        "it may be the answer that was lost"
    );
    assert!(error.to_string().contains("answered 502"), "{error}");
    script.played();
}
