//! The short ways for reads and sets: their answers are the router's.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::time::Duration;

use crate::common::{Server, Setup, TOKEN_LASTS};

/// The answer's head without what differs from one answer to the next, and its body.
fn read(server: &Server, path: &str, token: &str, more: &str, body: &str) -> String {
    let length = if body.is_empty() {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    let request = format!(
        "GET /prominence/v1/kv{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         X-Request-Id: same\r\n{more}{length}Connection: close\r\n\r\n{body}"
    );
    without_date(&server.raw(request.as_bytes()))
}

/// An answer without what differs from one to the next; its headers in alphabetical order.
fn without_date(answer: &str) -> String {
    let (head, rest) = answer.split_once("\r\n\r\n").unwrap();
    let lines = head.lines().filter(|line| !line.starts_with("date:"));
    let mut lines: Vec<_> = lines.map(str::to_lowercase).collect();
    lines[1..].sort_unstable();
    format!("{}\n\n{rest}", lines.join("\n"))
}

#[test]
fn a_read_that_memory_answers_is_answered_as_the_router_answers_it() {
    let server = Server::start();
    let job = server.token_for("alice", "", Some("job 7"));
    let alice = server.with_token(&job);
    alice.set("/kv/text", "é");
    alice.set("/kv/bytes", b"\xff\x00");
    alice.set("/kv/empty", "");
    alice.set("/kv/lasting?ttl=1h", "x");
    alice.set("/kv/in/side", "x");
    let narrow = server.token_for("alice", "storage.read:/in", None);
    let conditions = [
        "",
        "If-None-Match: \"1\"\r\n",
        "If-None-Match: \"999\"\r\n",
        "If-Match: \"1\"\r\n",
        "If-Match: \"999\"\r\n",
        "If-None-Match: \"1\"\r\nIf-None-Match: \"2\"\r\n",
        "If-None-Match: 1\r\n",
        "If-None-Match: W/\"1\", \"2\"\r\n",
        "If-Match: \"1-gzip\"\r\n",
        "If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n",
        "If-Modified-Since: yesterday\r\n",
        "If-Unmodified-Since: Tue, 14 Nov 2023 22:13:19 GMT\r\n",
    ];
    for path in [
        "/text",
        "//text",
        "/%74ext",
        "/bytes",
        "/empty",
        "/lasting",
        "/in/side",
        "/absent",
        "/",
        "/text/",
        "/%zz",
        "/text?list",
        "",
    ] {
        for token in [&job, &narrow, &format!("{job}x")] {
            for more in conditions {
                // A request with a body always takes the long way.
                let long = read(&server, path, token, more, "x");
                for _ in 0..2 {
                    let short = read(&server, path, token, more, "");
                    assert_eq!(short, long, "{path} {more}");
                }
            }
        }
    }
}

#[test]
fn what_memory_holds_ends_with_the_key_the_value_and_the_token() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/a", "1");
    alice.set("/kv/short?ttl=10s", "1");
    for _ in 0..2 {
        assert_eq!(alice.get("/kv/a").text(), "1");
        assert_eq!(alice.get("/kv/short").text(), "1");
    }
    alice.set("/kv/a", "2");
    assert_eq!(alice.get("/kv/a").text(), "2");
    assert_eq!(alice.get("/kv/a").text(), "2");
    assert_eq!(alice.delete("/kv/a").status, 200);
    alice.get("/kv/a").error(404, "no_such_key");

    server.clock.advance(Duration::from_secs(10));
    alice.get("/kv/short").error(404, "no_such_key");
    server.clock.advance(TOKEN_LASTS);
    alice.get("/kv/short").error(401, "unauthenticated");
}

#[test]
fn nobody_is_answered_from_what_memory_holds_for_another() {
    let server = Server::start();
    let (alice, bob) = (server.user("alice"), server.user("alice2"));
    alice.set("/kv/a", "hers");
    for _ in 0..2 {
        assert_eq!(alice.get("/kv/a").text(), "hers");
        bob.get("/kv/a").error(404, "no_such_key");
        let outside = server.token_for("alice", "storage.read:/b", None);
        let narrow = server.with_token(&outside);
        narrow.get("/kv/a").error(403, "forbidden");
    }
}

/// Sends a set and gives the whole answer but its date.
fn set(
    server: &Server,
    (method, path): (&str, &str),
    token: &str,
    more: &str,
    body: &str,
) -> String {
    let length = body.len();
    let request = format!(
        "{method} /prominence/v1/kv{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         X-Request-Id: same\r\n{more}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    without_date(&server.raw(request.as_bytes()))
}

/// The number of sets that were answered, by method and status.
fn counted(server: &Server) -> Vec<String> {
    let metrics = server.user("monitor").get("//metrics").text();
    let sets = ["PUT", "POST"].map(|method| format!("{method:?}"));
    let lines = metrics.lines().filter(|line| {
        let is_set = sets.iter().any(|method| line.contains(method.as_str()));
        is_set && line.starts_with("prominence_http_requests_total")
    });
    let mut lines: Vec<_> = lines.map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_set_that_takes_the_short_way_does_and_answers_what_the_router_does() {
    let start = || {
        let mut setup = Setup::default();
        setup.bounds.value_bytes = 100;
        setup.bounds.quota.keys = 5;
        Server::with(setup)
    };
    let (short, long) = (start(), start());
    let job = short.token_for("alice", "", Some("job 7"));
    let create = short.token_for("alice", "storage.create:/new", None);
    let read = short.token_for("alice", "storage.read:/", None);
    for server in [&short, &long] {
        for token in [&job, &create, &read] {
            // From its second request on, a token is known.
            assert_eq!(server.with_token(token).get("/whoami").status, 200);
        }
    }
    let headers = [
        "",
        "If-None-Match: *\r\n",
        "If-Match: *\r\n",
        "If-Match: \"1\"\r\n",
        "If-Match: \"1\", \"2\", \"3\", \"4\"\r\n",
        "If-Match: \"999\"\r\n",
        "If-Match: 1\r\n",
        "If-Match: *\r\nIf-None-Match: *\r\n",
        "If-None-Match: \"1\"\r\n",
        "If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n",
        "If-Unmodified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n",
        "If-None-Match: *\r\nProminence-Write-Id: w\r\n",
        "If-Match: *\r\nProminence-Write-Id: w\r\nProminence-Write-Id: w\r\n",
        "Prominence-Write-Id: w\r\n",
        "Content-Type: application/json\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Host: y\r\n",
        "Authorization: Bearer x\r\n",
        "Upgrade: h2c\r\n",
    ];
    let large = "x".repeat(101);
    for path in [
        "/a", "//a", "/%61", "/new/b", "/c", "/é", "/d/", "/..", "/%zz", "/e", "/f", "/g",
    ] {
        for token in [&job, &create, &read, &format!("{job}x")] {
            // All of them at one key that exists and one that a token may create.
            let all = path == "/a" || *token == create && path == "/new/b";
            for more in &headers[..if all { headers.len() } else { 2 }] {
                for (method, body) in [("POST", "1"), ("PUT", "2"), ("PUT", ""), ("POST", &large)] {
                    let asked = format!("{method} {path} {more}");
                    let by_short = set(&short, (method, path), token, more, body);
                    // A query, though an empty one, always takes the long way.
                    let queried = format!("{path}?&");
                    let by_long = set(&long, (method, &queried), token, more, body);
                    assert_eq!(by_short, by_long, "{asked}");
                }
            }
        }
    }
    let kept = |server: &Server| server.with_token(&job).list("/kv?list&values&detail");
    assert_eq!(kept(&short), kept(&long));
    assert_eq!(kept(&short).as_array().unwrap().len(), 5);
    assert_eq!(counted(&short).len(), 10);
    assert_eq!(counted(&short), counted(&long));
}

#[test]
fn a_body_that_ends_early_or_late_is_refused_alike_by_both_ways() {
    let mut setup = Setup::default();
    setup.bounds.body_within = Duration::from_millis(200);
    let server = Server::with(setup);
    let alice = server.token("alice");
    server.with_token(&alice).set("/kv/a", "1");
    let head = |path: &str| {
        format!(
            "PUT /prominence/v1/kv/a{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice}\r\n\
             X-Request-Id: same\r\nContent-Length: 5\r\n\r\nab"
        )
    };
    for (ends, status) in [(true, "400"), (false, "408")] {
        let answers = ["", "?&"].map(|path| {
            let mut stream = server.connect();
            stream.write_all(head(path).as_bytes()).unwrap();
            if ends {
                stream.shutdown(Shutdown::Write).unwrap();
            }
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            without_date(&answer)
        });
        assert!(
            answers[0].starts_with(&format!("http/1.1 {status}")),
            "{}",
            answers[0]
        );
        assert_eq!(answers[0], answers[1]);
    }
    assert_eq!(server.with_token(&alice).get("/kv/a").text(), "1");
}
