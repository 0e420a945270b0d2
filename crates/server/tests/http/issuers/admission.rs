//! Who a token is for, who its user is, and who may use the service.

use serde_json::{Value, json};

use super::{assert_accepted, for_audience, refused, server, table, whoami};
use crate::provider::{AUDIENCE, Provider};

/// Fails if the audience is not checked.
#[test]
fn a_token_that_is_not_for_this_service_is_refused() {
    let provider = Provider::start();
    let server = for_audience(&provider);
    for aud in [
        json!([]),
        Value::Null,
        json!(7),
        json!(["x"]),
        json!("https://kv.example.org/"),
    ] {
        let error = refused(&server, &provider.sign(&json!({"aud": aud})));
        assert!(error.contains("aud"), "{aud}: {error}");
    }
    let other = provider.mint(&[("audience", "https://other.example.org")]);
    refused(&server, &other);
    assert_accepted(
        &server,
        &provider.sign(&json!({"aud": ["other", AUDIENCE]})),
    );
}

/// Fails if the audience is not checked.
#[test]
fn the_audience_of_all_counts_only_where_it_is_listed() {
    let provider = Provider::start();
    let wlcg = "https://wlcg.cern.ch/jwt/v1/any";
    let token = provider.sign(&json!({"aud": wlcg}));
    refused(&for_audience(&provider), &token);
    let listed = format!("audience = [\"{AUDIENCE}\", \"{wlcg}\"]");
    assert_accepted(&server(&table(&provider, &listed)), &token);
}

/// Fails if the client is not checked.
#[test]
fn without_an_audience_the_client_binds_a_token_to_this_service() {
    let provider = Provider::start();
    let parties = "authorized-parties = [\"prominence-cli\"]";
    let server = server(&table(&provider, parties));
    let token = |azp: Value, client: Value| {
        provider.sign(&json!({"aud": null, "azp": azp, "client_id": client}))
    };
    assert_accepted(&server, &token("prominence-cli".into(), Value::Null));
    refused(&server, &token("other".into(), "prominence-cli".into()));
    assert_accepted(&server, &token(Value::Null, "prominence-cli".into()));
    refused(&server, &token(Value::Null, Value::Null));
}

#[test]
fn a_claim_that_is_not_a_name_is_refused() {
    let provider = Provider::start();
    let server = for_audience(&provider);
    for name in [
        json!(""),
        json!(7),
        json!(["alice"]),
        Value::Null,
        json!("a".repeat(257)),
        json!("a\u{0}b"),
    ] {
        refused(
            &server,
            &provider.sign(&json!({"preferred_username": name})),
        );
    }
}

#[test]
fn names_that_look_alike_are_different_users() {
    let provider = Provider::start();
    let server = for_audience(&provider);
    let names = ["Alice", "alice ", "\u{ff41}lice", "\u{e9}", "e\u{301}"];
    let client =
        |name: &str| server.with_token(&provider.sign(&json!({"preferred_username": name})));
    for name in names {
        client(name).set("/kv/who", name);
    }
    for name in names {
        assert_eq!(client(name).get("/kv/who").text(), name);
    }
}

/// Fails if an issuer may name every namespace, and if a signature is also verified by the keys of other issuers.
#[test]
fn an_issuer_can_not_name_the_users_of_another() {
    let (first, second) = (Provider::start(), Provider::start());
    let audience = format!("audience = [\"{AUDIENCE}\"]");
    let settings = format!(
        "{}{}",
        table(&first, &format!("namespace-prefix = \"\"\n{audience}")),
        table(&second, &format!("namespace-prefix = \"egi:\"\n{audience}"))
            .replace("\"campus\"", "\"egi\""),
    );
    let server = server(&settings);
    let named =
        |provider: &Provider, name: &str| provider.sign(&json!({"preferred_username": name}));
    assert_eq!(
        whoami(&server, &named(&first, "alice")).json()["user"],
        "alice"
    );
    assert_eq!(
        whoami(&server, &named(&second, "alice")).json()["user"],
        "egi:alice"
    );
    refused(&server, &named(&first, "egi:alice"));
    // A key of the one signs nothing in the name of the other.
    let forged = second.sign(&json!({"iss": first.issuer, "preferred_username": "alice"}));
    refused(&server, &forged);
}

#[test]
fn names_of_a_file_are_the_operators_word() {
    let provider = Provider::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("names");
    std::fs::write(&file, "alice=Alice A\n").unwrap();
    let names = |more: &str| {
        let names = format!("names-file = \"{}\"\n{more}", file.display());
        server(&table(
            &provider,
            &format!("audience = [\"{AUDIENCE}\"]\n{names}"),
        ))
    };
    let server = names("");
    assert_eq!(
        whoami(&server, &provider.token("alice")).json()["user"],
        "Alice A"
    );
    let bob = whoami(&server, &provider.token("bob"));
    bob.error(403, "forbidden");
    let server = names("unnamed = \"prefix\"\nnamespace-prefix = \"sso:\"");
    assert_eq!(
        whoami(&server, &provider.token("bob")).json()["user"],
        "sso:bob"
    );
}

/// Fails if requirements are not checked.
#[test]
fn a_user_without_what_is_required_is_told_what_that_is() {
    let provider = Provider::start();
    let group = "urn:geant:example.org:group:physics";
    let require =
        format!("require = [{{ claim = \"eduperson_entitlement\", any = [\"{group}\"] }}]");
    let server = server(&table(
        &provider,
        &format!("audience = [\"{AUDIENCE}\"]\n{require}"),
    ));
    assert_accepted(&server, &provider.token("alice"));
    for user in ["mallory", "bob"] {
        let error = whoami(&server, &provider.token(user)).error(403, "forbidden");
        assert!(error.contains(group), "{user}: {error}");
    }
    let authority = json!({"eduperson_entitlement": [format!("{group}#other-authority")]});
    assert_accepted(&server, &provider.sign(&authority));
}

/// Fails if an issuer may use algorithms that are not set for it.
#[test]
fn the_token_of_a_pod_names_its_user_and_its_job() {
    let provider = Provider::start();
    let pods = "user-claim = \"/kubernetes.io/namespace\"\njob-claim = \"/kubernetes.io/pod/uid\"\n\
                algorithms = [\"RS256\"]";
    let settings = table(&provider, &format!("audience = [\"{AUDIENCE}\"]\n{pods}"));
    let settings = settings.replace("user-claim = \"preferred_username\"\n", "");
    let server = server(&settings);
    let pod =
        json!({"kubernetes.io": {"namespace": "alice", "pod": {"name": "sweep-1", "uid": "0f3c"}}});
    let who = whoami(&server, &provider.sign(&pod)).json();
    assert_eq!(
        (who["user"].as_str(), who["job"].as_str()),
        (Some("alice"), Some("0f3c"))
    );
    let es256 = provider.sign_with(&[("alg", "ES256")], &json!({"claims": pod}));
    assert!(refused(&server, &es256).contains("algorithm"));
}
