//! Counts with a limit, counts of folders, and deletions that demand a count.

use serde_json::json;

use crate::common::{Client, Server};

fn filled(server: &Server, user: &str) -> Client {
    let client = server.user(user);
    for key in ["a/1", "a/2", "a/3", "a/_internal_/x", "b/1", "c"] {
        client.set(&format!("/kv/{key}"), user);
    }
    client
}

#[test]
fn a_count_ends_at_most_at_its_limit_and_says_that_there_are_more() {
    let server = Server::start();
    let alice = filled(&server, "alice");
    let latest = alice
        .get("/kv?count")
        .header("prominence-revision")
        .to_owned();
    for (query, answer) in [
        ("count", json!({"count": 5})),
        ("count&at_most=1", json!({"count": 1, "more": true})),
        ("count&at_most=4", json!({"count": 4, "more": true})),
        ("list&count&at_most=5", json!({"count": 5})),
        ("count&at_most=9223372036854775807", json!({"count": 5})),
    ] {
        let counted = alice.get(&format!("/kv?{query}"));
        assert_eq!(counted.json(), answer, "{query}");
        assert_eq!(counted.header("prominence-revision"), latest, "{query}");
    }
    let counted = alice.get("/kv/a/?count&at_most=2").json();
    assert_eq!(counted, json!({"count": 2, "more": true}));
    for odd in ["0", "-1", "x", ""] {
        let refused = alice.get(&format!("/kv?count&at_most={odd}"));
        let error = refused.error(400, "bad_request");
        assert!(error.contains("at_most"), "{odd}: {error}");
    }
    for query in ["count&at_most=2&at_least=2&wait=1s", "list&at_most=2"] {
        let refused = alice.get(&format!("/kv?{query}"));
        let error = refused.error(400, "bad_request");
        assert!(error.contains("at_most"), "{query}: {error}");
    }
}

#[test]
fn folders_are_shown_with_their_counts() {
    let server = Server::start();
    let alice = filled(&server, "alice");
    let level = |query: &str| alice.list(&format!("/kv?list&delimiter=/&detail&{query}"));
    let folders = |query: &str| level(query).as_array().unwrap()[..2].to_vec();
    let b = json!({"prefix": "/b/", "count": 1});
    let some = json!({"prefix": "/a/", "count": 2, "more": true});
    assert_eq!(folders("counts=2"), [some.clone(), b.clone()]);
    let all = json!({"prefix": "/a/", "count": 3});
    assert_eq!(folders("counts=3"), [all.clone(), b.clone()]);
    assert_eq!(folders("counts=10000&values"), [all, b.clone()]);
    assert_eq!(level("counts=2")[2]["key"], "/c");
    // The next page has counts as well.
    let page = alice.get("/kv?list&delimiter=/&detail&counts=2&limit=1");
    assert_eq!(page.json(), json!([some]));
    let next = page.header("link").strip_prefix('<').unwrap();
    let next = next.strip_suffix(">; rel=\"next\"").unwrap();
    assert_eq!(alice.list(&format!("/kv{next}")), json!([b]));
    for odd in ["0", "10001", "x"] {
        let refused = alice.get(&format!("/kv?list&delimiter=/&detail&counts={odd}"));
        let error = refused.error(400, "bad_request");
        assert!(error.contains("counts"), "{odd}: {error}");
    }
    for query in ["delimiter=/", "detail", "values"] {
        let refused = alice.get(&format!("/kv?list&counts=2&{query}"));
        let error = refused.error(400, "bad_request");
        assert!(error.contains("counts"), "{query}: {error}");
    }
}

#[test]
fn a_prefix_is_deleted_only_with_the_number_of_keys_that_is_demanded() {
    let server = Server::start();
    let alice = filled(&server, "alice");
    for wanted in [0, 3, 5] {
        let refused = alice.delete(&format!("/kv/a/?prefix&if_count={wanted}"));
        let error = refused.error(412, "precondition_failed");
        assert!(error.contains("there are 4 keys"), "{error}");
        assert_eq!(refused.json()["count"], 4);
        assert_eq!(refused.json()["may_have_happened"], false);
    }
    let all = alice.delete("/kv?prefix&if_count=5");
    all.error(412, "precondition_failed");
    assert_eq!(all.json()["count"], 6);
    assert_eq!(alice.get("/kv?usage").json()["keys"], 6, "none is deleted");
    let counted = alice.delete("/kv/a/?prefix&dry_run").json()["deleted"].clone();
    let deleted = alice.delete(&format!("/kv/a/?prefix&if_count={counted}"));
    assert_eq!(deleted.json(), json!({"deleted": 4}));
    let nothing = alice.delete("/kv/a/?prefix&if_count=0");
    assert_eq!(nothing.json(), json!({"deleted": 0}));
    for query in [
        "prefix&if_count=-1",
        "prefix&if_count=",
        "prefix&if_count=1&dry_run",
        "if_count=1",
    ] {
        let refused = alice.delete(&format!("/kv/b/1?{query}"));
        let error = refused.error(400, "bad_request");
        assert!(error.contains("if_count"), "{query}: {error}");
    }
    assert_eq!(alice.list("/kv?list"), json!(["/b/1", "/c"]));
}

#[test]
fn users_count_and_delete_their_own_keys() {
    let server = Server::start();
    let alice = filled(&server, "alice");
    let other = filled(&server, "alice2");
    other.set("/kv/a/4", "1");
    let counted = |client: &Client| client.get("/kv/a/?count&at_most=3").json();
    assert_eq!(counted(&alice), json!({"count": 3}));
    assert_eq!(counted(&other), json!({"count": 3, "more": true}));
    let first = |client: &Client| {
        let level = client.list("/kv?list&delimiter=/&detail&counts=9");
        level[0]["count"].as_u64().unwrap()
    };
    assert_eq!((first(&alice), first(&other)), (3, 4));
    let refused = alice.delete("/kv/a/?prefix&if_count=5");
    refused.error(412, "precondition_failed");
    assert_eq!(refused.json()["count"], 4);
    let deleted = other.delete("/kv/a/?prefix&if_count=5");
    assert_eq!(deleted.json(), json!({"deleted": 5}));
    assert_eq!((first(&alice), first(&other)), (3, 1));
}
