//! The short way for reads: its answers are the router's.

use std::time::Duration;

use crate::common::{Server, TOKEN_LASTS};

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
    let answer = server.raw(request.as_bytes());
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
