//! Values, their metadata, and conditional reads.

use std::io::Write as _;
use std::time::Duration;

use serde_json::json;

use crate::common::{START, Server};

#[test]
fn bytes_come_back_exactly_as_they_went_in() {
    let server = Server::start();
    let alice = server.user("alice");
    let every_byte: Vec<u8> = (0..=255).collect();
    for (value, media_type) in [
        (&b""[..], "text/plain; charset=utf-8"),
        (b"example string", "text/plain; charset=utf-8"),
        ("gr\u{fc}n 🦀\r\n\0".as_bytes(), "text/plain; charset=utf-8"),
        (b"\xff\xfe", "application/octet-stream"),
        (&every_byte, "application/octet-stream"),
    ] {
        alice.set("/kv/a", value);
        let answer = alice.get("/kv/a");
        assert_eq!(answer.body, value);
        assert_eq!(answer.header("content-type"), media_type);
        assert_eq!(answer.header("content-length"), value.len().to_string());
    }
}

#[test]
fn a_form_type_is_not_parsed() {
    let server = Server::start();
    let alice = server.user("alice");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(
        alice.send("POST", "/kv/a", &form, b"x=1&y=%20+").status,
        201
    );
    assert_eq!(alice.get("/kv/a").text(), "x=1&y=%20+");
}

#[test]
fn a_value_has_up_to_16384_bytes_however_its_length_is_told() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/a", vec![b'x'; 16_384]);
    assert_eq!(alice.get("/kv/a").body.len(), 16_384);

    let error = alice
        .post("/kv/a", vec![b'y'; 16_385])
        .error(413, "value_too_large");
    assert!(
        error.contains("16385") && error.contains("16384"),
        "{error}"
    );
    let far = alice.post("/kv/a", vec![b'y'; 3_000_000]);
    assert!(far.error(413, "value_too_large").contains("3000000"));

    let token = server.token("alice");
    let chunked = |bytes: usize| {
        let head = format!(
            "POST /prominence/v1/kv/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
             Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{bytes:x}\r\n"
        );
        let body = "z".repeat(bytes);
        server.raw(format!("{head}{body}\r\n0\r\n\r\n").as_bytes())
    };
    let refused = chunked(16_385);
    assert!(refused.starts_with("HTTP/1.1 413"), "{refused}");
    assert!(refused.contains("more than 16384 bytes"), "{refused}");
    assert_eq!(alice.get("/kv/a").body, vec![b'x'; 16_384]);
    assert!(chunked(16_384).starts_with("HTTP/1.1 201"));
    assert_eq!(alice.get("/kv/a").body, vec![b'z'; 16_384]);
}

#[test]
fn a_lying_content_length_stores_nothing() {
    let server = Server::start();
    let alice = server.user("alice");
    let mut stream = server.connect();
    let token = server.token("alice");
    let head = format!(
        "POST /prominence/v1/kv/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: 10\r\n\r\nonly 6"
    );
    stream.write_all(head.as_bytes()).unwrap();
    drop(stream);
    // The next request is answered after the server has seen the first one's end.
    alice.set("/kv/b", "1");
    assert_eq!(alice.list("/kv?list"), json!(["/b"]));
    let none = head.replace("Content-Length: 10", "Content-Length: -1");
    assert!(server.raw(none.as_bytes()).starts_with("HTTP/1.1 400"));
    let two = head.replace(
        "Content-Length: 10",
        "Content-Length: 4\r\nContent-Length: 5",
    );
    assert!(server.raw(two.as_bytes()).starts_with("HTTP/1.1 400"));
    assert_eq!(alice.list("/kv?list"), json!(["/b"]));
}

#[test]
fn a_read_carries_the_revision_and_what_else_is_known() {
    let server = Server::start();
    let job = server.with_token(&server.token_for("alice", "", Some("job 17")));
    let set = job.post("/kv/a?ttl=90s", "1");
    let revision = set.json()["revision"].clone();
    assert_eq!(set.json(), json!({"key": "/a", "revision": revision}));
    assert_eq!(set.header("etag"), format!("\"{revision}\""));
    for method in ["GET", "HEAD"] {
        let answer = job.send(method, "/kv/a", &[], b"");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("etag"), format!("\"{revision}\""));
        assert_eq!(
            answer.header("last-modified"),
            "Tue, 14 Nov 2023 22:13:20 GMT"
        );
        assert_eq!(
            answer.header("prominence-created"),
            "2023-11-14T22:13:20.000Z"
        );
        assert_eq!(
            answer.header("prominence-expires"),
            "2023-11-14T22:14:50.000Z"
        );
        assert_eq!(answer.header("prominence-job"), "job 17");
        assert_eq!(answer.header("prominence-claimed-until"), "");
        assert_eq!(answer.header("cache-control"), "private, no-cache");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("content-length"), "1");
        assert_eq!(answer.text(), if method == "GET" { "1" } else { "" });
    }
}

#[test]
fn a_reader_that_has_the_current_revision_gets_304() {
    let server = Server::start();
    let alice = server.user("alice");
    let tag = alice.post("/kv/a", "1").header("etag").to_owned();
    let get = |name, tags: &str| alice.send("GET", "/kv/a", &[(name, tags)], b"");
    let same = get("if-none-match", &tag);
    assert_eq!((same.status, same.text().as_str()), (304, ""));
    assert_eq!(same.header("etag"), tag);
    assert_eq!(get("if-none-match", "\"0\"").status, 200);
    assert_eq!(get("if-match", &tag).status, 200);
    get("if-match", "\"0\"").error(412, "precondition_failed");
    alice.set("/kv/a", "2");
    assert_eq!(get("if-none-match", &tag).text(), "2");
    alice.delete("/kv/a");
    get("if-none-match", &tag).error(404, "no_such_key");
}

#[test]
fn an_expired_key_is_gone_from_its_instant_on() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/a?ttl=10", "1");
    alice.set("/kv/b?ttl=10", "1");
    alice.set("/kv/b", "permanent again");
    server.clock.advance(Duration::from_millis(9_999));
    assert_eq!(alice.get("/kv/a").status, 200);
    server.clock.advance(Duration::from_millis(1));
    alice.get("/kv/a").error(404, "no_such_key");
    assert_eq!(alice.list("/kv?list"), json!(["/b"]));
    assert_eq!(alice.list("/kv?list&count"), json!({"count": 1}));
    assert_eq!(alice.get("/kv?usage").json()["keys"], 1);
}

#[test]
fn ttl_job_lasts_as_long_as_the_token() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/a?ttl=job", "1");
    let expires = alice.get("/kv/a").header("prominence-expires").to_owned();
    assert_eq!(expires, "2023-11-14T23:13:20.000Z");
    server.clock.advance(Duration::from_secs(3_600));
    server.user("alice").get("/kv/a").error(404, "no_such_key");
}

#[test]
fn a_value_was_never_modified_later_than_the_answer_is_dated() {
    let server = Server::start();
    let alice = server.user("alice");
    server.clock.advance(Duration::from_secs(600));
    alice.set("/kv/a", "1");
    // As after a step of the machine's clock.
    server.clock.set(START);
    // The second read takes another way, as its token is known.
    for _ in 0..2 {
        let answer = alice.get("/kv/a");
        assert_eq!(
            answer.header("last-modified"),
            "Tue, 14 Nov 2023 22:13:20 GMT"
        );
        assert_eq!(answer.header("date"), answer.header("last-modified"));
        assert_eq!(
            answer.header("prominence-modified"),
            "2023-11-14T22:23:20.000Z"
        );
    }
    server.clock.advance(Duration::from_secs(601));
    let answer = alice.get("/kv/a");
    assert_eq!(
        answer.header("last-modified"),
        "Tue, 14 Nov 2023 22:23:20 GMT"
    );
}
