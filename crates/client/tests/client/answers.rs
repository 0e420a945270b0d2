//! The meaning of answers, and the recognition of answers that are not from this service.

use std::time::Duration;

use prominence_api::ErrorCode;
use prominence_client::{Error, Fate, SetOptions, Until, WatchOptions};
use prominence_core::{Key, Prefix, Revision, Timestamp};

use crate::script::{Script, answer, page, refusal, value};

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
    assert!(matches!(client.get(&key()), Err(Error::Foreign { .. })));
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
    let endless =
        "HTTP/1.1 200 OK\r\nX-Request-Id: r-0\r\nETag: \"7\"\r\n\r\nhalf of the val".to_owned();
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

/// Answers that the server never sends, each with a part of its description.
fn foreign_answers() -> Vec<(String, &'static str)> {
    let html = "Content-Type: text/html\r\n";
    let title = "<html><head><title>No entry</title></head><body>x</body></html>";
    let mut answers: Vec<_> = [
        "200 OK",
        "201 Created",
        "302 Found",
        "304 Not Modified",
        "400 Bad Request",
        "401 Unauthorized",
        "403 Forbidden",
        "404 Not Found",
        "405 Method Not Allowed",
        "407 Proxy Authentication Required",
        "408 Request Timeout",
        "409 Conflict",
        "410 Gone",
        "412 Precondition Failed",
        "413 Content Too Large",
        "418 I'm a teapot",
        "429 Too Many Requests",
        "500 Internal Server Error",
        "501 Not Implemented",
        "502 Bad Gateway",
        "503 Service Unavailable",
        "504 Gateway Timeout",
        "511 Network Authentication Required",
        "520 Whatever",
    ]
    .iter()
    .flat_map(|status| [page(status, html, title), page(status, "", "")])
    .map(|answer| (answer, ""))
    .collect();
    answers.push((
        page("404 Not Found", "Server: nginx/9.9\r\n", title),
        "from nginx/9.9",
    ));
    answers.push((page("404 Not Found", html, title), "\"No entry\""));
    answers.push((
        page("403 Forbidden", "", "\nnot for you\nbye"),
        "\"not for you\"",
    ));
    answers.push((
        page("302 Found", "Location: https://login.example.org/\r\n", ""),
        "pointing to https://login.example.org/",
    ));
    // JSON of another interface.
    let json = "{\"error\": \"Not Found\", \"code\": 404}";
    answers.push((page("404 Not Found", "", json), "Not Found"));
    // A gateway whose errors look like the server's.
    for (status, code) in [
        ("404 Not Found", "no_such_key"),
        ("412 Precondition Failed", "precondition_failed"),
        ("429 Too Many Requests", "rate_limited"),
        ("503 Service Unavailable", "unavailable"),
    ] {
        let json = format!("{{\"error\": \"of a gateway\", \"code\": \"{code}\"}}");
        answers.push((page(status, "", &json), "of a gateway"));
    }
    // A page that happens to have the header.
    answers.push((answer("200 OK", html, title), "No entry"));
    answers
}

#[test]
fn whatever_the_server_has_not_made_is_named_so_with_what_is_known_of_it() {
    for (scripted, words) in foreign_answers() {
        let script = Script::new(&[scripted.clone(), scripted.clone(), scripted.clone()]);
        let client = script.client_with(|config| config.retry_for = Duration::ZERO);
        let errors = [
            client.head(&key()).unwrap_err(),
            client.get(&key()).unwrap_err(),
            client.set(&key(), b"", &SetOptions::default()).unwrap_err(),
        ];
        for (at, error) in errors.iter().enumerate() {
            let text = error.to_string();
            assert!(
                matches!(error, Error::Foreign { .. }),
                "{scripted}: {error:?}"
            );
            assert!(text.contains("is not from a Prominence server: "), "{text}");
            // The answer to HEAD has no page.
            assert!(
                at == 0 || text.contains(words),
                "{words} of {scripted}: {text}"
            );
            let (_, next) = text.rsplit_once("; ").unwrap();
            let verbs = ["check", "ask", "put", "try"];
            assert!(verbs.iter().any(|verb| next.starts_with(verb)), "{text}");
            assert!(!text.contains('<') && !text.contains('\n'), "{text}");
            let status: u16 = scripted[9..12].parse().unwrap();
            assert!(text.contains(&format!(": {status} ")), "{text}");
        }
        script.played();
    }
}

#[test]
fn a_refusal_that_the_server_has_not_made_leaves_nothing_open_and_anything_else_does() {
    for (status, fate) in [
        ("200 OK", Fate::Unknown),
        ("302 Found", Fate::Unknown),
        ("403 Forbidden", Fate::NotApplied),
        ("413 Content Too Large", Fate::NotApplied),
        ("500 Internal Server Error", Fate::Unknown),
        ("502 Bad Gateway", Fate::Unknown),
    ] {
        let script = Script::new(&[page(status, "", "<title>x</title>")]);
        let error = script.client().add(&key(), 1).unwrap_err();
        assert_eq!(error.fate(), fate, "{status}");
        script.played();
    }
}

#[test]
fn a_gateways_json_that_looks_like_the_servers_is_repeated_where_it_may_pass() {
    let json = "{\"error\": \"busy\", \"code\": \"busy\"}";
    for status in [
        "429 Too Many Requests",
        "502 Bad Gateway",
        "503 Service Unavailable",
        "504 Gateway Timeout",
    ] {
        let script = Script::new(&[page(status, "", json), value("42")]);
        let entry = script.client().get(&key()).unwrap().unwrap();
        assert_eq!(entry.value, b"42", "{status}");
        script.played();
    }
}

#[test]
fn an_answer_that_is_cut_off_after_its_beginning_is_not_taken_for_one_of_tls() {
    let whole = value("42");
    for (cut, is_hinted) in [
        ("", true),
        ("HTTP/1.1 200 OK\r\n", false),
        (&whole[..whole.len() - 1], false),
    ] {
        let script = Script::new(&[cut.to_owned()]);
        let client = script.client_with(|config| config.retry_for = Duration::ZERO);
        let text = client.get(&key()).unwrap_err().to_string();
        assert!(text.contains("before the answer was complete"), "{text}");
        assert_eq!(text.contains("https"), is_hinted, "{cut}: {text}");
        script.played();
    }
}

#[test]
fn nothing_but_an_answer_of_the_server_ends_a_wait_a_claim_or_a_watch() {
    let script = Script::new(&[
        page("304 Not Modified", "", ""),
        page("204 No Content", "", ""),
        page("200 OK", "", "data: x\n\n"),
    ]);
    let client = script.client();
    let until = Until::Differs(Revision::new(7));
    let waited = client.get_when(&key(), until, Duration::from_secs(5));
    let prefix = Prefix::parse("/").unwrap();
    let claimed = client.claim(&prefix, Duration::from_secs(60), None);
    let watched = client.watch(&prefix, WatchOptions::default()).next();
    for error in [
        waited.unwrap_err(),
        claimed.unwrap_err(),
        watched.unwrap().unwrap_err(),
    ] {
        assert!(matches!(error, Error::Foreign { .. }), "{error:?}");
    }
    script.played();
}

#[test]
fn a_body_that_a_proxy_does_not_pass_on_is_told_with_its_size_and_an_empty_one_is_not() {
    let page = page("413 Request Entity Too Large", "", "<title>413</title>");
    let script = Script::new(&[page.clone(), page.clone(), page]);
    let client = script.client();
    let error = client.set(&key(), &[0; 2_000], &SetOptions::default());
    let text = error.unwrap_err().to_string();
    assert!(text.contains("smaller than the 2000 bytes"), "{text}");
    let error = client.set(&key(), b"1", &SetOptions::default());
    let text = error.unwrap_err().to_string();
    assert!(text.contains("a body of 1 byte through"), "{text}");
    assert!(!text.contains("client_max_body_size"), "{text}");
    let text = client.get(&key()).unwrap_err().to_string();
    assert!(!text.contains("bytes"), "{text}");
    script.played();
}

#[test]
fn a_pause_that_is_longer_than_the_time_left_is_told_as_the_reason_to_give_up() {
    let limited = refusal(
        "429 Too Many Requests",
        "rate_limited",
        "Retry-After: 60\r\n",
    );
    let foreign = page("429 Too Many Requests", "Retry-After: 60\r\n", "slow down");
    for answer in [limited, foreign] {
        let script = Script::new(&[answer]);
        let client = script.client_with(|config| config.retry_for = Duration::from_secs(3));
        let text = client.get(&key()).unwrap_err().to_string();
        assert!(
            text.contains("has to wait 60 s (Retry-After), which is longer than the 3 s"),
            "{text}"
        );
        script.played();
    }
}
