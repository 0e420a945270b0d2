//! The provider does not answer, answers nonsense, or is asked too often.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::{assert_accepted, for_audience, refused, server, table, whoami};
use crate::common::Server;
use crate::provider::{AUDIENCE, Provider};

/// No answer takes longer because of an issuer.
const SOON: Duration = Duration::from_millis(3_500);

/// What waits for an issuer that does not answer takes 3 s; everything else far less, also on a busy machine.
const HELD_BY_ISSUER: Duration = Duration::from_millis(2_500);

/// A server that asks the provider about opaque tokens.
fn introspecting(provider: &Provider) -> (Server, tempfile::TempDir) {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("client.secret");
    std::fs::write(&file, "the secret of prominence-kv").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut settings = table(
        provider,
        &format!(
            "audience = [\"https://opaque.example.org\", \"{AUDIENCE}\"]\nopaque = \"introspection\""
        ),
    );
    let _ = write!(
        settings,
        "[issuer.introspection]\nclient-id = \"prominence-kv\"\nclient-secret-file = \"{}\"\n",
        file.display()
    );
    (server(&settings), folder)
}

/// The answer to an introspection of a token, as this service gets it.
fn introspect(provider: &Provider, token: &str) -> serde_json::Value {
    let client = BASE64_STANDARD.encode("prominence-kv:the%20secret%20of%20prominence-kv");
    let mut answer = ureq::post(format!("{}/introspect", provider.issuer))
        .header("authorization", format!("Basic {client}"))
        .content_type("application/x-www-form-urlencoded")
        .send(format!("token={token}"))
        .unwrap();
    serde_json::from_slice(&answer.body_mut().read_to_vec().unwrap()).unwrap()
}

fn opaque(provider: &Provider) -> String {
    provider.mint(&[("audience", "https://opaque.example.org")])
}

/// Fails if a signed token with odd spelling is taken for an opaque one, which has another name.
#[test]
fn a_signed_token_that_is_spelt_otherwise_is_not_introspected() {
    let provider = Provider::start();
    let (server, _folder) = introspecting(&provider);
    let token = provider.token("alice");
    assert_accepted(&server, &token);
    let (head, rest) = token.split_once('.').unwrap();
    for odd in [format!("{token}="), format!("{head}=.{rest}")] {
        refused(&server, &odd);
    }
    assert_eq!(provider.requests("/introspect"), 0);
}

/// Fails if refusals are not remembered.
#[test]
fn opaque_tokens_are_introspected_and_remembered() {
    let provider = Provider::start();
    let (server, _folder) = introspecting(&provider);
    let token = opaque(&provider);
    for _ in 0..3 {
        assert_eq!(whoami(&server, &token).json()["user"], "alice");
    }
    assert_eq!(provider.requests("/introspect"), 1);
    server.clock.advance(Duration::from_secs(61));
    assert_accepted(&server, &token);
    assert_eq!(provider.requests("/introspect"), 2);
    for _ in 0..3 {
        refused(&server, "invented");
    }
    assert_eq!(
        provider.requests("/introspect"),
        3,
        "a refusal is remembered"
    );
    refused(&for_audience(&provider), &token);
}

/// Fails if answers of before the outage don't count.
#[test]
fn while_the_provider_is_down_each_token_is_answered_as_the_table_says() {
    let mut provider = Provider::start();
    let (server, _folder) = introspecting(&provider);
    let (seen, new) = (provider.token("alice"), provider.token("bob"));
    let (opaque_seen, opaque_new) = (opaque(&provider), opaque(&provider));
    let unknown = provider.sign_with(&[], &json!({"header": {"kid": "unknown"}}));
    let expired = provider.sign(&json!({"exp": server.clock_seconds() - 60}));
    let elsewhere = provider.mint(&[("audience", "https://other.example.org")]);
    assert_accepted(&server, &seen);
    assert_accepted(&server, &opaque_seen);
    provider.kill();
    server.clock.advance(Duration::from_secs(61));
    let job = server.token("alice");
    for (token, status) in [
        (&seen, 200),
        (&new, 200),
        (&unknown, 503),
        (&opaque_seen, 200),
        (&opaque_new, 503),
        (&job, 200),
        (&expired, 401),
        (&elsewhere, 401),
    ] {
        let began = Instant::now();
        let answer = whoami(&server, token);
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(status == 503, !answer.header("retry-after").is_empty());
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    }
    // What was told of a token is used for a quarter of an hour.
    server.clock.advance(Duration::from_secs(850));
    whoami(&server, &opaque_seen).error(503, "unavailable");
    assert_accepted(&server, &new);
    provider.start_again();
    server.clock.advance(Duration::from_secs(11));
    assert_accepted(&server, &opaque_new);
    assert_accepted(&server, &opaque_seen);
}

/// Fails without the time limit, and without the circuit breaker.
#[test]
fn a_provider_that_hangs_keeps_nobody_waiting_for_long() {
    let provider = Provider::start();
    let (server, _folder) = introspecting(&provider);
    assert_accepted(&server, &provider.token("alice"));
    provider.fail("*", &json!({"hangs": true}));
    let token = server.token("alice");
    // Each has an address of its own, so that the limit on one client's tokens does not refuse it at once.
    let ask = |number: usize| {
        let address = format!("127.0.1.{number}");
        let from = server.client_from(&address);
        let began = Instant::now();
        assert_eq!(from(&format!("opaque-{number}")), 503);
        began.elapsed()
    };
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (1..=200)
            .map(|number| scope.spawn(move || ask(number)))
            .collect();
        for _ in 0..20 {
            let began = Instant::now();
            assert_accepted(&server, &token);
            assert!(began.elapsed() < HELD_BY_ISSUER, "{:?}", began.elapsed());
        }
        let longest = waiting.into_iter().map(|one| one.join().unwrap()).max();
        assert!(longest < Some(SOON), "{longest:?}");
    });
    let began = Instant::now();
    whoami(&server, "opaque-late").error(503, "unavailable");
    assert!(began.elapsed() < HELD_BY_ISSUER, "the circuit is open");
}

#[test]
fn a_server_starts_without_the_provider_and_finds_it_later() {
    let mut provider = Provider::start();
    let token = provider.token("alice");
    provider.kill();
    let server = for_audience(&provider);
    whoami(&server, &token).error(503, "unavailable");
    assert_accepted(&server, &server.token("alice"));
    provider.start_again();
    server.clock.advance(Duration::from_secs(11));
    assert_accepted(&server, &token);
}

/// Fails if keys count without a limit of time.
#[test]
fn keys_that_were_not_confirmed_for_a_day_accept_nothing_new() {
    let mut provider = Provider::start();
    let server = for_audience(&provider);
    let day = 86_400;
    let long = json!({"exp": server.clock_seconds() + 3 * day});
    let (seen, new) = (
        provider.sign(&long),
        provider.sign(&{
            let mut claims = long.clone();
            claims["jti"] = "new".into();
            claims
        }),
    );
    assert_accepted(&server, &seen);
    provider.kill();
    server.clock.advance(Duration::from_secs(day + 60));
    assert_accepted(&server, &seen);
    whoami(&server, &new).error(503, "unavailable");
    provider.start_again();
    server.clock.advance(Duration::from_secs(11));
    assert_accepted(&server, &new);
}

/// Fails if the requests that one client causes have no limit.
#[test]
fn one_client_with_invented_tokens_does_not_use_up_the_introspection_of_others() {
    let provider = Provider::start();
    let (server, _folder) = introspecting(&provider);
    let good = opaque(&provider);
    let before = provider.requests("/introspect");
    let began = Instant::now();
    let flood = server.client_from("127.0.0.2");
    for number in 0..5_000 {
        let status = flood(&format!("invented-{number}"));
        assert!(matches!(status, 401 | 503), "{status}");
    }
    let asked = provider.requests("/introspect") - before;
    // 20 at once, and 10 a second.
    let allowed = 21 + 10 * began.elapsed().as_secs();
    assert!(asked <= allowed + 10, "{asked} of {allowed}");
    assert_accepted(&server, &good);
}

/// Fails if the requests of all clients together have no limit.
#[test]
fn many_clients_with_invented_tokens_do_not_flood_the_issuer() {
    let provider = Provider::start();
    let (server, _folder) = introspecting(&provider);
    let before = provider.requests("/introspect");
    let began = Instant::now();
    for client in 1..=60 {
        let address = format!("127.0.1.{client}");
        let flood = server.client_from(&address);
        for number in 0..10 {
            let status = flood(&format!("invented-{client}-{number}"));
            assert!(matches!(status, 401 | 503), "{status}");
        }
    }
    let asked = provider.requests("/introspect") - before;
    // 50 at once, and 50 a second.
    let allowed = 51 + 50 * began.elapsed().as_secs();
    assert!(asked <= allowed + 50, "{asked} of {allowed}");
    assert!(asked < 600, "the limit was reached");
}

/// Fails if a request does not wait for the introspection that another one of the same token has begun.
#[test]
fn requests_with_the_same_new_token_share_one_introspection() {
    let provider = Provider::start();
    let (server, _folder) = introspecting(&provider);
    let token = opaque(&provider);
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| assert_accepted(&server, &token));
        }
    });
    assert_eq!(provider.requests("/introspect"), 1);
}

#[test]
fn a_client_that_revokes_invented_tokens_makes_no_more_requests_to_the_issuer_than_another() {
    let provider = Provider::start();
    let (server, _folder) = introspecting(&provider);
    let began = Instant::now();
    let nobody = server.anonymous();
    for number in 0..60 {
        let body = json!({"token": format!("invented-{number}")}).to_string();
        let json = [("content-type", "application/json")];
        let status = nobody
            .send("POST", "/token/revoke", &json, body.as_bytes())
            .status;
        assert!(matches!(status, 200 | 503), "{status}");
    }
    let asked = provider.requests("/introspect");
    let allowed = 21 + 10 * began.elapsed().as_secs();
    assert!(asked <= allowed + 10, "{asked} of {allowed}");
}

/// Fails if redirects are followed, and if the length of an answer has no limit.
#[test]
fn an_answer_that_is_none_is_503_and_redirects_are_not_followed() {
    let (provider, other) = (Provider::start(), Provider::start());
    let (server, _folder) = introspecting(&provider);
    let token = opaque(&provider);
    let location = format!("{}/introspect", other.issuer);
    let claims = introspect(&provider, &token);
    let mut padded = claims.clone();
    padded["padding"] = json!("x".repeat(300 << 10));
    let long = padded.to_string();
    for fault in [
        json!({"status": 401, "body": "{}"}),
        json!({"status": 200, "type": "text/html", "body": "<!doctype html>"}),
        json!({"status": 200, "bytes": 10_000_000}),
        // Well-formed, and longer than any answer has to be.
        json!({"status": 200, "body": long}),
        json!({"status": 302, "location": location}),
        json!({"status": 200, "body": "[]"}),
        json!({"status": 200, "body": "{}"}),
        json!({"status": 500, "body": "{}"}),
    ] {
        provider.fail("/introspect", &fault);
        let answer = whoami(&server, &token);
        assert_eq!(answer.status, 503, "{fault}: {}", answer.text());
    }
    assert_eq!(other.requests("/introspect"), 0);
    server.clock.advance(Duration::from_secs(11));
    provider.fail("/introspect", &json!({"body": claims.to_string()}));
    assert_accepted(&server, &token);
    let error = "{\"active\": false}";
    provider.fail("/introspect", &json!({"body": error}));
    server.clock.advance(Duration::from_secs(61));
    refused(&server, &token);
}

/// Fails if the subjects are not compared.
#[test]
fn userinfo_of_another_subject_is_refused() {
    let provider = Provider::start();
    let settings = format!("audience = [\"{AUDIENCE}\"]\nclaims-from = \"userinfo\"");
    let server = server(&table(&provider, &settings));
    let token = provider.sign(&json!({"preferred_username": null}));
    let told = |sub: &str| {
        let body = json!({"sub": sub, "preferred_username": "alice"}).to_string();
        provider.fail("/userinfo", &json!({"body": body}));
    };
    told("bob");
    refused(&server, &token);
    told("alice");
    server.clock.advance(Duration::from_secs(11));
    assert_eq!(whoami(&server, &token).json()["user"], "alice");
    provider.fail("/userinfo", &json!({"status": 401, "body": "{}"}));
    server.clock.advance(Duration::from_secs(61));
    refused(&server, &token);
    provider.fail("/userinfo", &json!({"status": 403, "body": "{}"}));
    server.clock.advance(Duration::from_secs(11));
    whoami(&server, &token).error(503, "unavailable");
}

#[test]
fn an_opaque_token_can_be_looked_up_by_userinfo_alone() {
    let provider = Provider::start();
    let settings = "any-audience = true\nopaque = \"userinfo\"";
    let server = server(&table(&provider, settings));
    let token = provider.mint(&[("audience", "none"), ("user", "bob")]);
    assert_eq!(whoami(&server, &token).json()["user"], "bob");
    refused(&server, "invented");
}

/// Ends threads when it is dropped, also where the test fails: the test would otherwise wait for them for ever.
struct EndsThreads<'a>(&'a AtomicBool);

impl Drop for EndsThreads<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asks with every kind of token, while the provider changes.
#[test]
fn tokens_of_every_kind_are_accepted_while_keys_rotate_and_the_provider_hangs_and_is_killed() {
    let mut provider = Provider::start();
    let (server, _folder) = introspecting(&provider);
    let minted = |token: &str| {
        let client = server.with_token(token);
        let made = client.send("POST", "/token", &[], b"").json();
        made["access_token"].as_str().unwrap().to_owned()
    };
    let own = provider.token("alice");
    let seen = [
        ("signed with the secret", server.token("alice")),
        ("made from a login", minted(&own)),
        ("signed by the issuer", own),
        (
            "signed by another algorithm",
            provider.sign_with(&[("alg", "ES256")], &json!({})),
        ),
        ("opaque", opaque(&provider)),
    ];
    for (_, token) in &seen {
        assert_accepted(&server, token);
    }
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _guard = EndsThreads(&is_over);
        for (kind, token) in &seen {
            let (server, is_over) = (&server, &is_over);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let answer = whoami(server, token);
                    assert_eq!(answer.status, 200, "{kind}: {}", answer.text());
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
        }
        // A token by a key that is not known yet; only its first question may wait for the cooldown.
        let fresh = || {
            let token = provider.sign(&json!({"jti": "fresh"}));
            let status = whoami(&server, &token).status;
            assert!(matches!(status, 200 | 503), "{status}");
            server.clock.advance(Duration::from_secs(11));
            assert_accepted(&server, &token);
        };
        for mode in ["add", "publish"] {
            provider.rotate(mode);
            fresh();
        }
        provider.fail("*", &json!({"hangs": true}));
        whoami(&server, "opaque-new").error(503, "unavailable");
        provider.heal();
        provider.kill();
        whoami(&server, "opaque-newer").error(503, "unavailable");
        provider.start_again();
        server.clock.advance(Duration::from_secs(11));
        assert_accepted(&server, &opaque(&provider));
    });
    // Withdrawn keys count no longer once the set has been fetched again; nothing else changes.
    provider.rotate("replace");
    // Beyond the cooldown, so that the set may be fetched.
    let later = |token: &str| {
        server.clock.advance(Duration::from_secs(11));
        whoami(&server, token).status
    };
    assert_eq!(later(&provider.sign(&json!({"jti": "last"}))), 200);
    let statuses = seen.map(|(_, token)| later(&token));
    assert_eq!(statuses, [200, 200, 401, 401, 200]);
}
