//! Conditions, additions and deletions.

use serde_json::json;

use crate::common::Server;

#[test]
fn post_answers_201_always_and_put_says_whether_the_key_is_new() {
    let server = Server::start();
    let alice = server.user("alice");
    assert_eq!(alice.post("/kv/a", "1").status, 201);
    assert_eq!(alice.post("/kv/a", "2").status, 201);
    assert_eq!(alice.put("/kv/b", "1").status, 201);
    assert_eq!(alice.put("/kv/b", "2").status, 200);
    assert_eq!(alice.get("/kv/b").text(), "2");
}

#[test]
fn conditions_decide_whether_a_value_is_set() {
    let server = Server::start();
    let alice = server.user("alice");
    let set = |headers: &[(&str, &str)], path: &str, value: &str| {
        alice.send("POST", path, headers, value.as_bytes())
    };
    let first = set(&[("if-none-match", "*")], "/kv/a", "1");
    assert_eq!(first.status, 201);
    set(&[("if-none-match", "*")], "/kv/a", "2").error(412, "precondition_failed");
    let tag = first.header("etag").to_owned();
    let second = set(&[("if-match", &tag)], "/kv/a", "2");
    assert_eq!(second.status, 201);
    let stale = set(&[("if-match", &tag)], "/kv/a", "3");
    assert!(stale.error(412, "precondition_failed").contains("/a"));
    set(&[("if-match", "*")], "/kv/absent", "1").error(412, "precondition_failed");
    assert_eq!(set(&[("if-match", "*")], "/kv/a", "4").status, 201);
    assert_eq!(set(&[], "/kv/a?prev=4", "a b").status, 201);
    assert_eq!(set(&[], "/kv/a?prev=a+b", "5").status, 201);
    set(&[], "/kv/a?prev=4", "6").error(412, "precondition_failed");
    set(&[], "/kv/absent?prev=", "6").error(412, "precondition_failed");
    assert_eq!(alice.get("/kv/a").text(), "5");
    assert_eq!(alice.list("/kv?list"), json!(["/a"]));
}

#[test]
fn additions_are_exact_and_keep_the_lifetime() {
    let server = Server::start();
    let alice = server.user("alice");
    let add = |by: &str| alice.post(&format!("/kv/n?add={by}"), "");
    let first = add("5");
    assert_eq!(first.status, 200);
    assert_eq!(first.json()["value"], 5);
    assert_eq!(first.json()["key"], "/n");
    assert_eq!(
        first.header("etag"),
        format!("\"{}\"", first.json()["revision"])
    );
    assert_eq!(add("-7").json()["value"], -2);
    assert_eq!(alice.get("/kv/n").text(), "-2");

    alice.set("/kv/n?ttl=1h", "9223372036854775806\n");
    assert_eq!(add("1").json()["value"], i64::MAX);
    assert_ne!(alice.get("/kv/n").header("prominence-expires"), "");
    add("1").error(409, "not_a_number");
    alice.set("/kv/n", "text");
    add("1").error(409, "not_a_number");
    assert_eq!(alice.get("/kv/n").text(), "text");

    for odd in ["", "x", "1.5", "9223372036854775808"] {
        assert!(add(odd).error(400, "bad_request").contains("add"), "{odd}");
    }
    assert!(
        alice
            .post("/kv/n?add=1", "2")
            .error(400, "bad_request")
            .contains("body")
    );
    alice.put("/kv/n?add=1", "").error(400, "bad_request");
    alice
        .post("/kv/n?add=1&ttl=5", "")
        .error(400, "bad_request");
}

#[test]
fn deletions_say_how_many_and_prefixes_are_string_prefixes() {
    let server = Server::start();
    let alice = server.user("alice");
    for key in [
        "/in",
        "/input/x",
        "/input/y",
        "/inside",
        "/_internal_/z",
        "/other",
    ] {
        alice.set(&format!("/kv{key}"), "1");
    }
    let deleted = |answer: crate::common::Answer| {
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["deleted"].as_u64().unwrap()
    };
    assert_eq!(deleted(alice.delete("/kv/absent")), 0);
    assert_eq!(deleted(alice.delete("/kv/in")), 1);
    assert_eq!(deleted(alice.delete("/kv/in?prefix&dry_run")), 3);
    assert_eq!(deleted(alice.delete("/kv/input/?prefix")), 2);
    assert_eq!(deleted(alice.delete("/kv/in?prefix=True")), 1);
    alice.delete("/kv").error(400, "bad_request");
    alice.delete("/kv/").error(400, "bad_request");
    assert_eq!(alice.list("/kv?list"), json!(["/other"]));
    assert_eq!(deleted(alice.delete("/kv?prefix")), 2);
    assert_eq!(alice.get("/kv?usage").json()["keys"], 0);
}

#[test]
fn a_deletion_can_demand_a_revision() {
    let server = Server::start();
    let alice = server.user("alice");
    let tag = alice.post("/kv/a", "1").header("etag").to_owned();
    alice.set("/kv/a", "2");
    let delete = |path: &str, tag: &str| alice.send("DELETE", path, &[("if-match", tag)], b"");
    delete("/kv/a", &tag).error(412, "precondition_failed");
    delete("/kv/a?prefix", &tag).error(400, "bad_request");
    let tag = alice.get("/kv/a").header("etag").to_owned();
    assert_eq!(delete("/kv/a", &tag).json(), json!({"deleted": 1}));
}

#[test]
fn a_misspelt_parameter_never_changes_anything() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/a/b", "1");
    for path in [
        "/kv/a/b?prefx",
        "/kv/a?prefix&dryrun",
        "/kv?prefix=yes",
        "/kv/a/b?prefix&prefix",
    ] {
        alice.delete(path).error(400, "bad_request");
    }
    alice.post("/kv/a/b?tll=5", "2").error(400, "bad_request");
    alice.delete("/kv/a/b?dry_run").error(400, "bad_request");
    assert_eq!(alice.get("/kv/a/b").text(), "1");
}
