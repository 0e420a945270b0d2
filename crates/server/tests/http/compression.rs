//! Listings in gzip and zstd, and answers that are never compressed.

use std::io::Read as _;

use serde_json::{Value, json};

use crate::common::{Answer, Client, Server};

/// Keys enough for several parts.
const KEYS: usize = 4_000;

fn filled(server: &Server) -> Client {
    let alice = server.user("alice");
    for number in 0..KEYS {
        alice.set(&format!("/kv/many/{number:05}"), "1");
    }
    alice.set("/kv/few/a", "1");
    alice
}

fn ask(client: &Client, method: &str, path: &str, coding: &str) -> Answer {
    client.send(method, path, &[("accept-encoding", coding)], b"")
}

fn decoded(answer: &Answer) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut body = &answer.body[..];
    match answer.header("content-encoding") {
        "gzip" => flate2::read::GzDecoder::new(body)
            .read_to_end(&mut plain)
            .unwrap(),
        "zstd" => zstd::stream::read::Decoder::new(body)
            .unwrap()
            .read_to_end(&mut plain)
            .unwrap(),
        "" => body.read_to_end(&mut plain).unwrap(),
        other => panic!("{other}"),
    };
    plain
}

#[test]
fn a_listing_is_compressed_where_the_request_accepts_it() {
    let server = Server::start();
    let alice = filled(&server);
    // In parts, and as a whole.
    for path in ["/kv/many/?list", "/kv/many/?list&limit=1000&detail"] {
        let plain = alice.get(path);
        assert_eq!(plain.header("content-encoding"), "");
        for (accepted, coding) in [
            ("gzip", "gzip"),
            ("gzip, deflate, br, zstd", "zstd"),
            ("deflate, gzip;q=0.5", "gzip"),
        ] {
            let answer = ask(&alice, "GET", path, accepted);
            assert_eq!(answer.header("content-encoding"), coding, "{path}");
            assert_eq!(answer.header("content-type"), "application/json");
            let revision = answer.header("prominence-revision");
            assert_eq!(revision, plain.header("prominence-revision"));
            assert_eq!(answer.header("link"), plain.header("link"));
            assert_eq!(decoded(&answer), plain.body, "{path} {coding}");
            let (bytes, of) = (answer.body.len(), plain.body.len());
            assert!(bytes * 2 < of, "{path} {coding}: {bytes} of {of}");
        }
        for refused in ["identity", "br", "gzip;q=0", ""] {
            let answer = ask(&alice, "GET", path, refused);
            assert_eq!(answer.header("content-encoding"), "", "{refused}");
            assert_eq!(answer.body, plain.body);
        }
        let vary = plain.header("vary").to_owned();
        assert!(vary.contains("accept-encoding"), "{vary}");
    }
    let lines = [
        ("accept-encoding", "gzip"),
        ("accept", "application/x-ndjson"),
    ];
    let answer = alice.send("GET", "/kv/many/?list", &lines, b"");
    let text = String::from_utf8(decoded(&answer)).unwrap();
    assert_eq!(text.lines().count(), KEYS);
}

#[test]
fn answers_that_are_small_or_no_listings_are_never_compressed() {
    let server = Server::start();
    let alice = filled(&server);
    let large = "v".repeat(10_000);
    alice.set("/kv/large", &large);
    for (method, path, status) in [
        ("GET", "/kv/few/?list", 200),
        ("GET", "/kv/large", 200),
        ("HEAD", "/kv/large", 200),
        ("GET", "/kv/absent", 404),
        ("GET", "/kv?list&limit=0", 400),
        ("GET", "/kv?count", 200),
        ("GET", "/kv?usage", 200),
        ("GET", "/whoami", 200),
        ("POST", "/kv/large?claim=1m", 200),
    ] {
        let answer = ask(&alice, method, path, "gzip, zstd");
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.header("content-encoding"), "", "{method} {path}");
    }
    assert_eq!(ask(&alice, "GET", "/kv/large", "gzip").text(), large);
    let watch = alice.open("GET", "/kv?watch", &[("accept-encoding", "gzip")], b"");
    assert_eq!(watch.status(), 200);
    assert!(watch.headers().get("content-encoding").is_none());
}

#[test]
fn users_get_their_own_keys_compressed() {
    let server = Server::start();
    let alice = filled(&server);
    let other = server.user("alice2");
    let keys: Vec<_> = (0..200).map(|number| format!("/own/{number}")).collect();
    for key in &keys {
        other.set(&format!("/kv{key}"), "1");
    }
    let listed = |client: &Client| -> Value {
        let answer = ask(client, "GET", "/kv?list", "gzip");
        assert_eq!(answer.header("content-encoding"), "gzip");
        serde_json::from_slice(&decoded(&answer)).unwrap()
    };
    let mut sorted = keys;
    sorted.sort();
    assert_eq!(listed(&other), json!(sorted));
    assert_eq!(listed(&alice).as_array().unwrap().len(), KEYS + 1);
}

#[test]
fn the_files_of_the_page_are_compressed_and_each_coding_has_a_tag_of_its_own() {
    let server = Server::start();
    let nobody = server.anonymous();
    for path in ["//", "//web/main.js"] {
        let plain = ask(&nobody, "GET", path, "identity");
        assert_eq!(plain.header("content-encoding"), "");
        let mut tags = vec![plain.header("etag").to_owned()];
        for coding in ["gzip", "zstd", "gzip"] {
            let answer = ask(&nobody, "GET", path, coding);
            assert_eq!(answer.header("content-encoding"), coding, "{path}");
            assert_eq!(answer.header("vary"), "accept-encoding");
            assert_eq!(decoded(&answer), plain.body, "{path}");
            assert!(answer.body.len() < plain.body.len() * 2 / 3, "{path}");
            tags.push(answer.header("etag").to_owned());
        }
        assert_eq!(tags[1], tags[3]);
        tags.truncate(3);
        for tag in &tags {
            let headers = [("accept-encoding", "zstd"), ("if-none-match", tag)];
            let answer = nobody.send("GET", path, &headers, b"");
            assert_eq!((answer.status, answer.body.len()), (304, 0), "{tag}");
        }
        tags.sort();
        tags.dedup();
        assert_eq!(tags.len(), 3);
    }
    let icon = ask(&nobody, "GET", "//web/icon.svg", "gzip");
    assert_eq!(icon.header("content-encoding"), "", "too small");
}
