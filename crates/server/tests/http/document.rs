//! The OpenAPI document and its viewer.

use serde_json::Value;

use crate::common::Server;

#[test]
fn the_document_is_openapi_3_1_and_names_every_route() {
    let server = Server::start();
    let document = server.anonymous().get("//openapi.json").json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let methods = |path: &str| -> Vec<String> {
        let item = document["paths"][path]
            .as_object()
            .unwrap_or_else(|| panic!("{path}"));
        item.keys().cloned().collect()
    };
    assert_eq!(
        methods("/prominence/v1/kv/{key}"),
        ["delete", "get", "head", "post", "put"]
    );
    assert_eq!(
        methods("/prominence/v1/kv"),
        ["delete", "get", "head", "post"]
    );
    for path in ["/prominence/v1/whoami", "/healthz", "/readyz"] {
        assert_eq!(methods(path), ["get", "head"]);
    }
}

#[test]
fn every_documented_path_is_served_and_every_reference_resolves() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/x", "1");
    let document = server.anonymous().get("//openapi.json").json();
    for path in document["paths"].as_object().unwrap().keys() {
        let answer = alice.get(&format!("/{}", path.replace("{key}", "x")));
        assert_ne!(answer.status, 404, "{path}");
    }
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(target)) = map.get("$ref") {
                    found.push(target.clone());
                }
                map.values().for_each(|value| references(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn the_viewer_carries_its_own_files() {
    let server = Server::start();
    let nobody = server.anonymous();
    let page = nobody.get("//docs/");
    assert_eq!(page.status, 200);
    let html = page.text();
    assert!(
        !html.contains("//cdn") && !html.contains("https://"),
        "{html}"
    );
    for file in ["swagger-ui.css", "swagger-ui-bundle.js"] {
        assert!(html.contains(file), "{html}");
        assert_eq!(nobody.get(&format!("//docs/{file}")).status, 200);
    }
    assert_ne!(nobody.get("//docs").status, 404);
}

#[test]
fn metrics_count_requests_and_tell_nothing_about_users() {
    let server = Server::start();
    let alice = server.user("alice-in-metrics");
    alice.set("/kv/secret-key", "1");
    alice.get("/kv/absent");
    let answer = server.anonymous().get("//metrics");
    assert!(answer.header("content-type").starts_with("text/plain"));
    let text = answer.text();
    assert!(
        text.contains("prominence_http_requests_total{method=\"POST\",status=\"2xx\"} 1"),
        "{text}"
    );
    assert!(
        text.contains("prominence_http_requests_total{method=\"GET\",status=\"4xx\"} 1"),
        "{text}"
    );
    assert!(
        text.contains("prominence_http_request_duration_seconds_count{method=\"POST\"} 1"),
        "{text}"
    );
    assert!(
        !text.contains("alice") && !text.contains("secret"),
        "{text}"
    );
}

#[test]
fn the_bare_address_leads_a_browser_on() {
    let server = Server::start();
    let page = server.anonymous().get("//");
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.text().contains("href=\"/docs/\""));
}

#[test]
fn every_answer_that_may_be_a_value_has_the_headers_of_a_value() {
    let server = Server::start();
    let document = server.anonymous().get("//openapi.json").json();
    let headers = |path: &str, method: &str| -> Vec<String> {
        let answer = &document["paths"][path][method]["responses"]["200"]["headers"];
        let mut names: Vec<_> = answer.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    let (key, all) = ("/prominence/v1/kv/{key}", "/prominence/v1/kv");
    let of_value = [
        "ETag",
        "Last-Modified",
        "Prominence-Claimed-By",
        "Prominence-Claimed-Until",
        "Prominence-Claims",
        "Prominence-Created",
        "Prominence-Expires",
        "Prominence-Job",
        "Prominence-Modified",
    ];
    for (path, method) in [(key, "get"), (key, "head"), (key, "post"), (all, "post")] {
        let found = headers(path, method);
        for name in of_value {
            assert!(
                found.iter().any(|header| header == name),
                "{method} {path}: {found:?}"
            );
        }
    }
    assert!(!headers(all, "get").contains(&"Last-Modified".to_owned()));
}
