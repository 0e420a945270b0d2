//! What each scope allows on each route.

mod granted;

use serde_json::json;

use crate::auth::with_claims;
use crate::common::{Client, Server};

/// The scopes of the columns of [`TABLE`].
const COLUMNS: [&str; 6] = [
    // Everything.
    "",
    "storage.read:/p",
    "storage.create:/p",
    "storage.modify:/p",
    // Nothing.
    "compute.create",
    "storage.read:/p storage.modify:/p",
];

/// The body of a batch, or of nothing.
const NONE: &str = "";

/// A request: its method, its path, its headers and its body. In them `{etag}` stands for the tag of `/p/k`, `{number}`
/// for its revision, and `{claim}` for the tag of a claim on `/p/c/a`.
type Ask = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

/// One route and its status with each of [`COLUMNS`]. `/p/k`, `/p` and `/pq/k` exist, `/p/new` and `/pq/new` do not.
#[rustfmt::skip]
const TABLE: &[(Ask, [u16; 6])] = &[
    // One key within the scope, outside of it, and one that is not there.
    (("GET", "/kv/p/k", &[], NONE), [200, 200, 403, 403, 403, 200]),
    (("HEAD", "/kv/p/k", &[], NONE), [200, 200, 403, 403, 403, 200]),
    (("GET", "/kv/p/k?wait=1s", &[], NONE), [200, 200, 403, 403, 403, 200]),
    (("GET", "/kv/p", &[], NONE), [200, 200, 403, 403, 403, 200]),
    (("GET", "/kv/p/new", &[], NONE), [404, 404, 403, 403, 403, 404]),
    (("GET", "/kv/pq/k", &[], NONE), [200, 403, 403, 403, 403, 403]),
    (("HEAD", "/kv/pq/k", &[], NONE), [200, 403, 403, 403, 403, 403]),
    (("GET", "/kv/pq/k?wait=1s", &[], NONE), [200, 403, 403, 403, 403, 403]),
    (("GET", "/kv/pq/new", &[], NONE), [404, 403, 403, 403, 403, 403]),
    // Listings, counts and watches below the scope and above it.
    (("GET", "/kv/p/?list", &[], NONE), [200, 200, 403, 403, 403, 200]),
    (("GET", "/kv/p/?list&values", &[], NONE), [200, 200, 403, 403, 403, 200]),
    (("GET", "/kv/p/?list&detail", &[], NONE), [200, 200, 403, 403, 403, 200]),
    (("GET", "/kv/p/?list&delimiter=/", &[], NONE), [200, 200, 403, 403, 403, 200]),
    (("GET", "/kv/p/?count", &[], NONE), [200, 200, 403, 403, 403, 200]),
    (("GET", "/kv/p/?count&at_least=1&wait=1s", &[], NONE), [200, 200, 403, 403, 403, 200]),
    (("GET", "/kv/p/?watch", &[], NONE), [200, 200, 403, 403, 403, 200]),
    (("GET", "/kv/p?list", &[], NONE), [200, 403, 403, 403, 403, 403]),
    (("GET", "/kv/?list&values", &[], NONE), [200, 403, 403, 403, 403, 403]),
    (("GET", "/kv?list", &[], NONE), [200, 403, 403, 403, 403, 403]),
    (("GET", "/kv?list&delimiter=/", &[], NONE), [200, 403, 403, 403, 403, 403]),
    (("GET", "/kv/p?count", &[], NONE), [200, 403, 403, 403, 403, 403]),
    (("GET", "/kv?count", &[], NONE), [200, 403, 403, 403, 403, 403]),
    (("GET", "/kv/p?count&at_least=1&wait=1s", &[], NONE), [200, 403, 403, 403, 403, 403]),
    (("GET", "/kv/p?watch", &[], NONE), [200, 403, 403, 403, 403, 403]),
    (("GET", "/kv?watch", &[], NONE), [200, 403, 403, 403, 403, 403]),
    (("GET", "/kv?usage", &[], NONE), [200, 403, 403, 403, 403, 403]),
    // Sets of a new key and of one that exists.
    (("POST", "/kv/p/new", &[], "1"), [201, 403, 201, 201, 403, 201]),
    (("PUT", "/kv/p/new", &[], "1"), [201, 403, 201, 201, 403, 201]),
    (("POST", "/kv/pq/new", &[], "1"), [201, 403, 403, 403, 403, 403]),
    (("POST", "/kv/p/k", &[], "1"), [201, 403, 403, 201, 403, 201]),
    (("PUT", "/kv/p/k", &[], "1"), [200, 403, 403, 200, 403, 200]),
    (("POST", "/kv/pq/k", &[], "1"), [201, 403, 403, 403, 403, 403]),
    (("POST", "/kv/p/new", &[("if-none-match", "*")], "1"), [201, 403, 201, 201, 403, 201]),
    (("POST", "/kv/p/k", &[("if-none-match", "*")], "1"), [412, 403, 412, 412, 403, 412]),
    (("PUT", "/kv/p/k", &[("if-none-match", "*")], "1"), [412, 403, 412, 412, 403, 412]),
    (("POST", "/kv/pq/k", &[("if-none-match", "*")], "1"), [412, 403, 403, 403, 403, 403]),
    (("POST", "/kv/p/k", &[("if-match", "{etag}")], "1"), [201, 403, 403, 201, 403, 201]),
    (("POST", "/kv/p/new", &[("if-match", "\"1\"")], "1"), [412, 403, 403, 412, 403, 412]),
    (("POST", "/kv/p/k?prev=1", &[], "2"), [201, 403, 403, 403, 403, 201]),
    (("POST", "/kv/p/k?prev=7", &[], "2"), [412, 403, 403, 403, 403, 412]),
    (("POST", "/kv/p/new?add=1", &[], NONE), [200, 403, 200, 200, 403, 200]),
    (("POST", "/kv/p/k?add=1", &[], NONE), [200, 403, 403, 200, 403, 200]),
    // Claims.
    (("POST", "/kv/p/w/?claim=1m", &[], NONE), [200, 403, 403, 403, 403, 200]),
    (("POST", "/kv/p?claim=1m", &[], NONE), [200, 403, 403, 403, 403, 403]),
    (("POST", "/kv/p/c/a?renew=1m", &[("if-match", "{claim}")], NONE), [200, 403, 403, 200, 403, 200]),
    (("POST", "/kv/p/c/a?release", &[("if-match", "{claim}")], NONE), [200, 403, 403, 200, 403, 200]),
    (("DELETE", "/kv/p/c/a", &[("if-match", "{claim}")], NONE), [200, 403, 403, 200, 403, 200]),
    // Deletions.
    (("DELETE", "/kv/p/k", &[], NONE), [200, 403, 403, 200, 403, 200]),
    (("DELETE", "/kv/p/new", &[], NONE), [200, 403, 403, 200, 403, 200]),
    (("DELETE", "/kv/pq/k", &[], NONE), [200, 403, 403, 403, 403, 403]),
    (("DELETE", "/kv/p/?prefix", &[], NONE), [200, 403, 403, 200, 403, 200]),
    (("DELETE", "/kv/p/?prefix&dry_run", &[], NONE), [200, 403, 403, 200, 403, 200]),
    (("DELETE", "/kv/p?prefix", &[], NONE), [200, 403, 403, 403, 403, 403]),
    (("DELETE", "/kv/p?prefix&dry_run", &[], NONE), [200, 403, 403, 403, 403, 403]),
    (("DELETE", "/kv?prefix", &[], NONE), [200, 403, 403, 403, 403, 403]),
    (("DELETE", "/kv?prefix&dry_run", &[], NONE), [200, 403, 403, 403, 403, 403]),
    // Batches.
    (batch("{\"do\":[{\"set\":\"/p/new\",\"value\":\"1\"}]}"), [200, 403, 200, 200, 403, 200]),
    (batch("{\"do\":[{\"set\":\"/p/k\",\"value\":\"1\"}]}"), [200, 403, 403, 200, 403, 200]),
    (batch("{\"do\":[{\"set\":\"/pq/new\",\"value\":\"1\"}]}"), [200, 403, 403, 403, 403, 403]),
    (batch("{\"do\":[{\"set\":\"/p/new\",\"value\":\"1\"},{\"delete\":\"/pq/k\"}]}"), [200, 403, 403, 403, 403, 403]),
    (batch("{\"do\":[{\"delete\":\"/p/k\"}]}"), [200, 403, 403, 200, 403, 200]),
    (batch("{\"do\":[{\"add\":\"/p/new\",\"by\":1}]}"), [200, 403, 200, 200, 403, 200]),
    (batch("{\"do\":[{\"add\":\"/p/k\",\"by\":1}]}"), [200, 403, 403, 200, 403, 200]),
    (
        batch("{\"if\":[{\"key\":\"/p/new\",\"absent\":true}],\"do\":[{\"set\":\"/p/other\",\"value\":\"1\"}]}"),
        [200, 403, 200, 200, 403, 200],
    ),
    (
        batch("{\"if\":[{\"key\":\"/p/k\",\"absent\":true}],\"do\":[{\"set\":\"/p/k\",\"value\":\"1\"}]}"),
        [412, 403, 412, 412, 403, 412],
    ),
    (
        batch("{\"if\":[{\"key\":\"/p/k\",\"revision\":{number}}],\"do\":[{\"set\":\"/p/new\",\"value\":\"1\"}]}"),
        [200, 403, 403, 200, 403, 200],
    ),
    (
        batch("{\"if\":[{\"key\":\"/p/k\",\"value\":\"1\"}],\"do\":[{\"set\":\"/p/new\",\"value\":\"1\"}]}"),
        [200, 403, 403, 403, 403, 200],
    ),
    (
        batch("{\"if\":[{\"key\":\"/pq/new\",\"absent\":true}],\"do\":[{\"set\":\"/p/new\",\"value\":\"1\"}]}"),
        [200, 403, 403, 403, 403, 403],
    ),
    // The caller itself.
    (("GET", "/whoami", &[], NONE), [200, 200, 200, 200, 200, 200]),
];

const fn batch(body: &'static str) -> Ask {
    ("POST", "/kv", &[("content-type", "application/json")], body)
}

/// Makes the keys of [`TABLE`] anew, and answers what stands for its placeholders.
fn prepare(owner: &Client) -> [(&'static str, String); 3] {
    assert_eq!(owner.delete("/kv?prefix").status, 200);
    let keys = ["/p/k", "/p", "/p/w/a", "/p/c/a", "/pq/k"];
    let sets: Vec<_> = keys.map(|key| json!({"set": key, "value": "1"})).into();
    let body = json!({"do": sets}).to_string();
    let json = [("content-type", "application/json")];
    assert_eq!(
        owner.send("POST", "/kv", &json, body.as_bytes()).status,
        200
    );
    let etag = owner.get("/kv/p/k").header("etag").to_owned();
    let claim = owner.post("/kv/p/c/?claim=1m", "");
    assert_eq!(claim.status, 200, "{}", claim.text());
    let number = etag.trim_matches('"').to_owned();
    [
        ("{etag}", etag),
        ("{number}", number),
        ("{claim}", claim.header("etag").to_owned()),
    ]
}

/// Sends a request and answers its status and challenge, without the body: that of a watch does not end.
fn ask(client: &Client, ask: Ask, placeholders: &[(&'static str, String)]) -> (u16, String) {
    let fill = |text: &str| {
        let mut text = text.to_owned();
        for (name, value) in placeholders {
            text = text.replace(name, value);
        }
        text
    };
    let (method, path, headers, body) = ask;
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, fill(value)))
        .collect();
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let response = client.open(method, path, &headers, fill(body).as_bytes());
    let challenge = response.headers().get("www-authenticate");
    let challenge = challenge.map_or("", |value| value.to_str().unwrap());
    (response.status().as_u16(), challenge.to_owned())
}

#[test]
fn every_route_answers_every_scope_as_the_table_says() {
    let server = Server::start();
    let owner = server.user("alice");
    let mut placeholders = prepare(&owner);
    let mut wrong = Vec::new();
    for (request, statuses) in TABLE {
        for (scopes, expected) in COLUMNS.into_iter().zip(statuses) {
            let client = server.with_token(&server.token_for("alice", scopes, None));
            let (status, challenge) = ask(&client, *request, &placeholders);
            let is_challenge =
                challenge.starts_with("Bearer realm=\"prominence\", error=\"insufficient_scope\"");
            if status != *expected || (status == 403) != is_challenge {
                wrong.push(format!(
                    "{request:?} with {scopes:?}: {status} instead of {expected}, {challenge}"
                ));
            }
            if status < 400 && !matches!(request.0, "GET" | "HEAD") {
                placeholders = prepare(&owner);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_refusal_names_the_scope_that_would_be_enough() {
    let server = Server::start();
    let owner = server.user("alice");
    let placeholders = prepare(&owner);
    let client = server.with_token(&server.token_for("alice", "compute.create", None));
    let scope_of = |request: Ask| {
        let (status, challenge) = ask(&client, request, &placeholders);
        assert_eq!(status, 403);
        let scope = challenge.split_once("scope=\"");
        scope.map(|(_, rest)| rest.trim_end_matches('"').to_owned())
    };
    let cases: [(Ask, Option<&str>); 9] = [
        (("GET", "/kv/p/k", &[], NONE), Some("storage.read:/p/k")),
        (
            ("GET", "/kv/a%20%22b", &[], NONE),
            Some("storage.read:/a%20%22b"),
        ),
        (("GET", "/kv/p/?list", &[], NONE), Some("storage.read:/p/")),
        (("GET", "/kv/p/k?list", &[], NONE), Some("storage.read:/p/")),
        (("GET", "/kv?usage", &[], NONE), Some("storage.read:/")),
        (("POST", "/kv/p/k", &[], "1"), Some("storage.modify:/p/k")),
        (("POST", "/kv/p/k?prev=1", &[], "1"), None),
        (
            ("DELETE", "/kv/p/?prefix", &[], NONE),
            Some("storage.modify:/p/"),
        ),
        (("POST", "/kv/p/?claim=1m", &[], NONE), None),
    ];
    for (request, scope) in cases {
        assert_eq!(scope_of(request).as_deref(), scope, "{request:?}");
    }
    // It is.
    let enough: [(Ask, &str); 3] = [
        (("GET", "/kv/p/k", &[], NONE), "storage.read:/p/k"),
        (("GET", "/kv/p/k?list", &[], NONE), "storage.read:/p/"),
        (("DELETE", "/kv/p/k", &[], NONE), "storage.modify:/p/k"),
    ];
    for (request, scope) in enough {
        let client = server.with_token(&server.token_for("alice", scope, None));
        assert_eq!(ask(&client, request, &placeholders).0, 200, "{request:?}");
    }
    // A scope with a key of a thousand escaped characters would be longer than some proxies take.
    let long = "%C3%A9".repeat(500);
    let path: &'static str = Box::leak(format!("/kv/{long}").into_boxed_str());
    assert_eq!(scope_of(("GET", path, &[], NONE)), None);
}

#[test]
fn a_token_for_another_service_opens_nothing_but_whoami() {
    let server = Server::start();
    server.user("alice").set("/kv/a", "1");
    let token = server.token_for("alice", "compute.create", None);
    let client = server.with_token(&token);
    let who = client.get("/whoami");
    assert_eq!(who.status, 200);
    assert_eq!(who.json()["scopes"], json!(["compute.create"]));
    for path in ["/kv/a", "/kv?list", "/kv?count", "/kv?usage", "/kv?watch"] {
        client.get(path).error(403, "forbidden");
    }
    client.post("/kv/a", "2").error(403, "forbidden");
    client.delete("/kv?prefix").error(403, "forbidden");
}

#[test]
fn capabilities_that_are_not_known_do_not_spoil_a_token() {
    let server = Server::start();
    server.user("alice").set("/kv/a", "1");
    let scopes = "storage.read:/ storage.stage:/x storage.poll:/";
    let client = server.with_token(&server.token_for("alice", scopes, None));
    assert_eq!(client.get("/kv/a").text(), "1");
    assert_eq!(client.list("/kv?list"), json!(["/a"]));
    assert_eq!(client.get("/kv?usage").status, 200);
    client.post("/kv/b", "2").error(403, "forbidden");
    client.delete("/kv/a").error(403, "forbidden");
}

#[test]
fn an_escape_in_a_scope_is_decoded_once() {
    let server = Server::start();
    server.user("alice").set("/kv/a%20b", "1");
    let client = server.with_token(&server.token_for("alice", "storage.read:/a%20b", None));
    assert_eq!(client.get("/kv/a%20b").text(), "1");
    client.get("/kv/a%2520b").error(403, "forbidden");
}

/// Fails if a word that can't be parsed is ignored.
#[test]
fn a_storage_scope_that_can_not_be_understood_spoils_the_token() {
    let server = Server::start();
    for scope in [
        "storage.read",
        "storage.read:x",
        "storage.read:/%zz",
        "storage.read:/a/../b",
        "storage.poll",
    ] {
        let client = with_claims(
            &server,
            &json!({"scope": format!("storage.read:/ {scope}")}),
        );
        let error = client.get("/whoami").error(401, "unauthenticated");
        assert!(error.contains(scope), "{error}");
    }
}

#[test]
fn scopes_are_read_from_strings_and_arrays_of_both_claims() {
    let server = Server::start();
    let read = json!(["storage.read:/p"]);
    for claims in [
        json!({"scope": "openid storage.read:/p"}),
        json!({"scope": ["openid", "storage.read:/p"]}),
        json!({"scp": "storage.read:/p"}),
        json!({"scp": ["storage.read:/p"], "scope": "openid"}),
        json!({"scope": ["openid  storage.read:/p"]}),
    ] {
        let who = with_claims(&server, &claims).get("/whoami");
        assert_eq!(who.json()["scopes"], read, "{claims}");
    }
    let both = json!({"scope": "storage.read:/p", "scp": ["storage.modify:/q"]});
    let who = with_claims(&server, &both).get("/whoami");
    assert_eq!(
        who.json()["scopes"],
        json!(["storage.read:/p", "storage.modify:/q"])
    );
    for claims in [
        json!({"scope": 7}),
        json!({"scope": [7]}),
        json!({"scp": {}}),
    ] {
        let client = with_claims(&server, &claims);
        client.get("/whoami").error(401, "unauthenticated");
    }
}
