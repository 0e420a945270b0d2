//! The exchange of a code for a token, on behalf of the page.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{assert_accepted, configured, table};
use crate::common::{Answer, Server, Setup};
use crate::provider::{AUDIENCE, Provider};

const JSON: (&str, &str) = ("content-type", "application/json");

/// What the page keeps while the browser is at the issuer.
const VERIFIER: &str = "a verifier of the page has at least 43 letters";

fn server(provider: &Provider) -> Server {
    let more = format!(
        "audience = [\"{AUDIENCE}\"]\n[issuer.login]\nclient-id = \"prominence-cli\"\n\
         scopes = [\"openid\", \"profile\"]\nweb-client-id = \"prominence-web\"\n"
    );
    let settings = format!("public-url = \"{AUDIENCE}\"\n{}", table(provider, &more));
    Server::with(Setup {
        issuers: configured(&settings),
        public_url: Some(AUDIENCE.to_owned()),
        ..Setup::default()
    })
}

/// A code as the issuer gives it to a browser that was sent by the page.
fn code(provider: &Provider) -> String {
    let hash = digest(&SHA256, VERIFIER.replace(' ', "-").as_bytes());
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(hash.as_ref());
    provider.code(&challenge, &format!("{AUDIENCE}/"))
}

fn exchange(server: &Server, content: &Value, headers: &[(&str, &str)]) -> Answer {
    let headers = [&[JSON], headers].concat();
    let body = content.to_string();
    server
        .anonymous()
        .send("POST", "/login/code", &headers, body.as_bytes())
}

fn asked(code: &str) -> Value {
    let verifier = VERIFIER.replace(' ', "-");
    json!({"issuer": "campus", "code": code, "code_verifier": verifier})
}

#[test]
fn a_code_is_exchanged_once_and_with_its_verifier_alone() {
    let provider = Provider::start();
    let server = server(&provider);
    let code = code(&provider);
    // Whoever has stolen the code has no verifier.
    let mut stolen = asked(&code);
    stolen["code_verifier"] = "another-verifier-of-somebody-else-of-43-letters".into();
    exchange(&server, &stolen, &[]).error(400, "bad_request");
    let code = self::code(&provider);
    // The redirect URI is the operator's word, and not that of a request.
    let evil = [
        ("x-forwarded-host", "evil.example.org"),
        ("forwarded", "host=evil.example.org"),
    ];
    let answer = exchange(&server, &asked(&code), &evil);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), "no-store");
    let token = answer.json();
    assert!(token.get("refresh_token").is_none() && token.get("id_token").is_none());
    assert_accepted(&server, token["access_token"].as_str().unwrap());
    exchange(&server, &asked(&code), &[]).error(400, "bad_request");
}

#[test]
fn the_page_is_told_where_to_send_the_browser() {
    let provider = Provider::start();
    let server = server(&provider);
    let about = server.anonymous().get("/about").json();
    assert_eq!(about["sign_in"][0], json!({"kind": "token"}));
    let page = &about["sign_in"][1];
    assert_eq!(page["kind"], "oidc");
    assert_eq!(page["client_id"], "prominence-web");
    assert_eq!(page["redirect_uri"], format!("{AUDIENCE}/"));
    let endpoint = page["authorization_endpoint"].as_str().unwrap();
    assert!(endpoint.starts_with(&provider.issuer), "{endpoint}");
}

#[test]
fn other_issuers_broken_bodies_and_issuers_that_do_not_answer_are_told_apart() {
    let mut provider = Provider::start();
    let server = server(&provider);
    let mut other = asked("x");
    other["issuer"] = "nobody".into();
    exchange(&server, &other, &[]).error(404, "not_found");
    let message = exchange(&server, &json!({"code": "s3cret"}), &[]).error(400, "bad_request");
    assert!(!message.contains("s3cret"), "{message}");
    let code = code(&provider);
    provider.kill();
    exchange(&server, &asked(&code), &[]).error(503, "unavailable");
    let off = Server::start();
    exchange(&off, &asked("x"), &[]).error(404, "not_found");
}

#[test]
fn the_issuer_is_not_asked_about_what_no_browser_comes_back_with() {
    let provider = Provider::start();
    let server = server(&provider);
    for (member, odd) in [
        ("code", ""),
        ("code_verifier", ""),
        ("code_verifier", "short"),
        ("code_verifier", &"x".repeat(129)),
        ("code_verifier", &" ".repeat(43)),
    ] {
        let mut odd_one = asked("x");
        odd_one[member] = odd.into();
        let message = exchange(&server, &odd_one, &[]).error(400, "bad_request");
        assert!(message.contains(member), "{message}");
    }
    assert_eq!(provider.requests("/token"), 0);
}

#[test]
fn one_address_can_not_make_the_service_ask_without_end() {
    let provider = Provider::start();
    let server = server(&provider);
    let statuses: Vec<_> = (0..20)
        .map(|_| exchange(&server, &asked("x"), &[]).status)
        .collect();
    assert!(statuses.contains(&429), "{statuses:?}");
    assert!(provider.requests("/token") < 20);
}
