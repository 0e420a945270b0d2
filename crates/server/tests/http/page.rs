//! The web page: its files, the headers that confine it, what it can know without a token, and its sign-in by a code.

use std::time::Duration;

use serde_json::json;

use crate::common::{Answer, Server};

/// Directives without which the page would not be confined.
const STRICT: [&str; 6] = [
    "default-src 'none'",
    "script-src 'self'",
    "connect-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
];

/// Demands the headers that confine a document; answers its policy.
#[track_caller]
fn confined(answer: &Answer) -> String {
    let policy = answer.header("content-security-policy");
    let directives: Vec<_> = policy.split(';').map(str::trim).collect();
    for directive in STRICT {
        assert!(directives.contains(&directive), "{directive}: {policy}");
    }
    for (name, value) in [
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let permissions = answer.header("permissions-policy");
    assert!(permissions.contains("camera=()"), "{permissions}");
    assert!(!permissions.contains("  "), "{permissions}");
    policy.to_owned()
}

#[test]
fn the_document_and_its_files_come_with_their_types_and_strict_headers() {
    let server = Server::start();
    let nobody = server.anonymous();
    for (path, media_type, part) in [
        ("//", "text/html; charset=utf-8", "<!doctype html>"),
        (
            "//?code=x&state=y",
            "text/html; charset=utf-8",
            "<!doctype html>",
        ),
        ("//web/main.js", "text/javascript; charset=utf-8", "import"),
        (
            "//web/style/base.css",
            "text/css; charset=utf-8",
            "--accent",
        ),
        ("//web/icon.svg", "image/svg+xml", "<svg"),
    ] {
        let answer = nobody.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), media_type, "{path}");
        assert_eq!(answer.header("cache-control"), "no-cache", "{path}");
        assert!(answer.text().contains(part), "{path}");
        let policy = confined(&answer);
        for directive in [
            "require-trusted-types-for 'script'",
            "trusted-types live",
            "style-src 'self'",
        ] {
            assert!(policy.contains(directive), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
    }
}

#[test]
fn a_file_that_has_not_changed_is_304() {
    let server = Server::start();
    let nobody = server.anonymous();
    for path in ["//", "//web/main.js"] {
        let tag = nobody.get(path).header("etag").to_owned();
        assert!(
            tag.len() > 10 && tag.starts_with('"') && tag.ends_with('"'),
            "{tag}"
        );
        let weak = format!("\"other\", W/{tag}");
        for current in [tag.as_str(), weak.as_str(), "*"] {
            let answer = nobody.send("GET", path, &[("if-none-match", current)], b"");
            assert_eq!((answer.status, answer.body.len()), (304, 0), "{current}");
            assert_eq!(answer.header("etag"), tag);
            confined(&answer);
        }
        let answer = nobody.send("GET", path, &[("if-none-match", "\"other\"")], b"");
        assert_eq!(answer.status, 200);
    }
    let tag = nobody.get("//web/main.js").header("etag").to_owned();
    assert_ne!(tag, nobody.get("//web/icon.svg").header("etag"));
}

#[test]
fn a_head_has_no_body_and_other_methods_are_405() {
    let server = Server::start();
    let nobody = server.anonymous();
    let answer = nobody.send("HEAD", "//web/main.js", &[], b"");
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    for path in ["//", "//web/main.js", "/about"] {
        let answer = nobody.post(path, "x");
        answer.error(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), "GET,HEAD");
    }
}

#[test]
fn other_paths_below_the_page_have_no_file() {
    let server = Server::start();
    let nobody = server.anonymous();
    for path in [
        "//web/absent.js",
        "//web/package.json",
        "//web/style",
        "//web/%2e%2e/Cargo.toml",
        "//web/..%2fsrc%2flib.rs",
        "//web//etc/passwd.css",
        "//web/%2fetc%2fpasswd.css",
        "//web/main.JS",
    ] {
        nobody.get(path).error(404, "not_found");
    }
    nobody.get("//web").error(404, "not_found");
}

#[test]
fn the_viewer_is_confined_and_finds_its_document_below_any_path() {
    let server = Server::start();
    let nobody = server.anonymous();
    for path in [
        "//docs/",
        "//docs/swagger-ui-bundle.js",
        "//docs/swagger-initializer.js",
    ] {
        let answer = nobody.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(!confined(&answer).contains("unsafe-eval"));
    }
    let script = nobody.get("//docs/swagger-initializer.js").text();
    assert!(script.contains("\"../openapi.json\""), "{script}");
    assert!(!script.contains("\"/openapi.json\""), "{script}");
}

#[test]
fn about_needs_no_token_and_tells_nothing_about_users() {
    let server = Server::start();
    server.user("alice").set("/kv/a", "1");
    let nobody = server.anonymous();
    let answer = nobody.get("/about");
    assert_eq!(answer.status, 200);
    let about = answer.json();
    assert_eq!(about["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(about["limits"]["value_bytes"], 16_384);
    assert_eq!(about["sign_in"][0]["kind"], "token");
    assert!(!answer.text().contains("alice"));
    assert_eq!(server.user("alice").get("/about").json(), about);
    assert!(
        nobody
            .get("/about?x=1")
            .error(400, "bad_request")
            .contains('x')
    );
}

#[test]
fn a_server_can_leave_the_page_out() {
    let server = Server::without_page();
    let nobody = server.anonymous();
    let answer = nobody.get("//");
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("$PROMINENCE_URL/kv?list"));
    confined(&answer);
    nobody.get("//web/main.js").error(404, "not_found");
    assert_eq!(nobody.get("/about").status, 200);
    assert_eq!(nobody.get("//docs/").status, 200);
}

#[test]
fn a_code_is_exchanged_for_the_token_once_within_a_minute() {
    let server = Server::start();
    let nobody = server.anonymous();
    let redeem = |code: &str| nobody.post("/login/once", json!({ "code": code }).to_string());
    redeem("").error(404, "not_found");
    let code = server.offer_sign_in("the token");
    redeem("another").error(404, "not_found");
    let answer = redeem(&code);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), json!({ "access_token": "the token" }));
    assert_eq!(answer.header("cache-control"), "private, no-cache");
    redeem(&code).error(404, "not_found");
    let late = server.offer_sign_in("the token");
    server.clock.advance(Duration::from_secs(60));
    redeem(&late).error(404, "not_found");
    nobody.post("/login/once", "{}").error(400, "bad_request");
    nobody
        .post("/login/once", [b'x'; 2000])
        .error(413, "value_too_large");
    nobody.get("/login/once").error(405, "method_not_allowed");
}
