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
fn a_conditional_set_with_a_write_id_can_be_repeated() {
    let server = Server::start();
    let alice = server.user("alice");
    let set = |method: &str, path: &str, id: &str, condition: (&str, &str)| {
        let headers = [("prominence-write-id", id), condition];
        let answer = alice.send(method, path, &headers, b"1");
        let tag = answer.header("etag").to_owned();
        (answer.status, answer.text(), tag)
    };
    let absent = ("if-none-match", "*");
    for (method, path) in [("PUT", "/kv/a"), ("POST", "/kv/b")] {
        let first = set(method, path, "1", absent);
        assert_eq!(first.0, 201, "{first:?}");
        assert_eq!(set(method, path, "1", absent), first);
        assert_eq!(set(method, path, "2", absent).0, 412);
        let condition = ("if-match", first.2.as_str());
        let second = set(method, path, "3", condition);
        assert_eq!(second.0, if method == "PUT" { 200 } else { 201 });
        assert_ne!(second.2, first.2);
        assert_eq!(set(method, path, "3", condition), second);
        assert_eq!(set(method, path, "1", absent).0, 412, "it was replaced");
    }
    let headers = [("prominence-write-id", "4")];
    let with_prev = || alice.send("PUT", "/kv/a?prev=1", &headers, b"2");
    assert_eq!(with_prev().status, 200);
    assert_eq!(with_prev().status, 200);
    // Another user's write with the same id is another write.
    let bob = server.user("bob");
    let headers = [("prominence-write-id", "4"), absent];
    assert_eq!(bob.send("PUT", "/kv/a", &headers, b"his").status, 201);
    assert_eq!(alice.get("/kv/a").text(), "2");
}

#[test]
fn a_write_id_that_is_malformed_or_out_of_place_is_refused_by_name() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/a", "1");
    let refused = |method: &str, path: &str, headers: &[(&str, &str)], body: &str| {
        let answer = alice.send(method, path, headers, body.as_bytes());
        let message = answer.error(400, "bad_request");
        assert!(message.contains("Prominence-Write-Id"), "{message}");
    };
    let absent = ("if-none-match", "*");
    let long = "x".repeat(65);
    for id in ["", "a b", "\u{e9}", &long] {
        refused("PUT", "/kv/b", &[("prominence-write-id", id), absent], "1");
    }
    let id = ("prominence-write-id", "1");
    refused("PUT", "/kv/b", &[id, id, absent], "1");
    refused("PUT", "/kv/b", &[id], "1");
    refused("POST", "/kv/b", &[id], "1");
    let tag = ("if-match", "\"1\"");
    for (method, path) in [
        ("POST", "/kv/a?add=1"),
        ("POST", "/kv?claim=1m"),
        ("POST", "/kv/a?renew=1m"),
        ("POST", "/kv/a?release"),
        ("DELETE", "/kv/a"),
    ] {
        refused(method, path, &[id, tag], "");
    }
    refused("DELETE", "/kv/a?prefix", &[id], "");
    let json = ("content-type", "application/json");
    refused("POST", "/kv", &[id, json], r#"{"do": [{"delete": "/a"}]}"#);
    assert_eq!(alice.list("/kv?list&values"), json!([{"/a": "1"}]));
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
