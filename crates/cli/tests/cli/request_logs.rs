//! The access log and the audit log of a server.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::reloading::{Home, Reloading};
use crate::support::{PROGRAM, clean, run};

/// A server with both logs, and with more settings.
fn start(more: &str) -> Reloading {
    let home = Home::new();
    let secret = home.write("secret", &"0123456789abcdef".repeat(4));
    let file = |name: &str| home.path(name).to_str().unwrap().to_owned();
    let (access, audit) = (file("access"), file("audit"));
    let settings = format!(
        "secret-file = [\"{secret}\"]\naccess-log = \"{access}\"\naudit-log = \"{audit}\"\n{more}"
    );
    home.start(&settings)
}

/// A token of a job of alice's.
fn token(server: &Reloading) -> String {
    let mut mint = clean(PROGRAM, &server.home.path(""));
    mint.args(["token", "create", "--user", "alice", "--job", "17"]);
    let mint = mint.arg("--secret-file").arg(server.home.path("secret"));
    run(mint).text().trim().to_owned()
}

/// Sends a request with a body; answers the status.
fn ask(server: &Reloading, token: &str, method: &str, path: &str, body: &str) -> u16 {
    let address = server.url.split('/').nth(2).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         X-Request-Id: id-of-{method}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Method, path and status of a line.
fn brief(line: &Value) -> (String, String, u64) {
    let text = |name: &str| line[name].as_str().unwrap().to_owned();
    (
        text("method"),
        text("path"),
        line["status"].as_u64().unwrap(),
    )
}

fn lines(home: &Home, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(home.path(name)).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

const KEY: &str = "/prominence/v1/kv/a%20b";
const LIST: &str = "/prominence/v1/kv/";

#[test]
fn every_request_is_in_the_access_log_and_changes_and_refusals_are_in_the_audit_log() {
    let server = start("");
    let token = token(&server);
    let forged = format!("{}AAAA", &token[..token.len() - 4]);
    // The first set and the list take the router, the second set and the get the fast path.
    for (method, path, body, status) in [
        ("PUT", KEY, "a value of mine", 201),
        ("PUT", KEY, "a value of mine", 200),
        ("GET", KEY, "", 200),
        ("GET", "/prominence/v1/kv/?list&values", "", 200),
    ] {
        assert_eq!(ask(&server, &token, method, path, body), status, "{path}");
    }
    assert_eq!(ask(&server, &forged, "GET", KEY, ""), 401);
    let home = server.stop();

    let access = lines(&home, "access");
    let put = |status| ("PUT".to_owned(), KEY.to_owned(), status);
    let get = |path: &str, status| ("GET".to_owned(), path.to_owned(), status);
    let expected = [
        put(201),
        put(200),
        get(KEY, 200),
        get(LIST, 200),
        get(KEY, 401),
    ];
    assert_eq!(access.iter().map(brief).collect::<Vec<_>>(), expected);
    let audit: Vec<_> = lines(&home, "audit").iter().map(brief).collect();
    assert_eq!(audit, [put(201), put(200), get(KEY, 401)]);

    for line in &access[..4] {
        assert_eq!(
            (&line["user"], &line["job"]),
            (&"alice".into(), &"17".into()),
            "{line}"
        );
        assert_eq!(line["address"], "127.0.0.1");
    }
    assert_eq!(access[1]["received"], 15);
    assert_eq!(access[2]["sent"], 15);
    assert!(access[3]["sent"].as_u64().unwrap() > 20, "{}", access[3]);
    assert_eq!(access[0]["request_id"], "id-of-PUT");
    let refused = &access[4];
    assert!(refused.get("user").is_none(), "{refused}");
    let reason = refused["reason"].as_str().unwrap();
    assert!(reason.contains("signature is not valid"), "{reason}");

    for name in ["access", "audit"] {
        let text = fs::read_to_string(home.path(name)).unwrap();
        let parts = token.split('.').chain(["of mine", "Bearer"]);
        for hidden in parts {
            assert!(!text.contains(hidden), "{hidden} is in the {name} log");
        }
        let mode = fs::metadata(home.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
    }
}

#[test]
fn tokens_that_are_made_and_revoked_are_named_in_the_audit_log_and_never_shown() {
    let server = start("");
    let token = token(&server);
    assert_eq!(
        ask(&server, &token, "POST", "/prominence/v1/token", ""),
        200
    );
    let revocation = format!("{{\"token\":\"{token}\"}}");
    let path = "/prominence/v1/token/revoke";
    assert_eq!(ask(&server, &token, "POST", path, &revocation), 200);
    let home = server.stop();

    let audit = lines(&home, "audit");
    let effect = |line: &Value| line["effect"].as_str().unwrap().to_owned();
    let (made, revoked) = (effect(&audit[0]), effect(&audit[1]));
    assert!(made.starts_with("made token "), "{made}");
    assert!(made.contains(" via job-token, job 17, "), "{made}");
    assert!(revoked.starts_with("revoked id "), "{revoked}");
    let text = fs::read_to_string(home.path("audit")).unwrap();
    for hidden in token.split('.') {
        assert!(!text.contains(hidden), "{text}");
    }
}

#[test]
fn a_log_that_was_moved_away_is_begun_anew_on_a_hangup() {
    let server = start("request-log-format = \"text\"\n");
    let token = token(&server);
    assert_eq!(ask(&server, &token, "PUT", KEY, "1"), 201);
    fs::rename(server.home.path("access"), server.home.path("access.1")).unwrap();
    server.hang_up();
    assert_eq!(ask(&server, &token, "GET", KEY, ""), 200);
    let home = server.stop();
    let read = |name: &str| fs::read_to_string(home.path(name)).unwrap();
    let (former, current) = (read("access.1"), read("access"));
    assert!(
        former.contains("user=\"alice\" job=\"17\"") && former.contains("method=PUT"),
        "{former}"
    );
    assert!(
        current.contains("method=GET") && !current.contains("method=PUT"),
        "{current}"
    );
}

#[test]
fn a_flood_of_failed_requests_writes_few_lines_to_the_log() {
    // No disk has so much free space, so all writes are refused.
    let server = start("min-free-disk = \"1000TiB\"\n");
    let token = token(&server);
    for _ in 0..300 {
        assert_eq!(ask(&server, &token, "PUT", KEY, "1"), 503);
    }
    let home = server.stop();
    assert_eq!(lines(&home, "audit").len(), 300);
    let log = fs::read_to_string(home.path("log")).unwrap();
    let written = log
        .lines()
        .filter(|line| line.contains("the request failed"))
        .count();
    assert!((1..250).contains(&written), "{written} lines");
}
