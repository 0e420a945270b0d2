//! Tokens of a real OpenID provider.

mod admission;
mod jobs;
mod keys;
mod outages;
mod page;

use prominence_server::issuer::IssuerConfig;
use prominence_server::{Limits, Settings};
use serde_json::{Value, json};

use crate::common::{Answer, Server, Setup};
use crate::provider::{AUDIENCE, Provider};

/// The settings of the provider as an issuer, and more of them.
fn table(provider: &Provider, more: &str) -> String {
    let issuer = &provider.issuer;
    format!(
        "[[issuer]]\nname = \"campus\"\nissuer = \"{issuer}\"\nuser-claim = \"preferred_username\"\n\
         pin-subject = false\n{more}\n"
    )
}

/// What settings mean.
fn configured(text: &str) -> Vec<IssuerConfig> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kv.toml");
    std::fs::write(&file, text).unwrap();
    let settings = Settings {
        config: Some(file),
        data_dir: Some(folder.path().to_owned()),
        ..Settings::default()
    };
    settings.resolve().unwrap().issuers
}

/// A server that accepts tokens of issuers with these settings.
fn server(settings: &str) -> Server {
    let usual = Setup::default();
    Server::with(Setup {
        issuers: configured(settings),
        // Callers whose tokens are not verified yet have an eighth of the connections.
        limits: Limits {
            connections: 2_000,
            ..usual.limits
        },
        ..usual
    })
}

/// A server that accepts tokens of the provider that are for this service.
fn for_audience(provider: &Provider) -> Server {
    server(&table(provider, &format!("audience = [\"{AUDIENCE}\"]")))
}

fn whoami(server: &Server, token: &str) -> Answer {
    server.with_token(token).get("/whoami")
}

/// Demands that a token is not accepted, and answers why.
#[track_caller]
fn refused(server: &Server, token: &str) -> String {
    whoami(server, token).error(401, "unauthenticated")
}

#[track_caller]
fn assert_accepted(server: &Server, token: &str) {
    let answer = whoami(server, token);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn a_user_of_the_provider_has_the_keys_of_the_user_of_a_job_token() {
    let provider = Provider::start();
    let server = for_audience(&provider);
    let alice = server.with_token(&provider.token("alice"));
    alice.set("/kv/a", "1");
    assert_eq!(server.user("alice").get("/kv/a").text(), "1");
    let bob = server.with_token(&provider.token("bob"));
    bob.get("/kv/a").error(404, "no_such_key");
    let who = alice.get("/whoami").json();
    assert_eq!(who["issuer"], provider.issuer);
    assert_eq!(who["user"], "alice");
    assert!(who["issued"].is_string());
    let metrics = server.user("monitor").get("//metrics").text();
    for counted in ["accepted\"} 2\n", "remembered\"} 1\n"] {
        let line =
            format!("prominence_token_verifications_total{{issuer=\"campus\",result=\"{counted}");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
}

#[test]
fn scopes_of_a_token_of_the_provider_limit_it() {
    let provider = Provider::start();
    let server = for_audience(&provider);
    server.user("alice").set("/kv/in/x", "1");
    let token = provider.sign(&json!({"scope": "openid storage.read:/in"}));
    let alice = server.with_token(&token);
    assert_eq!(alice.get("/kv/in/x").text(), "1");
    alice.get("/kv/out").error(403, "forbidden");
    alice.post("/kv/in/x", "2").error(403, "forbidden");

    refused(&server, &provider.sign(&json!({"scope": "storage.read"})));
    let metrics = server.user("monitor").get("//metrics").text();
    let line = "prominence_token_verifications_total{issuer=\"campus\",result=\"scope\"} 1\n";
    assert!(metrics.contains(line), "{metrics}");

    let nothing = format!("audience = [\"{AUDIENCE}\"]\nunscoped = \"nothing\"");
    let strict = self::server(&table(&provider, &nothing));
    let token = provider.token("alice");
    assert_eq!(
        whoami(&strict, &token).json()["scopes"],
        json!(["prominence.none"])
    );
    strict
        .with_token(&token)
        .get("/kv/in/x")
        .error(403, "forbidden");
    assert_eq!(server.with_token(&token).get("/kv/in/x").text(), "1");
}

/// Fails if the text of a public key counts as a secret, if a token without a signature is accepted, and if a token
/// that is signed with the secret may name an issuer.
#[test]
fn the_keys_of_the_issuer_are_no_secrets() {
    let provider = Provider::start();
    let server = for_audience(&provider);
    let good = provider.sign(&json!({}));
    assert_accepted(&server, &good);
    let published = provider.document("/jwks")["keys"][0].clone();
    let (key, modulus) = (published.to_string(), published["n"].as_str().unwrap());
    let payload = good.split('.').nth(1).unwrap();
    let pem = provider.pem();
    for secret in [key.as_str(), modulus, &pem, pem.trim_end()] {
        let token = crate::strict_tokens::resign("{\"alg\":\"HS256\"}", payload, secret.as_bytes());
        assert!(refused(&server, &token).contains("signature"));
    }
    for alg in ["none", "None", "nONE"] {
        for signature in ["", "AAAA"] {
            let header = crate::strict_tokens::encode(&format!("{{\"alg\":\"{alg}\"}}"));
            refused(&server, &format!("{header}.{payload}.{signature}"));
        }
    }
    // Signed with the secret of job tokens, in the name of the issuer.
    let issuer = &provider.issuer;
    let now = server.clock_seconds();
    let named = json!({"iss": issuer, "username": "alice", "iat": now, "exp": now + 60});
    let token = crate::auth::sign(&named, crate::auth::KEY);
    assert!(refused(&server, &token).contains("issuer"));
    let other =
        json!({"iss": "https://elsewhere.example.org", "username": "alice", "exp": now + 60});
    assert_accepted(&server, &crate::auth::sign(&other, crate::auth::KEY));
}

/// Fails if the markers of other tokens are ignored, and if `cnf` is.
#[test]
fn only_access_tokens_of_the_provider_are_accepted() {
    let provider = Provider::start();
    let server = for_audience(&provider);
    let answer = provider.log_in("alice");
    assert_accepted(&server, answer["access_token"].as_str().unwrap());
    let id_token = answer["id_token"].as_str().unwrap();
    // This provider marks ID tokens of this flow by their audience alone.
    refused(&server, id_token);
    for claims in [
        json!({"at_hash": "x"}),
        json!({"c_hash": "x"}),
        json!({"typ": "ID"}),
        json!({"typ": "Refresh"}),
        json!({"events": {}}),
    ] {
        let error = refused(&server, &provider.sign(&claims));
        assert!(error.contains("not the access token"), "{claims}: {error}");
    }
    let bound = provider.sign(&json!({"cnf": {"jkt": "x"}}));
    assert!(refused(&server, &bound).contains("cnf"));
}

/// Fails if `crit` is ignored.
#[test]
fn a_header_or_claims_that_could_be_read_in_two_ways_are_refused() {
    let provider = Provider::start();
    let server = for_audience(&provider);
    let with = |header: Value| provider.sign_with(&[], &json!({"header": header}));
    assert_accepted(&server, &with(json!({"typ": "JWT"})));
    for header in [
        json!({"crit": ["x"]}),
        json!({"crit": []}),
        json!({"b64": false}),
        json!({"typ": "secevent+jwt"}),
    ] {
        refused(&server, &with(header));
    }
    let whole = |content: Value| provider.sign_with(&[], &content);
    let iss = &provider.issuer;
    let now = server.clock_seconds();
    let twice = format!(
        "{{\"iss\":\"{iss}\",\"sub\":\"a\",\"sub\":\"b\",\"aud\":\"{AUDIENCE}\",\"iat\":{now},\"exp\":{},\
         \"preferred_username\":\"alice\"}}",
        now + 60
    );
    refused(&server, &whole(json!({"text": twice})));
    let once = twice.replace(",\"sub\":\"b\"", "");
    assert_accepted(&server, &whole(json!({"text": once})));
    for claims in [
        json!({"iss": [iss]}),
        json!({"iss": 7}),
        json!({"iss": format!("{iss}/")}),
    ] {
        refused(&server, &provider.sign(&claims));
    }
}

/// Fails if the lifetime has no limit.
#[test]
fn a_token_counts_within_its_times_and_the_leeway() {
    let provider = Provider::start();
    let server = for_audience(&provider);
    let now = server.clock_seconds();
    for (claims, status) in [
        (json!({"iat": now - 90, "exp": now}), 200),
        (json!({"iat": now - 90, "exp": now - 29}), 200),
        (json!({"iat": now - 90, "exp": now - 31}), 401),
        (json!({"iat": now + 31, "exp": now + 60}), 401),
        (json!({"iat": now, "exp": now + 31 * 86_400}), 401),
        (json!({"iat": null}), 401),
        (json!({"exp": null}), 401),
    ] {
        let answer = whoami(&server, &provider.sign(&claims));
        assert_eq!(answer.status, status, "{claims}: {}", answer.text());
    }
}
