//! The OpenAPI document and its viewer.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::common::{Client, Server, Setup};

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
    for path in [
        "/prominence/v1/about",
        "/prominence/v1/whoami",
        "/healthz",
        "/readyz",
    ] {
        assert_eq!(methods(path), ["get", "head"]);
    }
}

#[test]
fn every_documented_path_is_served_and_every_reference_resolves() {
    let server = Server::with(Setup {
        public_url: Some("https://kv.example.org".to_owned()),
        ..Setup::default()
    });
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
    assert_eq!(server.anonymous().get("//metrics").status, 401);
    let answer = server.user("bob-in-metrics").get("//metrics");
    assert!(answer.header("content-type").starts_with("text/plain"));
    let text = answer.text();
    assert!(
        text.contains("prominence_http_requests_total{method=\"POST\",status=\"2xx\"} 1"),
        "{text}"
    );
    assert!(
        text.contains("prominence_http_requests_total{method=\"GET\",status=\"4xx\"} 2"),
        "{text}"
    );
    assert!(
        text.contains("prominence_http_request_duration_seconds_count{method=\"POST\"} 1"),
        "{text}"
    );
    assert!(
        !text.contains("alice") && !text.contains("bob") && !text.contains("secret"),
        "{text}"
    );
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

/// A value that a documented parameter can have.
fn sample(schema: &Value) -> String {
    match schema["type"].as_str() {
        Some("integer") => "1".to_owned(),
        _ => schema["examples"][0].as_str().unwrap_or("1").to_owned(),
    }
}

/// Every operation with its query parameters and a value for each.
fn documented(document: &Value) -> Vec<(String, String, BTreeMap<String, String>)> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let query = parameters.filter(|parameter| parameter["in"] == "query");
            let query = query.map(|parameter| {
                let name = parameter["name"].as_str().unwrap().to_owned();
                let value = match name.as_str() {
                    "delimiter" => "/".to_owned(),
                    "order" => "desc".to_owned(),
                    _ => sample(&parameter["schema"]),
                };
                (name, value)
            });
            operations.push((path.clone(), method.to_uppercase(), query.collect()));
        }
    }
    operations
}

/// True if a request with this query is refused for one of its parameters alone: unknown, or in another request.
fn is_misplaced(client: &Client, method: &str, path: &str, query: &str) -> bool {
    let answer = client.open(method, &format!("{path}?{query}"), &[], b"x");
    if answer.status() != 400 {
        return false;
    }
    let error = answer.into_body().read_to_string().unwrap();
    error.contains("does not go with ") && error.contains("the parameter ")
        || error.contains(" is not known")
}

#[test]
fn every_request_takes_the_parameters_that_the_document_names_and_no_others() {
    let server = Server::start();
    let alice = server.user("alice");
    let document = server.anonymous().get("//openapi.json").json();
    let operations = documented(&document);
    let all: BTreeMap<_, _> = operations
        .iter()
        .flat_map(|(_, _, query)| query.clone())
        .collect();
    assert!(all.len() >= 20, "{all:?}");
    for (path, method, query) in operations {
        // A HEAD has no body that names the parameter.
        let Some(path) = path
            .strip_prefix("/prominence/v1")
            .filter(|_| method != "HEAD")
        else {
            continue;
        };
        // A key that is refused once the parameters are parsed, so that nothing waits or is changed.
        let path = path.replace("{key}", "%2e%2e");
        let taken = |name: &str| {
            let own = format!("{name}={}", all[name]);
            let others = all.iter().filter(|(other, _)| *other != name);
            let with = others.map(|(other, value)| format!("{other}={value}&{own}"));
            std::iter::once(own.clone())
                .chain(with)
                .any(|query| !is_misplaced(&alice, &method, &path, &query))
        };
        let found: Vec<_> = all.keys().filter(|name| taken(name)).collect();
        let named: Vec<_> = query.keys().collect();
        assert_eq!(found, named, "{method} {path}");
    }
}
