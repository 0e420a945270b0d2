//! The keys of the provider: what they are, and how they change.

use std::time::Duration;

use serde_json::json;

use super::{assert_accepted, for_audience, refused, whoami};
use crate::provider::Provider;

#[test]
fn both_names_of_ed25519_are_accepted_with_keys_of_either_name_or_none() {
    let provider = Provider::start();
    for name in [Some("Ed25519"), Some("EdDSA"), None] {
        let mut set = provider.document("/jwks");
        for key in set["keys"].as_array_mut().unwrap() {
            if key["kty"] == "OKP" {
                match name {
                    Some(name) => key["alg"] = name.into(),
                    None => drop(key.as_object_mut().unwrap().remove("alg")),
                }
            }
        }
        provider.fail("/jwks", &json!({"body": set.to_string()}));
        let server = for_audience(&provider);
        for alg in ["Ed25519", "EdDSA"] {
            let content = json!({"header": {"alg": alg}});
            assert_accepted(&server, &provider.sign_with(&[("alg", "EdDSA")], &content));
        }
        provider.heal();
    }
    let server = for_audience(&provider);
    assert_accepted(
        &server,
        &provider.sign_with(&[("alg", "ES256")], &json!({})),
    );
}

/// Fails if a set with a key that can't be used counts as empty.
#[test]
fn a_key_that_can_not_be_used_does_not_spoil_the_others() {
    let provider = Provider::start();
    let mut set = provider.document("/jwks");
    let short = json!({"kty": "RSA", "kid": "short", "n": "gA", "e": "AQAB"});
    let odd = [
        json!({"kty": "RSA", "kid": 7}),
        json!("a key"),
        json!({"kty": "oct", "kid": "rs256-1", "k": "c2VjcmV0"}),
        json!({"kty": "AKP", "kid": "a", "alg": "ML-DSA-44", "pub": "AA"}),
        json!({"kty": "EC", "crv": "P-521", "kid": "b", "x": "AA", "y": "AA"}),
        short,
    ];
    let keys = set["keys"].as_array_mut().unwrap();
    for key in odd {
        keys.insert(0, key);
    }
    provider.fail("/jwks", &json!({"body": set.to_string()}));
    let server = for_audience(&provider);
    assert_accepted(&server, &provider.sign(&json!({})));
    let payload = provider.sign(&json!({}));
    let payload = payload.split('.').nth(1).unwrap();
    let header = "{\"alg\":\"HS256\",\"kid\":\"rs256-1\"}";
    refused(
        &server,
        &crate::strict_tokens::resign(header, payload, b"secret"),
    );
}

/// Fails if the name of the issuer is not compared.
#[test]
fn a_configuration_of_another_issuer_is_not_taken() {
    let provider = Provider::start();
    let mut document = provider.document("/.well-known/openid-configuration");
    document["issuer"] = format!("{}/", provider.issuer).into();
    let where_ = "/.well-known/openid-configuration";
    provider.fail(where_, &json!({"body": document.to_string()}));
    let server = for_audience(&provider);
    let answer = whoami(&server, &provider.token("alice"));
    answer.error(503, "unavailable");
    assert!(!answer.header("retry-after").is_empty());
}

/// Fails without the pause between fetches, without the memory of unknown names, and if an unknown key is refused with
/// 401 before the issuer was asked.
#[test]
fn a_new_key_is_never_refused_and_invented_ones_cause_few_requests() {
    let provider = Provider::start();
    let server = for_audience(&provider);
    assert_accepted(&server, &provider.sign(&json!({})));
    let before = provider.requests("/jwks");
    let invent = |number: u32| {
        let header = json!({"header": {"kid": format!("invented-{number}")}});
        provider.sign_with(&[], &header)
    };
    // Signing is the provider's work, so that a few tokens stand for many: each is answered by the server alone.
    let invented: Vec<_> = (0..50).map(invent).collect();
    let mut fresh = None;
    for second in 0..20 {
        for token in &invented {
            let status = whoami(&server, token).status;
            assert!(matches!(status, 401 | 503), "{status}");
        }
        if second == 5 {
            provider.rotate("add");
            fresh = Some(provider.sign(&json!({})));
        }
        if let Some(token) = &fresh {
            let status = whoami(&server, token).status;
            let in_time = second < 15;
            assert!(
                status == 200 || (in_time && status == 503),
                "{second}: {status}"
            );
        }
        server.clock.advance(Duration::from_secs(1));
    }
    assert!(provider.requests("/jwks") - before <= 3);
    // A name that the issuer has just been asked for is unknown, and needs no other question.
    for _ in 0..2 {
        refused(&server, &invented[0]);
    }
}

/// Fails if the generation of the keys is not compared.
#[test]
fn what_a_withdrawn_key_has_signed_is_refused_after_the_next_refresh() {
    let provider = Provider::start();
    let server = for_audience(&provider);
    let old = provider.sign(&json!({}));
    assert_accepted(&server, &old);
    provider.rotate("replace");
    assert_accepted(&server, &old);
    server.clock.advance(Duration::from_secs(11));
    // A token by the new key has the keys fetched.
    assert_accepted(&server, &provider.sign(&json!({})));
    server.clock.advance(Duration::from_secs(11));
    refused(&server, &old);
}

#[test]
fn a_key_that_is_only_published_changes_nothing() {
    let provider = Provider::start();
    let server = for_audience(&provider);
    let old = provider.sign(&json!({}));
    assert_accepted(&server, &old);
    provider.rotate("publish");
    server.clock.advance(Duration::from_secs(400));
    assert_accepted(&server, &old);
    assert_accepted(
        &server,
        &provider.sign(&json!({"exp": server.clock_seconds() + 60})),
    );
}

#[test]
fn a_badly_signed_token_of_a_known_key_is_refused_at_once() {
    let provider = Provider::start();
    let server = for_audience(&provider);
    let good = provider.sign(&json!({}));
    assert_accepted(&server, &good);
    let (signed, _) = good.rsplit_once('.').unwrap();
    let other = provider.sign(&json!({"sub": "x"}));
    let (_, signature) = other.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{signature}");
    let error = refused(&server, &forged);
    assert!(error.contains("signature"), "{error}");
}
