//! Tokens, good and bad.

use std::time::Duration;

use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

use crate::common::{Answer, Client, START, Server};

pub(crate) fn sign(claims: &Value, key: &[u8]) -> String {
    jsonwebtoken::encode(
        &Header::default(),
        claims,
        &EncodingKey::from_secret(key).unwrap(),
    )
    .unwrap()
}

pub(crate) const KEY: &[u8] = b"the secret of these tests";

/// Claims that are accepted, but for those given here; `null` leaves one out.
pub(crate) fn claims(other: &Value) -> Value {
    let now = START.as_secs();
    let mut claims = json!({"username": "alice", "iat": now, "exp": now + 60});
    for (name, value) in other.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims
                .as_object_mut()
                .unwrap()
                .insert(name.clone(), value.clone()),
        };
    }
    claims
}

/// A client of alice with a token with these claims besides.
pub(crate) fn with_claims(server: &Server, other: &Value) -> Client {
    server.with_token(&sign(&claims(other), KEY))
}

/// What such a token says about itself, or why it is not accepted.
pub(crate) fn whoami(server: &Server, other: &Value) -> Answer {
    with_claims(server, other).get("/whoami")
}

#[test]
fn every_kind_of_bad_token_is_refused_with_a_challenge() {
    let server = Server::start();
    let now = START.as_secs();
    let good = sign(&json!({"username": "a", "exp": now + 60}), KEY);
    // {"alg":"none"}
    let none = format!("eyJhbGciOiJub25lIn0.{}.", good.split('.').nth(1).unwrap());
    let cases = [
        ("garbled", "abc".to_owned(), "well-formed"),
        ("cut short", good[..good.len() - 3].to_owned(), ""),
        (
            "expired",
            sign(&json!({"username": "a", "exp": now}), KEY),
            "expired",
        ),
        (
            "early",
            sign(
                &json!({"username": "a", "exp": now + 9, "nbf": now + 5}),
                KEY,
            ),
            "yet",
        ),
        ("unsigned", none, "HS256"),
        (
            "forged",
            sign(&json!({"username": "a", "exp": now + 60}), b"other"),
            "signature",
        ),
        ("without exp", sign(&json!({"username": "a"}), KEY), "exp"),
        (
            "without username",
            sign(&json!({"exp": now + 60}), KEY),
            "username",
        ),
        (
            "empty username",
            sign(&json!({"username": "", "exp": now + 60}), KEY),
            "empty",
        ),
        (
            "long username",
            sign(
                &json!({"username": "x".repeat(10_240), "exp": now + 60}),
                KEY,
            ),
            "10240",
        ),
    ];
    assert_eq!(server.with_token(&good).get("/kv?list").status, 200);
    for (name, token, word) in cases {
        for path in ["/kv?list", "/kv/a", "/whoami"] {
            let answer = server.with_token(&token).get(path);
            let error = answer.error(401, "unauthenticated");
            assert!(error.contains(word), "{name}: {error}");
            let challenge = answer.header("www-authenticate");
            assert!(
                challenge.starts_with("Bearer realm=\"prominence\""),
                "{name}: {challenge}"
            );
            assert!(
                challenge.contains("error=\"invalid_token\""),
                "{name}: {challenge}"
            );
        }
    }
}

#[test]
fn a_request_without_a_token_is_told_how_to_send_one() {
    let server = Server::start();
    let answer = server.anonymous().post("/kv/a", "x");
    assert!(
        answer
            .error(401, "unauthenticated")
            .contains("Authorization: Bearer")
    );
    assert_eq!(
        answer.header("www-authenticate"),
        "Bearer realm=\"prominence\""
    );
    let basic = server
        .anonymous()
        .send("GET", "/kv/a", &[("authorization", "Basic YTpi")], b"");
    basic.error(401, "unauthenticated");
    let lower = format!("bearer {}", server.token("a"));
    let answer = server
        .anonymous()
        .send("GET", "/kv?list", &[("authorization", &lower)], b"");
    assert_eq!(answer.status, 200);
}

#[test]
fn a_token_ends_while_the_server_runs() {
    let server = Server::start();
    let alice = server.user("alice");
    assert_eq!(alice.get("/whoami").status, 200);
    server.clock.advance(Duration::from_secs(3_600));
    alice.get("/whoami").error(401, "unauthenticated");
}

/// The SHA-256 digest of what was signed, in hexadecimal digits.
fn digest(token: &str) -> String {
    let (signed, _) = token.rsplit_once('.').unwrap();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, signed.as_bytes());
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn whoami_says_what_the_token_says() {
    let server = Server::start();
    let token = server.token_for("alice", "storage.read:/in", Some("17"));
    let answer = server.with_token(&token).get("/whoami");
    assert_eq!(
        answer.json(),
        json!({
            "user": "alice", "job": "17", "scopes": ["storage.read:/in"],
            "expires": "2023-11-14T23:13:20.000Z", "issued": "2023-11-14T22:13:20.000Z",
            "issuer": "job-token", "id": digest(&token),
        })
    );
    // Somebody else's name in it changes nothing: the secret says who issued it.
    let answer = whoami(
        &server,
        &json!({"iss": "https://sso.example.org", "iat": null}),
    );
    assert_eq!(answer.json()["issuer"], "job-token");
    assert_eq!(answer.json()["issued"], Value::Null);
}

#[test]
fn two_tokens_are_refused_by_the_name_of_their_header() {
    let server = Server::start();
    let token = server.token("alice");
    for path in ["/prominence/v1/kv/a", "/prominence/v1/whoami"] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
             Authorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        let answer = server.raw(request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(
            answer.contains("Authorization is there more than once"),
            "{answer}"
        );
    }
}
