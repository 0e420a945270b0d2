//! Tokens for jobs from a login at the provider, whose a name is, and revocations of the provider's tokens.

use std::time::Duration;

use serde_json::{Value, json};

use super::{assert_accepted, for_audience, refused, server, table, whoami};
use crate::common::{Answer, Server};
use crate::provider::{AUDIENCE, Provider};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/json");

const DAY: u64 = 86_400;

/// Makes a token from another one.
fn make(server: &Server, token: &str, form: &str) -> Answer {
    let client = server.with_token(token);
    client.send("POST", "/token", &[FORM], form.as_bytes())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A server that keeps whose a name is.
fn pinning(provider: &Provider) -> Server {
    let settings = table(provider, &format!("audience = [\"{AUDIENCE}\"]"));
    server(&settings.replace("pin-subject = false\n", ""))
}

#[test]
fn a_login_and_its_jobs_see_the_same_keys_and_the_job_may_run_longer() {
    let provider = Provider::start();
    let server = for_audience(&provider);
    let login = provider.token("alice");
    server.with_token(&login).set("/kv/in", "42");
    let form = "scope=storage.read%3A%2Fin&job=17&expires_in=1d";
    let made = make(&server, &login, form);
    assert_eq!(made.status, 200, "{}", made.text());
    assert_eq!(
        made.json()["expires_in"],
        DAY,
        "longer than the login itself"
    );
    let job = server.with_token(text(&made.json()["access_token"]));
    assert_eq!(job.get("/kv/in").text(), "42");
    // By the platform's secret, and by the provider's keys.
    assert_eq!(server.user("alice").get("/kv/in").text(), "42");
    // What is made from it ends no later.
    let child = make(&server, text(&made.json()["access_token"]), "expires_in=7d");
    assert_eq!(child.json()["expires_in"], DAY);
    // The provider is not needed by the job.
    drop(provider);
    assert_eq!(job.get("/kv/in").text(), "42");
}

/// Fails if words of this service in a token of an issuer are copied into the tokens that are made from it.
#[test]
fn an_issuer_can_not_give_the_powers_of_the_operator() {
    let provider = Provider::start();
    let server = for_audience(&provider);
    let bob = server.user("bob");
    let scope = json!({"scope": "storage.read:/ prominence.revoke"});
    let token = provider.sign(&scope);
    let child = make(&server, &token, "");
    assert_eq!(child.status, 200, "{}", child.text());
    let wanted = make(
        &server,
        &token,
        "scope=storage.read%3A%2F+prominence.revoke",
    );
    wanted.error(400, "invalid_scope");
    let child = text(&child.json()["access_token"]).to_owned();
    for token in [&token, &child] {
        for others in [json!({"user": "bob"}), json!({"job": "77"})] {
            let others = others.to_string();
            let client = server.with_token(token);
            let answer = client.send("POST", "/token/revoke", &[JSON], others.as_bytes());
            answer.error(403, "forbidden");
        }
    }
    assert_eq!(bob.get("/whoami").status, 200);
}

#[test]
fn tokens_of_jobs_make_no_others_unless_the_operator_says_so() {
    let provider = Provider::start();
    let jobs = format!("audience = [\"{AUDIENCE}\"]\njob-claim = \"job_id\"");
    let token = provider.sign(&json!({"job_id": "7"}));
    let strict = server(&table(&provider, &jobs));
    make(&strict, &token, "").error(403, "forbidden");
    let open = server(&table(&provider, &format!("{jobs}\nmay-mint = true")));
    let made = make(&open, &token, "expires_in=7d").json();
    let ends = whoami(&open, &token).json()["expires"].clone();
    let child = whoami(&open, text(&made["access_token"])).json();
    assert_eq!(child["job"], "7");
    assert!(
        text(&child["expires"]) <= text(&ends),
        "no longer than the job's own"
    );
}

/// Fails if the subject of a name is not compared with its pin.
#[test]
fn a_name_belongs_to_its_first_account() {
    let provider = Provider::start();
    let server = pinning(&provider);
    assert_accepted(&server, &provider.token("alice"));
    // Another account with the same preferred_username.
    let other = provider.token("mallory");
    for _ in 0..2 {
        let why = whoami(&server, &other).error(403, "forbidden");
        assert!(why.contains("another account"), "{why}");
    }
    assert_accepted(&server, &provider.token("alice"));
    assert_accepted(&server, &provider.token("bob"));
    let nameless = provider.sign(&json!({"sub": null}));
    assert!(refused(&server, &nameless).contains("sub"));
    // The operator says that names are never given away.
    assert_accepted(&for_audience(&provider), &other);
}

/// Fails if a token is named by a digest that covers its signature.
#[test]
fn a_revoked_token_is_refused_in_its_other_spelling_too() {
    let provider = Provider::start();
    let server = for_audience(&provider);
    let token = provider.sign_with(&[("alg", "ES256")], &json!({}));
    let other = with_other_signature(&token);
    assert_ne!(token, other);
    assert_accepted(&server, &token);
    assert_accepted(&server, &other);
    let body = json!({"token": token}).to_string();
    let anonymous = server.anonymous();
    let answer = anonymous.send("POST", "/token/revoke", &[JSON], body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    for token in [&token, &other] {
        assert!(refused(&server, token).contains("revoked"));
    }
    assert_accepted(&server, &provider.token("alice"));
}

#[test]
fn a_token_of_the_provider_is_good_after_a_revocation_once_its_clock_can_not_be_behind() {
    let provider = Provider::start();
    let server = for_audience(&provider);
    let now = server.clock_seconds();
    let login = provider.sign(&json!({"iat": now}));
    let body = json!({"user": "alice"}).to_string();
    let client = server.with_token(&login);
    let answer = client.send("POST", "/token/revoke", &[JSON], body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    server.clock.advance(Duration::from_secs(31));
    let issued = |seconds: u64| provider.sign(&json!({"iat": now + seconds, "exp": now + 600}));
    assert!(refused(&server, &issued(30)).contains("revoked"));
    assert_accepted(&server, &issued(31));
}

/// The same token with the second valid form of its signature by P-256: (r, n - s) for (r, s).
fn with_other_signature(token: &str) -> String {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    // The order of the curve (SEC 2, section 2.4.2).
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    let mut borrow = 0;
    for (byte, order) in bytes[32..].iter_mut().zip(ORDER).rev() {
        let difference = i16::from(order) - i16::from(*byte) - borrow;
        borrow = i16::from(difference < 0);
        *byte = u8::try_from(difference + 256 * borrow).unwrap();
    }
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
}
