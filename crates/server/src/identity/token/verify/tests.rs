//! Which tokens are accepted, and what they stand for.

use super::*;
use crate::identity::token::{NewToken, mint};
use jsonwebtoken::EncodingKey;
use prominence_core::permit::Scopes;
use serde_json::json;

const NOW: Timestamp = Timestamp::from_secs(1_000_000);

fn secret(kid: Option<&str>, key: &[u8]) -> Secret {
    Secret::new(kid, key)
}

fn verifier(secrets: &[Secret]) -> Verifier {
    Verifier::new(secrets, TokenLimits::default())
}

fn sign(claims: &Value, key: &[u8]) -> String {
    let header = jsonwebtoken::Header::default();
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(key).unwrap()).unwrap()
}

#[test]
fn any_text_is_a_token_within_its_times_or_refused() {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
    let key = b"the secret of the fuzz tests, which is long enough";
    let verifier = verifier(&[secret(None, key)]);
    let signing = EncodingKey::from_secret(key).unwrap();
    let header = BASE64.encode("{\"alg\": \"HS256\"}");
    let is_good = |token: &str| match verifier.verify(token, NOW) {
        Ok(principal) => {
            assert!(principal.expires > NOW);
            assert!(
                principal
                    .issued
                    .is_none_or(|issued| issued <= NOW.after(ISSUED_AHEAD))
            );
            true
        }
        Err(_) => false,
    };
    let good = std::cell::Cell::new(0);
    prominence_fuzz::run("token", |input| {
        is_good(&String::from_utf8_lossy(input));
        // The same bytes as claims that are signed well.
        let signed = format!("{header}.{}", BASE64.encode(input));
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &signing, Algorithm::HS256);
        if is_good(&format!("{signed}.{}", signature.unwrap())) {
            good.set(good.get() + 1);
        }
    });
    assert!(good.get() > 0, "no claims of the corpus are good");
}

#[test]
fn a_minted_token_says_who_its_bearer_is() {
    let secret = secret(None, b"one");
    let token = NewToken {
        user: Namespace::parse("a/b 🦀").unwrap(),
        job: Some(Job::parse("17").unwrap()),
        groups: vec!["g".into()],
        scopes: Scopes::parse("storage.read:/in").unwrap(),
        lifetime: Duration::from_secs(60),
    };
    let text = mint(&secret, &token, NOW).unwrap();
    let who = verifier(&[secret]).verify(&text, NOW).unwrap();
    assert_eq!(
        (who.user, who.job, who.scopes),
        (token.user, token.job, token.scopes)
    );
    assert_eq!(who.expires, Timestamp::from_secs(1_000_060));
    assert_eq!((who.issued, who.issuer.as_str()), (Some(NOW), "job-token"));
}

#[test]
fn a_token_is_named_by_a_digest_of_what_was_signed() {
    let verifier = verifier(&[secret(None, b"k")]);
    let id = |text: &str| verifier.verify(text, NOW).unwrap().id;
    let sign = |exp: u64| sign(&json!({"username": "a", "exp": exp}), b"k");
    let (first, second) = (sign(1_000_060), sign(1_000_061));
    assert_eq!(id(&first), id(&first));
    assert_ne!(id(&first), id(&second));
    let (signed, _) = first.rsplit_once('.').unwrap();
    let digest = digest::digest(&digest::SHA256, signed.as_bytes());
    assert_eq!(id(&first), digest.as_ref());
}

#[test]
fn a_token_lasts_no_longer_than_the_limit_from_its_beginning_or_from_now() {
    let limits = TokenLimits {
        leeway: Duration::from_secs(30),
        max_lifetime: Duration::from_secs(3_600),
    };
    let verifier = Verifier::new(&[secret(None, b"k")], limits);
    let at_once = |claims: Value| verifier.verify(&sign(&claims, b"k"), NOW).map(|_| ());
    let too_long = Err(Rejected::TooLongLived(Duration::from_secs(3_600)));
    let with_iat = |iat: u64, exp: u64| json!({"username": "a", "iat": iat, "exp": exp});
    assert_eq!(at_once(with_iat(999_000, 1_002_600)), Ok(()));
    assert_eq!(at_once(with_iat(999_000, 1_002_601)), too_long);
    assert_eq!(at_once(with_iat(1_000_030, 1_003_630)), Ok(()));
    let early = at_once(with_iat(1_000_031, 1_003_631));
    assert_eq!(early, Err(Rejected::NotYetValid));
    let without = |exp: f64| json!({"username": "a", "exp": exp});
    assert_eq!(at_once(without(1_003_600.0)), Ok(()));
    assert_eq!(at_once(without(1_003_601.0)), too_long);
    assert_eq!(at_once(without(1e300)), too_long);
}

#[test]
fn what_was_made_for_another_purpose_is_no_access_token() {
    let verifier = verifier(&[secret(None, b"k")]);
    for (name, value, rejected) in [
        ("at_hash", json!("x"), Rejected::NotAccessToken),
        ("c_hash", json!("x"), Rejected::NotAccessToken),
        ("typ", json!("ID"), Rejected::NotAccessToken),
        ("typ", json!("Refresh"), Rejected::NotAccessToken),
        ("typ", json!("Offline"), Rejected::NotAccessToken),
        ("events", json!({}), Rejected::NotAccessToken),
        ("cnf", json!({"jkt": "x"}), Rejected::Bound),
    ] {
        let mut claims = json!({"username": "a", "exp": 1_000_060, "typ": "Bearer"});
        assert!(verifier.verify(&sign(&claims, b"k"), NOW).is_ok());
        claims[name] = value;
        let verified = verifier.verify(&sign(&claims, b"k"), NOW);
        assert_eq!(verified, Err(rejected), "{claims}");
    }
}

#[test]
fn a_token_ends_at_its_exp_and_begins_at_its_nbf_give_or_take_the_leeway() {
    let token = sign(
        &json!({"username": "a", "exp": 1_000_060, "nbf": 1_000_000.5}),
        b"k",
    );
    let at = |verifier: &Verifier, secs| verifier.verify(&token, Timestamp::from_secs(secs));
    let strict = verifier(&[secret(None, b"k")]);
    assert_eq!(at(&strict, 1_000_000), Err(Rejected::NotYetValid));
    assert!(at(&strict, 1_000_001).is_ok());
    assert!(at(&strict, 1_000_059).is_ok());
    assert_eq!(at(&strict, 1_000_060), Err(Rejected::Expired));
    let limits = TokenLimits {
        leeway: Duration::from_secs(5),
        ..TokenLimits::default()
    };
    let lenient = Verifier::new(&[secret(None, b"k")], limits);
    assert!(at(&lenient, 999_996).is_ok());
    assert!(at(&lenient, 1_000_064).is_ok());
    assert_eq!(at(&lenient, 1_000_065), Err(Rejected::Expired));
}

#[test]
fn secrets_are_chosen_by_kid_or_by_trial() {
    let both = verifier(&[secret(Some("new"), b"n"), secret(Some("old"), b"o")]);
    let claims = json!({"username": "a", "exp": 2_000_000});
    assert!(both.verify(&sign(&claims, b"o"), NOW).is_ok());
    assert_eq!(
        both.verify(&sign(&claims, b"x"), NOW),
        Err(Rejected::Signature)
    );
    let header = jsonwebtoken::Header {
        kid: Some("new".into()),
        ..jsonwebtoken::Header::default()
    };
    let named =
        |key| jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(key).unwrap());
    assert!(both.verify(&named(b"n").unwrap(), NOW).is_ok());
    assert_eq!(
        both.verify(&named(b"o").unwrap(), NOW),
        Err(Rejected::Signature)
    );
}

#[test]
fn claims_that_cannot_be_used_are_named() {
    let verifier = verifier(&[secret(None, b"k")]);
    for (claims, word) in [
        (json!({"exp": 2_000_000}), "username"),
        (json!({"username": "a"}), "exp"),
        (json!({"username": "", "exp": 2_000_000}), "username"),
        (
            json!({"username": "x".repeat(10_240), "exp": 2_000_000}),
            "10240",
        ),
        (json!({"username": "a", "exp": -1}), "exp"),
        (json!({"username": 7, "exp": 2_000_000}), "string"),
        (json!({"username": null, "exp": 2_000_000}), "string"),
        (
            json!({"username": "a", "exp": 2_000_000, "scope": "storage.x"}),
            "storage.x",
        ),
        (
            json!({"username": "a", "exp": 2_000_000, "scope": null}),
            "scope",
        ),
        (
            json!({"username": "a", "exp": 2_000_000, "scp": ["a", 7]}),
            "scp",
        ),
        (json!({"username": "a", "exp": 2_000_000, "iss": 7}), "iss"),
        (json!({"username": "a", "exp": 2_000_000, "typ": {}}), "typ"),
        (json!({"username": "a", "exp": "2000000"}), "exp"),
        (
            json!({"username": "a", "exp": 2_000_000, "job": null}),
            "job",
        ),
        (
            json!({"username": "a", "exp": 2_000_000, "job": "a\nb"}),
            "job",
        ),
    ] {
        match verifier.verify(&sign(&claims, b"k"), NOW) {
            Err(Rejected::Claims(why) | Rejected::Scopes(why)) => {
                assert!(why.contains(word), "{why}");
            }
            other => panic!("{claims}: {other:?}"),
        }
    }
}

#[test]
fn unsigned_and_garbled_tokens_are_rejected() {
    let verifier = verifier(&[secret(None, b"k")]);
    // {"alg":"none","typ":"JWT"} and {"username":"a","exp":2000000}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJ1c2VybmFtZSI6ImEiLCJleHAiOjIwMDAwMDB9.";
    assert_eq!(verifier.verify(none, NOW), Err(Rejected::Algorithm));
    let good = sign(&json!({"username": "a", "exp": 2_000_000}), b"k");
    assert!(verifier.verify(&good, NOW).is_ok());
    for garbled in [
        "",
        "x",
        "a.b.c",
        &good[1..],
        &good[..good.len() - 2],
        &format!("{good}."),
    ] {
        assert!(verifier.verify(garbled, NOW).is_err(), "{garbled}");
    }
}

#[test]
fn a_job_is_named_by_a_number_or_a_word() {
    let verifier = verifier(&[secret(None, b"k")]);
    for (job, id) in [
        (json!(17), Some("17")),
        (json!("j-1"), Some("j-1")),
        (json!(""), None),
    ] {
        let token = sign(
            &json!({"username": "a", "exp": 2_000_000, "job": job}),
            b"k",
        );
        let who = verifier.verify(&token, NOW).unwrap();
        assert_eq!(who.job.as_ref().map(Job::as_str), id);
    }
}
