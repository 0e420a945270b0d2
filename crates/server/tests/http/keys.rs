//! Keys as they come in paths.

use serde_json::json;

use crate::common::Server;

#[test]
fn a_key_is_the_same_however_its_path_is_written() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv//a/b", "1");
    for path in [
        "/kv/a/b",
        "/kv//a//b",
        "/kv/%61/b",
        "/kv/a%2Fb",
        "/kv/a%2fb",
    ] {
        assert_eq!(alice.get(path).text(), "1", "{path}");
    }
    assert_eq!(alice.list("/kv?list"), json!(["/a/b"]));
}

#[test]
fn any_legal_key_works_and_is_listed_as_it_is() {
    let server = Server::start();
    let alice = server.user("alice");
    let keys = [
        ("/100%", "/kv/100%25"),
        ("/a b", "/kv/a%20b"),
        ("/a#b", "/kv/a%23b"),
        ("/a+b", "/kv/a+b"),
        ("/a?b", "/kv/a%3Fb"),
        ("/e\u{301}", "/kv/e%CC%81"),
        // The control characters that some terminals know beside those of ASCII.
        ("/\u{80}", "/kv/%C2%80"),
        ("/\u{9f}", "/kv/%C2%9F"),
        ("/\u{10ffff}", "/kv/%F4%8F%BF%BF"),
        ("/é", "/kv/%C3%A9"),
        ("/🦀", "/kv/%F0%9F%A6%80"),
    ];
    for (key, path) in keys {
        alice.set(path, key);
    }
    for (key, path) in keys {
        assert_eq!(alice.get(path).text(), key);
    }
    let mut listed: Vec<_> = keys.iter().map(|(key, _)| *key).collect();
    listed.sort_unstable();
    assert_eq!(alice.list("/kv?list"), json!(listed));
}

#[test]
fn unencoded_utf8_in_the_request_line_is_taken_as_it_is_meant() {
    let server = Server::start();
    let token = server.token("alice");
    let request = format!(
        "GET /prominence/v1/kv/é HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Connection: close\r\n\r\n"
    );
    server.user("alice").set("/kv/%C3%A9", "yes");
    assert!(server.raw(request.as_bytes()).ends_with("\r\n\r\nyes"));
}

#[test]
fn malformed_keys_are_refused_with_the_reason_and_nothing_changes() {
    let server = Server::start();
    let alice = server.user("alice");
    for (path, word) in [
        ("/kv/a%00b", "U+0000"),
        ("/kv/%7F", "U+007F"),
        ("/kv/a%0Ab", "U+000A"),
        ("/kv/a/../b", "\"..\""),
        ("/kv/%2e%2e/b", "\"..\""),
        ("/kv/.", "\".\""),
        ("/kv/a%2", "%"),
        ("/kv/a%zz", "%"),
        ("/kv/a%ff", "UTF-8"),
        ("/kv/a/", "ends in"),
        ("/kv/a%2F", "ends in"),
    ] {
        for (method, body) in [("GET", ""), ("POST", "x"), ("PUT", "x"), ("DELETE", "")] {
            let error = alice
                .send(method, path, &[], body.as_bytes())
                .error(400, "bad_key");
            assert!(error.contains(word), "{method} {path}: {error}");
        }
    }
    for path in ["/kv/%2e%2e?prefix", "/kv/a%ff?prefix", "/kv/%00?prefix"] {
        alice.delete(path).error(400, "bad_key");
    }
    alice.post("/kv/%2F", "x").error(400, "bad_key");
    for path in ["/kv", "/kv/"] {
        let answer = alice.put(path, "x");
        let error = answer.error(405, "method_not_allowed");
        assert!(error.contains("/kv/KEY"), "{error}");
        assert!(!answer.header("allow").contains("PUT"), "{answer:?}");
    }
    assert_eq!(alice.list("/kv?list"), json!([]));
}

#[test]
fn a_key_has_up_to_1024_bytes() {
    let server = Server::start();
    let alice = server.user("alice");
    // 341 three-byte characters and the leading slash.
    let longest = format!("/kv/{}", "%E2%82%AC".repeat(341));
    alice.set(&longest, "x");
    assert_eq!(alice.get(&longest).text(), "x");
    let error = alice
        .post(&format!("{longest}a"), "x")
        .error(400, "bad_key");
    assert!(error.contains("1025") && error.contains("1024"), "{error}");
    alice.get(&format!("{longest}a?list")).error(400, "bad_key");
}
