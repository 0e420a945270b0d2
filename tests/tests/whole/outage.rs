//! What callers see while the cluster below a server is away, and when it is back.

use std::thread;
use std::time::{Duration, Instant};

use prominence_cluster::etcd::{Alarm, Cluster, Options};
use prominence_tests::{Client, Server};
use serde_json::Value;

/// How long a request tries, by the server's setting.
const TIMEOUT: Duration = Duration::from_secs(3);

/// What a busy machine may add to that.
const SLACK: Duration = Duration::from_secs(5);

/// How soon service has to be back once most members are, elections included.
const BACK_WITHIN: Duration = Duration::from_secs(15);

/// Three members and a server over them.
fn stage() -> (Cluster, Server) {
    let cluster = Cluster::start(&Options::default()).unwrap();
    let endpoints = cluster.endpoints().join(",");
    let server = Server::start(&[
        "--engine",
        "etcd",
        "--etcd-endpoints",
        &endpoints,
        "--etcd-timeout",
        "3s",
    ]);
    (cluster, server)
}

/// The text of a 503, which came in time and says when to come back.
#[track_caller]
fn refused(client: &Client, method: &str, path: &str, body: &[u8]) -> String {
    let asked = Instant::now();
    let (status, retry_after, text) = client.ask_when(method, path, body);
    let took = asked.elapsed();
    assert_eq!(status, 503, "{method} {path}: {text}");
    assert!(retry_after.is_some(), "{method} {path} has no Retry-After");
    assert!(took < TIMEOUT + SLACK, "{method} {path} took {took:?}");
    let said: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(said["code"], "unavailable", "{text}");
    said["error"].as_str().unwrap().to_owned()
}

#[test]
fn without_most_members_requests_are_refused_in_time_and_service_comes_back_by_itself() {
    let (mut cluster, server) = stage();
    let client = server.client("alice");
    assert_eq!(client.ask("POST", "/kv/kept", "before").0, 201);
    for node in 0..2 {
        cluster.node(node).unwrap().kill().unwrap();
    }
    for (method, path) in [
        ("GET", "/kv/kept"),
        ("GET", "/kv?list"),
        ("GET", "/kv?list&count"),
        ("GET", "/kv/absent?wait=1m"),
    ] {
        refused(&client, method, path, b"");
    }
    let mut unclear = 0;
    for (method, path) in [
        ("POST", "/kv/new"),
        ("POST", "/kv/number?add=1"),
        ("DELETE", "/kv/kept"),
    ] {
        let body: &[u8] = if path == "/kv/new" { b"value" } else { b"" };
        let said = refused(&client, method, path, body);
        // What is known about the write is said, one way or the other.
        let is_unclear = said.contains("may or may not have happened");
        let is_clear = said.contains("nothing was changed");
        assert!(is_unclear != is_clear, "{said}");
        unclear += usize::from(is_unclear);
    }
    println!("{unclear} of 3 writes may have happened");
    let asked = Instant::now();
    let asker = client.moved(server.origin());
    assert_eq!(asker.ask("GET", "/readyz", "").0, 503);
    // Sooner than a request: whoever asks is about to send requests elsewhere.
    assert!(asked.elapsed() < TIMEOUT, "{:?}", asked.elapsed());
    for node in 0..2 {
        cluster.node(node).unwrap().start().unwrap();
    }
    let back = Instant::now();
    while client.ask("GET", "/kv/kept", "").0 == 503 {
        assert!(back.elapsed() < BACK_WITHIN, "reads are not back");
        thread::sleep(Duration::from_millis(50));
    }
    while client.ask("POST", "/kv/after", "after").0 == 503 {
        assert!(back.elapsed() < BACK_WITHIN, "writes are not back");
        thread::sleep(Duration::from_millis(50));
    }
    println!("service was back after {:.1?}", back.elapsed());
    // A wait that is asked for now is served to its end.
    let (status, found) = client.ask("GET", "/kv/after?wait=10s", "");
    assert_eq!((status, &*found), (200, "after"));
}

#[test]
fn a_full_cluster_is_read_on_and_refuses_writes_by_name() {
    let (cluster, server) = stage();
    let client = server.client("alice");
    assert_eq!(client.ask("POST", "/kv/kept", "before").0, 201);
    let counted = client.moved(server.origin()).ask("GET", "/metrics", "").1;
    let commits = "prominence_engine_operations_total{operation=\"commit\"} 1\n";
    assert!(counted.contains(commits), "{counted}");
    cluster.raise(1, Alarm::NoSpace).unwrap();
    let said = refused(&client, "POST", "/kv/new", b"value");
    assert!(said.contains("NOSPACE"), "{said}");
    assert!(said.contains("nothing was changed"), "{said}");
    assert_eq!(client.ask("GET", "/kv/kept", ""), (200, "before".into()));
    cluster.disarm().unwrap();
    let ended = Instant::now();
    while client.ask("POST", "/kv/new", "value").0 == 503 {
        assert!(ended.elapsed() < BACK_WITHIN, "writes are not back");
        thread::sleep(Duration::from_millis(50));
    }
}
