//! Batches: all or nothing, and what is no batch.

use serde_json::json;

use crate::common::{Answer, Client, Server};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

fn batch(client: &Client, body: impl ToString) -> Answer {
    client.send("POST", "/kv", JSON, body.to_string().as_bytes())
}

#[test]
fn a_batch_is_one_commit_and_says_what_each_operation_did() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/b", "old");
    alice.set("/kv/n", "40");
    let answer = batch(
        &alice,
        json!({"if": [{"key": "/b", "value": "old"}, {"key": "/a", "absent": true}],
               "do": [{"set": "a", "value": "1", "ttl": 60}, {"set": "/raw", "value_base64": "AP8="},
                      {"delete": "/b"}, {"delete": "/none"}, {"add": "/n", "by": 2}]}),
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
    let done = answer.json();
    let revision = done["revision"].as_u64().unwrap();
    assert_eq!(answer.header("etag"), format!("\"{revision}\""));
    assert_eq!(
        done["results"],
        json!([{"key": "/a", "created": true}, {"key": "/raw", "created": true},
               {"key": "/b", "deleted": 1}, {"key": "/none", "deleted": 0},
               {"key": "/n", "value": 42}])
    );
    for path in ["/kv/a", "/kv/raw", "/kv/n"] {
        assert_eq!(alice.get(path).header("etag"), answer.header("etag"));
    }
    assert_ne!(alice.get("/kv/a").header("prominence-expires"), "");
    assert_eq!(alice.get("/kv/raw").body, [0, 255]);
    assert_eq!(alice.get("/kv/b").status, 404);
}

#[test]
fn a_condition_that_fails_is_named_and_nothing_is_done() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/lock", "me");
    let revision = alice.get("/kv/lock").header("etag").replace('"', "");
    let other: u64 = revision.parse::<u64>().unwrap() + 1;
    for condition in [
        json!({"key": "/lock", "revision": other}),
        json!({"key": "/lock", "value": "you"}),
        json!({"key": "/lock", "value_base64": "AA=="}),
        json!({"key": "/lock", "absent": true}),
        json!({"key": "/none", "absent": false}),
    ] {
        let body = json!({"if": [condition], "do": [{"set": "/a", "value": "1"}]});
        let answer = batch(&alice, &body);
        let error = answer.error(412, "precondition_failed");
        let key = body["if"][0]["key"].as_str().unwrap();
        assert!(error.contains(key), "{error}");
        let (details, exists) = (answer.json(), key == "/lock");
        assert_eq!(details["key"], key);
        let found = details["revision"].as_u64().map(|found| found.to_string());
        assert_eq!(found, exists.then(|| revision.clone()), "{details}");
        assert_eq!(alice.get("/kv/a").status, 404, "{body}");
    }
    // The last operation fails, so the first is not done.
    let body = json!({"do": [{"set": "/a", "value": "1"}, {"add": "/lock", "by": 1}]});
    batch(&alice, body).error(409, "not_a_number");
    assert_eq!(alice.get("/kv/a").status, 404);
    let fenced = json!({"if": [{"key": "/lock", "revision": revision.parse::<u64>().unwrap()}],
                        "do": [{"set": "/a", "value": "1"}]});
    assert_eq!(batch(&alice, fenced).status, 200);
}

#[test]
fn what_is_no_batch_is_refused_with_its_place() {
    let server = Server::start();
    let alice = server.user("alice");
    let set = |n: usize| json!({"set": format!("/k{n}"), "value": ""});
    let many: Vec<_> = (0..101).map(set).collect();
    for (body, words) in [
        (
            "",
            "the body is empty; a batch is a JSON object with the field \"do\"",
        ),
        (" \n", "the body is empty"),
        (r#"{"do": "#, "ends in line 1, column 7"),
        ("[]", "a batch is a JSON object with the field \"do\""),
        (
            r#"[[], [{"set": "/arr", "value": "1"}]]"#,
            "and this is an array",
        ),
        (
            r#"{"do": [["/arr2", null, null, "1", null, null, null]]}"#,
            "do[0]: an operation is a JSON object",
        ),
        (
            r#"{"if": [["/a", true, null, null, null]], "do": []}"#,
            "if[0]: a condition is a JSON object",
        ),
        ("{} {}", "missing field `do`"),
        (r#"{"do": []}"#, "no operation"),
        (
            r#"{"do": [{"delete": "/a"}]} x"#,
            "more text after the batch",
        ),
        (r#"{"do": [{"delete": "/a"}], "then": 1}"#, "then"),
        (r#"{"do": [{"set": "/a", "vlaue": "1"}]}"#, "do[0]"),
        (
            r#"{"do": [{"delete": "/a"}, {"add": "/b", "by": 1.5}]}"#,
            "do[1].by",
        ),
        (
            r#"{"do": [{"add": "/b", "by": 9223372036854775808}]}"#,
            "do[0].by",
        ),
        (r#"{"do": [{"add": "/b"}]}"#, "do[0]: \"add\" needs"),
        (r#"{"do": [{"set": "/a"}]}"#, "do[0]: \"set\" needs"),
        (r#"{"do": [{}]}"#, "exactly one of"),
        (
            r#"{"do": [{"set": "/a", "delete": "/a", "value": ""}]}"#,
            "exactly one of",
        ),
        (
            r#"{"do": [{"set": "/a", "value": "", "value_base64": ""}]}"#,
            "do not go together",
        ),
        (
            r#"{"do": [{"set": "/a", "value_base64": "%%"}]}"#,
            "not base64",
        ),
        (
            r#"{"do": [{"set": "/a", "value": "", "ttl": "soon"}]}"#,
            "\"ttl\" is not valid",
        ),
        (
            r#"{"do": [{"set": "/a", "value": "", "ttl": 0}]}"#,
            "longer than 0",
        ),
        (
            r#"{"do": [{"set": "/a", "value": "", "ttl": -1}]}"#,
            "do[0].ttl",
        ),
        (
            r#"{"do": [{"delete": "/a", "value": ""}]}"#,
            "\"value\" does not go with",
        ),
        (
            r#"{"do": [{"delete": "/a"}, {"delete": "a"}]}"#,
            "more than one operation",
        ),
        (
            r#"{"if": [{"key": "/a"}], "do": [{"delete": "/a"}]}"#,
            "if[0]",
        ),
        (
            r#"{"if": [{"key": "/a", "absent": true, "revision": 1}], "do": [{"delete": "/a"}]}"#,
            "if[0]",
        ),
        (
            &json!({"do": many}).to_string(),
            "101 operations; the limit is 100",
        ),
    ] {
        let error = batch(&alice, body).error(400, "bad_request");
        assert!(error.contains(words), "{body}: {error}");
    }
    let error = batch(&alice, r#"{"do": [{"delete": "/a/"}]}"#).error(400, "bad_key");
    assert!(error.starts_with("do[0]: "), "{error}");
    let error = alice.post("/kv", "42").error(400, "bad_request");
    assert!(error.contains("application/json") && error.contains("/kv/KEY"));
    assert_eq!(alice.list("/kv?list"), json!([]));
}

#[test]
fn a_batch_and_its_values_have_limits() {
    let server = Server::start();
    let alice = server.user("alice");
    let sized = |bytes: usize| {
        let empty = r#"{"do":[{"set":"/a","value":"1"}]}"#;
        format!("{}{empty}", " ".repeat(bytes - empty.len()))
    };
    assert_eq!(batch(&alice, sized(1 << 20)).status, 200);
    let error = batch(&alice, sized((1 << 20) + 1)).error(413, "value_too_large");
    let said = "the batch has 1048577 bytes; the limit is 1048576; split it into several";
    assert_eq!(error, said);
    let long =
        json!({"do": [{"set": "/b", "value": "x"}, {"set": "/c", "value": "x".repeat(16_385)}]});
    let error = batch(&alice, long).error(413, "value_too_large");
    assert!(
        error.starts_with("do[1]: ") && error.contains("16384"),
        "{error}"
    );
    assert_eq!(alice.list("/kv?list"), json!(["/a"]));
}

#[test]
fn a_batch_needs_the_right_to_everything_in_it() {
    let server = Server::start();
    server.user("alice").set("/kv/mine/a", "1");
    let token = server.token_for("alice", "storage.modify:/mine storage.create:/new", None);
    let scoped = server.with_token(&token);
    let both = json!({"do": [{"set": "/mine/b", "value": "1"}, {"set": "/other", "value": "1"}]});
    batch(&scoped, both).error(403, "forbidden");
    let look = json!({"if": [{"key": "/secret", "value": "x"}], "do": [{"delete": "/mine/a"}]});
    batch(&scoped, look).error(403, "forbidden");
    let create = json!({"do": [{"set": "/new/a", "value": "1"}, {"delete": "/mine/a"}]});
    assert_eq!(batch(&scoped, &create).status, 200);
    batch(&scoped, create).error(403, "forbidden");
}
