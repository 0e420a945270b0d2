//! Conditional headers: each is evaluated, or refused by name, whatever the request.

use std::time::Duration;

use crate::common::{Answer, Client, Server};

/// Requests that depend on one key's state, so that conditions are evaluated.
const OF_A_KEY: [(&str, &str); 8] = [
    ("GET", "/kv/a"),
    ("HEAD", "/kv/a"),
    ("GET", "/kv/a?wait=10m"),
    ("POST", "/kv/a"),
    ("PUT", "/kv/a"),
    ("POST", "/kv/a?add=1"),
    ("DELETE", "/kv/a"),
    ("PUT", "/kv/a?ttl=1h"),
];

/// Requests that have no entity tag to compare with.
const OF_NO_KEY: [(&str, &str); 11] = [
    ("GET", "/kv?list"),
    ("HEAD", "/kv/a?list"),
    ("GET", "/kv/a?list&limit=1"),
    ("GET", "/kv?count"),
    ("GET", "/kv?count&at_least=9&wait=10m"),
    ("GET", "/kv?watch"),
    ("GET", "/kv?usage"),
    ("POST", "/kv/a?claim=1m"),
    ("POST", "/kv"),
    ("DELETE", "/kv/a?prefix"),
    ("GET", "/whoami"),
];

/// A date in the second in which the servers' clocks begin.
const NOW: &str = "Tue, 14 Nov 2023 22:13:20 GMT";
const EARLIER: &str = "Tue, 14 Nov 2023 22:13:19 GMT";

/// Sends a request with a condition, and a body that fits it.
fn ask(client: &Client, (method, path): (&str, &str), headers: &[(&str, &str)]) -> Answer {
    let batch: &[u8] = br#"{"if": [], "do": [{"set": "/b", "value": "1"}]}"#;
    let (media_type, body) = match (method, path) {
        ("POST", "/kv") => ("application/json", batch),
        ("POST" | "PUT", path) if !path.contains("add") && !path.contains("claim") => {
            ("text/plain", &b"2"[..])
        }
        _ => ("text/plain", &b""[..]),
    };
    let mut all = vec![("content-type", media_type)];
    all.extend_from_slice(headers);
    client.send(method, path, &all, body)
}

/// Demands a 400 that names the header, and shows how it is written where a form is asked for.
#[track_caller]
fn refused(answer: &Answer, request: (&str, &str), header: &str) -> String {
    assert_eq!(answer.status, 400, "{request:?} {header}");
    if request.0 == "HEAD" {
        return String::new();
    }
    let error = answer.error(400, "bad_request");
    let name = header.to_lowercase();
    assert!(
        error.to_lowercase().contains(&name),
        "{request:?} {header}: {error}"
    );
    error
}

#[test]
fn a_malformed_condition_is_refused_by_name_whatever_the_request() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/a", "1");
    for request in OF_A_KEY.into_iter().chain(OF_NO_KEY) {
        for (header, value) in [
            ("If-Match", "7"),
            ("If-Match", ""),
            ("If-Match", "\"7\" \"8\""),
            ("If-None-Match", "7"),
            ("If-None-Match", "\"7"),
            ("If-None-Match", "*, \"7\""),
            ("If-Modified-Since", "yesterday"),
            ("If-Unmodified-Since", "2023-11-14T22:13:20Z"),
        ] {
            let answer = ask(&alice, request, &[(header, value)]);
            refused(&answer, request, header);
        }
    }
    let error = ask(&alice, ("GET", "/kv/a?wait=10m"), &[("If-None-Match", "1")]);
    let error = error.error(400, "bad_request");
    assert!(error.contains("If-None-Match: \"7\""), "{error}");
    assert_eq!(alice.get("/kv/a").text(), "1", "nothing was changed");
    assert_eq!(alice.get("/kv?count").text(), "{\"count\":1}");
}

#[test]
fn a_request_that_has_nothing_to_compare_refuses_every_condition_by_name() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/a", "1");
    for request in OF_NO_KEY {
        for (header, value) in [
            ("If-Match", "*"),
            ("If-Match", "\"1\""),
            ("If-None-Match", "*"),
            ("If-None-Match", "W/\"1\""),
            ("If-Modified-Since", NOW),
            ("If-Unmodified-Since", NOW),
        ] {
            refused(&ask(&alice, request, &[(header, value)]), request, header);
        }
    }
    assert_eq!(alice.get("/kv/a").header("etag"), "\"1\"");
}

#[test]
fn a_read_evaluates_lists_weak_tags_several_lines_and_dates() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/a", "1");
    let cases: [(u16, &[(&str, &str)]); 21] = [
        (200, &[("if-match", "\"1\"")]),
        (200, &[("if-match", "W/\"1\"")]),
        (200, &[("if-match", "\"1-gzip\"")]),
        (200, &[("if-match", "\"9\", \"1\"")]),
        (200, &[("if-match", "\"9\""), ("if-match", "\"1\"")]),
        (200, &[("if-match", "*")]),
        (412, &[("if-match", "\"9\"")]),
        (412, &[("if-match", "\"abc\"")]),
        (304, &[("if-none-match", "\"1\"")]),
        (304, &[("if-none-match", "W/\"1\"")]),
        (304, &[("if-none-match", "\"9\",\"1-gzip\"")]),
        (
            304,
            &[("if-none-match", "\"9\""), ("if-none-match", "\"1\"")],
        ),
        (304, &[("if-none-match", "*")]),
        (200, &[("if-none-match", "\"9\"")]),
        (200, &[("if-none-match", "\"abc\"")]),
        (304, &[("if-modified-since", NOW)]),
        (200, &[("if-modified-since", EARLIER)]),
        (
            200,
            &[("if-modified-since", NOW), ("if-none-match", "\"9\"")],
        ),
        (200, &[("if-unmodified-since", NOW)]),
        (412, &[("if-unmodified-since", EARLIER)]),
        (
            200,
            &[("if-unmodified-since", EARLIER), ("if-match", "\"1\"")],
        ),
    ];
    for (status, headers) in cases {
        // The second read of the key is answered from memory, on the fast path.
        for method in ["GET", "GET", "HEAD"] {
            let answer = alice.send(method, "/kv/a", headers, b"");
            assert_eq!(answer.status, status, "{method} {headers:?}");
            if status == 304 {
                assert_eq!(answer.header("etag"), "\"1\"");
            }
        }
    }
    // A key that does not exist is 404 whatever is demanded of it (RFC 9110, section 13.2.1).
    for headers in [[("if-match", "\"1\"")], [("if-none-match", "*")]] {
        alice
            .send("GET", "/kv/absent", &headers, b"")
            .error(404, "no_such_key");
    }
}

#[test]
fn a_wait_is_not_woken_by_tags_that_a_proxy_changed_and_takes_no_date() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/a", "1");
    for tags in ["\"1\"", "W/\"1\"", "\"1-gzip\"", "\"0\", \"1\"", "*"] {
        let answer = std::thread::scope(|scope| {
            let asked =
                scope.spawn(|| alice.send("GET", "/kv/a?wait=1m", &[("if-none-match", tags)], b""));
            while server.long_polls() == 0 {
                std::thread::yield_now();
                assert!(!asked.is_finished(), "{tags} answered at once");
            }
            server.clock.advance(Duration::from_secs(60));
            asked.join().unwrap()
        });
        assert_eq!(answer.status, 304, "{tags}");
    }
    let since = [("if-modified-since", NOW)];
    let refused = alice.send("GET", "/kv/a?wait=1m", &since, b"");
    let error = refused.error(400, "bad_request");
    assert!(
        error.contains("If-Modified-Since") && error.contains("wait"),
        "{error}"
    );
}

/// Headers that demand the revision of this tag, in one of the ways to write it.
type Form = fn(&str) -> Vec<(&'static str, String)>;

#[test]
fn a_write_evaluates_lists_weak_tags_and_several_lines() {
    let server = Server::start();
    let alice = server.user("alice");
    for request in [
        ("POST", "/kv/a"),
        ("PUT", "/kv/a"),
        ("POST", "/kv/a?add=1"),
        ("DELETE", "/kv/a"),
        ("POST", "/kv/a?renew=1m"),
        ("POST", "/kv/a?release"),
    ] {
        let worker = request.1.contains("renew") || request.1.contains("release");
        let forms: [Form; 6] = [
            |tag| vec![("if-match", format!("\"{tag}\""))],
            |tag| vec![("if-match", format!("W/\"{tag}\""))],
            |tag| vec![("if-match", format!("\"{tag}-gzip\""))],
            |tag| vec![("if-match", format!("\"1000000\", \"{tag}\", \"abc\""))],
            |tag| {
                vec![
                    ("if-match", format!("\"{tag}\"")),
                    ("if-match", "\"5\"".to_owned()),
                ]
            },
            |tag| {
                let beside = ("if-unmodified-since", EARLIER.to_owned());
                vec![("if-match", format!("\"{tag}\"")), beside]
            },
        ];
        for form in forms {
            // A new key each time, so that a claim finds it free.
            alice.delete("/kv?prefix");
            alice.set("/kv/a", "1");
            let current = if worker {
                alice.post("/kv/a?claim=1m", "")
            } else {
                alice.get("/kv/a")
            };
            let tag = current.header("etag").trim_matches('"').to_owned();
            for wrong in ["999999", "abc", ""] {
                let headers = form(wrong);
                let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
                let answer = ask_plainly(&alice, request, &headers);
                answer.error(412, "precondition_failed");
            }
            let headers = form(&tag);
            let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            let answer = ask_plainly(&alice, request, &headers);
            assert!(answer.status < 300, "{request:?} {headers:?}: {answer:?}");
        }
        alice.set("/kv/a", "1");
        for (header, value) in [
            ("If-None-Match", "\"1\""),
            ("If-Unmodified-Since", NOW),
            ("If-Modified-Since", NOW),
        ] {
            let answer = ask_plainly(&alice, request, &[(header, value)]);
            refused(&answer, request, header);
        }
    }
}

/// Sends a write, with a body where it takes one.
fn ask_plainly(client: &Client, (method, path): (&str, &str), headers: &[(&str, &str)]) -> Answer {
    let takes_body = method != "DELETE" && !path.contains('?');
    let body: &[u8] = if takes_body { b"2" } else { b"" };
    client.send(method, path, headers, body)
}

#[test]
fn absence_and_presence_are_demanded_with_a_star() {
    let server = Server::start();
    let alice = server.user("alice");
    for request in [("POST", "/kv/a"), ("PUT", "/kv/a"), ("POST", "/kv/a?add=1")] {
        alice.delete("/kv/a");
        let present = [("if-match", "*")];
        ask_plainly(&alice, request, &present).error(412, "precondition_failed");
        let absent = [("if-none-match", "*")];
        assert!(ask_plainly(&alice, request, &absent).status < 300);
        ask_plainly(&alice, request, &absent).error(412, "precondition_failed");
        assert!(ask_plainly(&alice, request, &present).status < 300);
    }
}

#[test]
fn a_date_that_does_not_hold_is_answered_with_the_date_of_the_value() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/a", "1");
    let condition = [("If-Unmodified-Since", EARLIER)];
    let error = alice.send("GET", "/kv/a", &condition, b"");
    let error = error.error(412, "precondition_failed");
    assert!(
        error.contains(NOW) && error.contains("If-Unmodified-Since"),
        "{error}"
    );
}
