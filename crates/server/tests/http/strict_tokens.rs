//! Tokens that other verifiers would accept, and that are refused here.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use prominence_server::token::TokenLimits;
use serde_json::{Value, json};

use crate::auth::{KEY, claims, sign, whoami};
use crate::common::{Answer, START, Server, Setup};

/// A part of a token.
pub(crate) fn encode(part: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(part)
}

/// A token with this header and this payload as it is in another one, signed with a secret.
pub(crate) fn resign(header: &str, payload: &str, secret: &[u8]) -> String {
    let signed = format!("{}.{payload}", encode(header));
    let key = EncodingKey::from_secret(secret).unwrap();
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{signed}.{signature}")
}

/// A token with exactly this header and these claims, rightly signed.
fn sign_text(header: &str, claims: &str) -> String {
    let encode = |part: &str| BASE64_URL_SAFE_NO_PAD.encode(part);
    let signed = format!("{}.{}", encode(header), encode(claims));
    let key = EncodingKey::from_secret(KEY).unwrap();
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{signed}.{signature}")
}

fn assert_refused(answer: &Answer, about: &str) {
    let error = answer.error(401, "unauthenticated");
    let challenge = answer.header("www-authenticate");
    assert_eq!(
        challenge, "Bearer realm=\"prominence\", error=\"invalid_token\"",
        "{about}: {error}"
    );
}

#[test]
fn a_header_that_demands_more_than_a_signature_is_refused() {
    let server = Server::start();
    let claims = claims(&json!({})).to_string();
    let ask = |header: &str| {
        let token = sign_text(header, &claims);
        server.with_token(&token).get("/kv?list")
    };
    for header in [
        "{\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"typ\":\"jwt\"}",
        "{\"alg\":\"HS256\",\"typ\":\"application/at+JWT\",\"kid\":\"x\",\"x5u\":\"https://x\"}",
    ] {
        assert_eq!(ask(header).status, 200, "{header}");
    }
    for more in [
        "\"crit\":[\"x\"]",
        "\"crit\":[]",
        "\"b64\":false",
        "\"alg\":\"HS256\"",
        "\"typ\":\"secevent+jwt\"",
        "\"typ\":7",
        "\"kid\":\"\"",
    ] {
        let header = format!("{{\"alg\":\"HS256\",{more}}}");
        assert_refused(&ask(&header), &header);
    }
}

#[test]
fn two_claims_of_the_same_name_are_refused() {
    let server = Server::start();
    let exp = START.as_secs() + 60;
    for twice in [
        "\"username\":\"bob\"",
        "\"exp\":1",
        "\"sub\":\"a\",\"sub\":\"b\"",
    ] {
        let claims = format!("{{\"username\":\"alice\",\"exp\":{exp},{twice}}}");
        let token = sign_text("{\"alg\":\"HS256\"}", &claims);
        assert_refused(&server.with_token(&token).get("/whoami"), &claims);
    }
}

#[test]
fn only_hs256_is_accepted_and_never_no_signature() {
    let server = Server::start();
    let good = sign(&claims(&json!({})), KEY);
    let payload = good.split('.').nth(1).unwrap();
    let signature = good.split('.').nth(2).unwrap();
    for alg in ["none", "None", "nONE", "HS384", "RS256", "EdDSA", "hs256"] {
        let header = BASE64_URL_SAFE_NO_PAD.encode(format!("{{\"alg\":\"{alg}\"}}"));
        for signature in ["", signature] {
            let token = format!("{header}.{payload}.{signature}");
            let answer = server.with_token(&token).get("/whoami");
            assert_refused(&answer, alg);
            assert!(
                answer.error(401, "unauthenticated").contains("HS256"),
                "{alg}"
            );
        }
    }
    let (signed, _) = good.rsplit_once('.').unwrap();
    assert_refused(
        &server.with_token(&format!("{signed}.")).get("/whoami"),
        "empty",
    );
}

#[test]
fn a_token_counts_from_its_beginning_to_its_end_with_the_leeway_and_within_the_longest_life() {
    let server = Server::with(Setup {
        tokens: TokenLimits {
            leeway: Duration::from_secs(30),
            ..TokenLimits::default()
        },
        ..Setup::default()
    });
    let now = START.as_secs();
    let day = 86_400;
    for (other, status) in [
        (json!({"iat": now - 90, "exp": now}), 200),
        (json!({"iat": now - 90, "exp": now - 29}), 200),
        (json!({"iat": now - 90, "exp": now - 31}), 401),
        (json!({"iat": now + 30}), 200),
        (json!({"iat": now + 31}), 401),
        (json!({"iat": now, "exp": now + 30 * day}), 200),
        (json!({"iat": now, "exp": now + 31 * day}), 401),
        (json!({"iat": null, "exp": now + 30 * day}), 200),
        (json!({"iat": null, "exp": now + 31 * day}), 401),
        (json!({"iat": null, "exp": 1e300}), 401),
        (json!({"nbf": now + 30}), 200),
        (json!({"nbf": now + 31}), 401),
    ] {
        let answer = whoami(&server, &other);
        assert_eq!(answer.status, status, "{other}: {}", answer.text());
    }
}

#[test]
fn a_token_that_was_issued_a_moment_ahead_is_good_without_any_leeway() {
    let server = Server::start();
    let now = START.as_secs();
    assert_eq!(whoami(&server, &json!({"iat": now + 30})).status, 200);
    assert_eq!(whoami(&server, &json!({"iat": now + 31})).status, 401);
}

#[test]
fn a_token_that_was_made_for_another_purpose_is_refused() {
    let server = Server::start();
    for other in [
        json!({"at_hash": "x"}),
        json!({"c_hash": "x"}),
        json!({"typ": "ID"}),
        json!({"typ": "Refresh"}),
        json!({"typ": "Offline"}),
        json!({"events": {}}),
    ] {
        let error = whoami(&server, &other).error(401, "unauthenticated");
        assert!(error.contains("not the access token"), "{other}: {error}");
    }
    let bound = whoami(&server, &json!({"cnf": {"jkt": "x"}}));
    assert!(bound.error(401, "unauthenticated").contains("cnf"));
    assert_eq!(whoami(&server, &json!({"typ": "Bearer"})).status, 200);
}

#[test]
fn a_name_that_is_not_a_plain_name_is_refused() {
    let server = Server::start();
    for name in [
        json!(""),
        json!(7),
        json!(["alice"]),
        Value::Null,
        json!("a".repeat(257)),
        json!("a\u{0}b"),
    ] {
        let answer = whoami(&server, &json!({"username": name}));
        assert_refused(&answer, "username");
    }
    let null = sign_text(
        "{\"alg\":\"HS256\"}",
        &format!("{{\"username\":null,\"exp\":{}}}", START.as_secs() + 60),
    );
    assert_refused(&server.with_token(&null).get("/whoami"), "null");
}

#[test]
fn names_that_look_alike_are_different_users() {
    let server = Server::start();
    let names = [
        "Alice",
        "alice ",
        "\u{ff41}lice",
        "\u{e9}",
        "e\u{301}",
        "alice",
    ];
    for name in names {
        server.user(name).set("/kv/who", name);
    }
    for name in names {
        let user = server.user(name);
        assert_eq!(user.get("/kv/who").text(), name);
        assert_eq!(user.list("/kv?list"), json!(["/who"]));
    }
}

#[test]
fn a_token_can_name_hundreds_of_groups_and_is_bounded() {
    let server = Server::start();
    let groups: Vec<_> = (0..400)
        .map(|n| format!("/collaboration/group-{n:020}"))
        .collect();
    let long = sign(&claims(&json!({"groups": groups})), KEY);
    assert!(long.len() > 20 * 1_024, "{}", long.len());
    assert_eq!(server.with_token(&long).get("/whoami").status, 200);
    let longer = sign(&claims(&json!({"filler": "x".repeat(26_000)})), KEY);
    assert!(longer.len() > 33 * 1_024, "{}", longer.len());
    let answer = server.with_token(&longer).get("/whoami");
    assert!(answer.error(401, "unauthenticated").contains("32768"));
}
