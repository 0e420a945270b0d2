//! Listings, pages and counts.

use serde_json::{Value, json};

use crate::common::{Client, Server};

fn filled(server: &Server) -> Client {
    let alice = server.user("alice");
    for (key, value) in [
        ("/kv/input/a", &b"1"[..]),
        ("/kv/input/b", b"\xff"),
        ("/kv/input/deep/er/c", b"3"),
        ("/kv/inside", b"4"),
        ("/kv/_internal_/x", b"5"),
        ("/kv/out", b"6"),
    ] {
        alice.set(key, value);
    }
    alice
}

#[test]
fn a_listing_shows_the_keys_that_begin_with_the_prefix_in_byte_order() {
    let server = Server::start();
    let alice = filled(&server);
    let all = json!([
        "/input/a",
        "/input/b",
        "/input/deep/er/c",
        "/inside",
        "/out"
    ]);
    for path in ["/kv?list", "/kv/?list=true", "/kv//?list=1", "/kv?list="] {
        assert_eq!(alice.list(path), all, "{path}");
    }
    assert_eq!(
        alice.list("/kv/input/?list"),
        json!(["/input/a", "/input/b", "/input/deep/er/c"])
    );
    assert_eq!(alice.list("/kv/ins?list"), json!(["/inside"]));
    assert_eq!(alice.list("/kv/nothing?list"), json!([]));
    assert_eq!(alice.list("/kv/_internal_/?list"), json!(["/_internal_/x"]));
    assert_eq!(server.user("nobody").list("/kv?list"), json!([]));
}

#[test]
fn values_and_details_come_with_the_keys() {
    let server = Server::start();
    let alice = filled(&server);
    assert_eq!(
        alice.list("/kv/in?list&values&limit=2"),
        json!([{"/input/a": "1"}, {"/input/b": {"base64": "/w=="}}])
    );
    let details = alice.list("/kv/input/?list&detail&delimiter=/");
    let first = &details[0];
    assert_eq!(first["key"], "/input/a");
    assert_eq!(
        (first["size"].clone(), first.get("expires")),
        (json!(1), None)
    );
    assert_eq!(first["created"], "2023-11-14T22:13:20.000Z");
    assert!(first["revision"].is_u64() && first.get("value").is_none());
    assert_eq!(details[2], json!({"prefix": "/input/deep/"}));
    let both = alice.list("/kv/input/?list&detail&values");
    assert_eq!(both[0]["value"], "1");
    assert_eq!(both[1]["value_base64"], "/w==");
}

#[test]
fn one_level_folds_what_is_deeper() {
    let server = Server::start();
    let alice = filled(&server);
    let level = |path: &str| alice.list(&format!("/kv{path}?list&delimiter=/"));
    assert_eq!(level(""), json!(["/input/", "/inside", "/out"]));
    assert_eq!(
        level("/input/"),
        json!(["/input/a", "/input/b", "/input/deep/"])
    );
    assert_eq!(level("/in"), json!(["/input/", "/inside"]));
    let error = alice.get("/kv?list&delimiter=,").error(400, "bad_request");
    assert!(error.contains("delimiter"), "{error}");
}

/// Follows the `Link` headers from a first page on.
fn pages(client: &Client, first: &str) -> Vec<Value> {
    let mut pages = Vec::new();
    let mut path = first.to_owned();
    let page = first.split('?').next().unwrap();
    loop {
        let answer = client.get(&path);
        assert_eq!(answer.status, 200, "{}", answer.text());
        pages.push(answer.json());
        let link = answer.header("link");
        if link.is_empty() {
            return pages;
        }
        // A query alone is relative to the page's own address, wherever a proxy puts that.
        let query = link.strip_prefix("<?").unwrap();
        let query = query.strip_suffix(">; rel=\"next\"").unwrap();
        path = format!("{page}?{query}");
    }
}

#[test]
fn pages_are_linked_to_the_end() {
    let server = Server::start();
    let alice = filled(&server);
    alice.set("/kv/odd%20%26%3D%2B%25%C3%A9", "x");
    alice.set("/kv/p", "x");
    assert_eq!(
        pages(&alice, "/kv?list&limit=3"),
        [
            json!(["/input/a", "/input/b", "/input/deep/er/c"]),
            json!(["/inside", "/odd &=+%é", "/out"]),
            json!(["/p"]),
        ]
    );
    assert_eq!(
        pages(&alice, "/kv/in?list&limit=1&delimiter=/&detail").len(),
        2,
        "the parameters are kept"
    );
    assert_eq!(
        alice.list("/kv?list&after=/inside&limit=1"),
        json!(["/odd &=+%é"])
    );
    for odd in ["0", "10001", "-1", "x", ""] {
        let error = alice
            .get(&format!("/kv?list&limit={odd}"))
            .error(400, "bad_request");
        assert!(
            error.contains("limit") && error.contains("10000"),
            "{error}"
        );
    }
}

#[test]
fn the_last_keys_come_first_in_descending_order() {
    let server = Server::start();
    let alice = filled(&server);
    let other = server.user("alice2");
    other.set("/kv/z", "1");
    let all = json!([
        "/out",
        "/inside",
        "/input/deep/er/c",
        "/input/b",
        "/input/a"
    ]);
    assert_eq!(alice.list("/kv?list&order=desc"), all);
    assert_eq!(other.list("/kv?list&order=desc"), json!(["/z"]));
    assert_eq!(
        alice.list("/kv?list&order=desc&delimiter=/"),
        json!(["/out", "/inside", "/input/"])
    );
    assert_eq!(
        pages(&alice, "/kv?list&order=desc&limit=3"),
        [
            json!(["/out", "/inside", "/input/deep/er/c"]),
            json!(["/input/b", "/input/a"])
        ]
    );
    assert_eq!(
        alice.list("/kv?list&order=desc&after=/inside&limit=1"),
        json!(["/input/deep/er/c"])
    );
    assert_eq!(
        alice.list("/kv?list&order=asc&limit=1"),
        json!(["/input/a"])
    );
    for path in ["/kv?list&order=DESC", "/kv?list&order=", "/kv?order=desc"] {
        let error = alice.get(path).error(400, "bad_request");
        assert!(error.contains("order"), "{path}: {error}");
    }
}

#[test]
fn a_long_listing_is_streamed_whole() {
    let server = Server::start();
    let alice = server.user("alice");
    let value = vec![b'v'; 2_000];
    for number in 0..2_345 {
        alice.set(&format!("/kv/k/{number:05}"), &value);
    }
    let keys: Vec<_> = (0..2_345).map(|number| format!("/k/{number:05}")).collect();
    assert_eq!(alice.list("/kv?list"), json!(keys));
    let lines = alice.send(
        "GET",
        "/kv?list",
        &[("accept", "application/x-ndjson")],
        b"",
    );
    assert_eq!(lines.header("content-type"), "application/x-ndjson");
    let read: Vec<String> = lines
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(read, keys);
    let values = alice.list("/kv?list&values");
    assert_eq!(values.as_array().unwrap().len(), 2_345);
    assert_eq!(values[2_344]["/k/02344"].as_str().unwrap().len(), 2_000);
}

#[test]
fn an_empty_listing_is_valid_in_both_framings() {
    let server = Server::start();
    let alice = server.user("alice");
    assert_eq!(alice.get("/kv?list").json(), json!([]));
    let lines = alice.send(
        "GET",
        "/kv?list",
        &[("accept", "application/x-ndjson")],
        b"",
    );
    assert_eq!((lines.status, lines.text().as_str()), (200, ""));
}

#[test]
fn counts_agree_with_listings() {
    let server = Server::start();
    let alice = filled(&server);
    assert_eq!(alice.list("/kv?list&count"), json!({"count": 5}));
    assert_eq!(alice.list("/kv/input?count"), json!({"count": 3}));
    assert_eq!(alice.list("/kv/_internal_/?count"), json!({"count": 1}));
    alice.get("/kv?count&limit=3").error(400, "bad_request");
}

#[test]
fn usage_tells_what_there_is_and_may_be() {
    let server = Server::start();
    let alice = filled(&server);
    let usage = alice.get("/kv?usage").json();
    assert_eq!(usage["keys"], 6);
    let keys = [
        "/input/a",
        "/input/b",
        "/input/deep/er/c",
        "/_internal_/x",
        "/inside",
        "/out",
    ];
    let bytes: usize = keys.iter().map(|key| key.len() + 1).sum();
    assert_eq!(usage["bytes"], bytes);
    assert_eq!(
        usage["limits"],
        json!({"keys": 1_000_000, "bytes": 1 << 30, "key_bytes": 1_024, "value_bytes": 16_384, "held": 25})
    );
    alice.get("/kv?usage&list").error(400, "bad_request");
    alice.get("/kv/a?usage").error(400, "bad_request");
}

#[test]
fn listings_pages_and_counts_say_of_which_revision_they_are() {
    let server = Server::start();
    let alice = filled(&server);
    let revision = |path: &str| {
        let answer = alice.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.header("prominence-revision").parse::<u64>().unwrap()
    };
    let latest = alice.put("/kv/input/a", "9").json()["revision"]
        .as_u64()
        .unwrap();
    for path in [
        "/kv?list",
        "/kv/input/?list",
        "/kv?list&limit=2",
        "/kv?list&limit=2&after=/input/b&values",
        "/kv?list&detail&values&delimiter=/",
        "/kv/none?list",
        "/kv?count",
        "/kv/none?count",
        "/kv?list&count",
        "/kv?count&at_least=1&wait=1m",
    ] {
        assert_eq!(revision(path), latest, "{path}");
    }
    let lines = [("accept", "application/x-ndjson")];
    let answer = alice.send("GET", "/kv?list", &lines, b"");
    assert_eq!(answer.header("prominence-revision"), latest.to_string());
    assert_eq!(
        server
            .user("nobody")
            .get("/kv?list")
            .header("prominence-revision"),
        "0"
    );
}

#[test]
fn the_times_of_a_value_are_the_same_to_the_millisecond_in_a_listing() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/a", "1");
    server
        .clock
        .advance(std::time::Duration::from_millis(1_234));
    alice.set("/kv/a", "2");
    let detail = &alice.list("/kv?list&detail")[0];
    assert_eq!(detail["modified"], "2023-11-14T22:13:21.234Z");
    for answer in [alice.get("/kv/a"), alice.send("HEAD", "/kv/a", &[], b"")] {
        assert_eq!(answer.header("prominence-modified"), detail["modified"]);
        assert_eq!(answer.header("prominence-created"), detail["created"]);
    }
}
