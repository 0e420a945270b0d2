//! Where people log in, as the server tells it.

use serde_json::json;

use crate::common::{Server, Setup};

/// A server that says where people log in.
fn public() -> Server {
    Server::with(Setup {
        public_url: Some("https://kv.example.org".to_owned()),
        ..Setup::default()
    })
}

#[test]
fn the_metadata_needs_no_token_and_a_refusal_names_it() {
    let server = public();
    let address = "//.well-known/oauth-protected-resource/prominence/v1";
    let answer = server.anonymous().get(address);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), "max-age=300");
    let metadata = answer.json();
    assert_eq!(metadata["resource"], "https://kv.example.org/prominence/v1");
    assert_eq!(metadata["bearer_methods_supported"], json!(["header"]));
    assert_eq!(metadata["prominence_login"], json!([]));
    let named = "resource_metadata=\"https://kv.example.org/.well-known/oauth-protected-resource/prominence/v1\"";
    for client in [server.anonymous(), server.with_token("abc")] {
        let answer = client.get("/whoami");
        answer.error(401, "unauthenticated");
        let challenge = answer.header("www-authenticate");
        assert!(challenge.ends_with(named), "{challenge}");
        assert!(
            challenge.starts_with("Bearer realm=\"prominence\""),
            "{challenge}"
        );
    }
    assert_eq!(
        server
            .user("alice")
            .get("/whoami")
            .header("www-authenticate"),
        ""
    );
}

#[test]
fn a_server_that_does_not_know_its_address_says_nothing_of_logins() {
    let server = Server::start();
    let address = "//.well-known/oauth-protected-resource/prominence/v1";
    server.anonymous().get(address).error(404, "not_found");
    let answer = server.anonymous().get("/whoami");
    assert_eq!(
        answer.header("www-authenticate"),
        "Bearer realm=\"prominence\""
    );
}
