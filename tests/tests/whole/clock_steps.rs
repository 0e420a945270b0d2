//! The clock of the server's machine is set, while the server runs and while it doesn't.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use prominence_tests::{Client, Server};
use serde_json::Value;

/// By how much the clock is set, in seconds.
const STEP: i64 = 600;

/// A lifetime that only a step can end within a test.
const LONG: &str = "5m";

/// A server whose clock is set back takes a token that is signed afterwards for one of the future.
const NEW_TOKENS_STAY_GOOD: [&str; 2] = ["--token-leeway", "15m"];

/// How long what takes 2 s may take on a busy machine; far less than a step.
const SOON: Duration = Duration::from_secs(120);

/// Asks until the status is this one.
#[track_caller]
fn until(status: u16, ask: impl Fn() -> (u16, String)) -> String {
    let began = Instant::now();
    loop {
        let (found, text) = ask();
        if found == status {
            return text;
        }
        assert!(began.elapsed() < SOON, "still {found}: {text}");
    }
}

/// What is known about the keys.
fn details(client: &Client) -> Vec<Value> {
    let (status, text) = client.ask("GET", "/kv?list&detail", "");
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// A lock that is held until the command's standard input ends.
fn lock(server: &Server, ttl: &str) -> Child {
    let mut command = server.command("alice");
    command.args(["kv", "lock", "/lock", "--ttl", ttl, "--", "cat"]);
    let held = command.stdin(Stdio::piped()).spawn().unwrap();
    let client = server.client("alice");
    until(200, || client.ask("GET", "/kv/lock", ""));
    held
}

fn is_free(server: &Server) -> bool {
    let mut command: Command = server.command("alice");
    command.args(["kv", "lock", "/lock", "--no-wait", "--", "true"]);
    let ended = command.stderr(Stdio::null()).status().unwrap();
    ended.success()
}

#[test]
fn nothing_ends_early_when_the_clock_is_put_forward() {
    let server = Server::start_with_settable_clock(&[]);
    let client = server.client("alice");
    client.ask("PUT", &format!("/kv/lent?ttl={LONG}"), "1");
    client.ask("PUT", "/kv/queue/1", "1");
    let claim = format!("/kv/queue/?claim={LONG}&wait=1");
    assert_eq!(client.ask("POST", &claim, "").0, 200);
    let mut held = lock(&server, "2m");
    let waiting = {
        let client = client.clone();
        thread::spawn(move || client.ask("GET", "/kv/awaited?wait=10m", ""))
    };
    until(200, || {
        let (_, metrics) = client.moved(server.origin()).ask("GET", "/metrics", "");
        let is_held = metrics.contains("prominence_held_requests{kind=\"wait\"} 1");
        (if is_held { 200 } else { 0 }, metrics)
    });

    server.set_clock(STEP);
    assert_eq!(client.ask("GET", "/kv/lent", "").0, 200);
    assert_eq!(client.ask("POST", &claim, "").0, 204, "it is still held");
    assert!(!is_free(&server), "the lock is still held");
    let (_, metrics) = client.moved(server.origin()).ask("GET", "/metrics", "");
    let ahead = metrics
        .lines()
        .find_map(|line| line.strip_prefix("prominence_clock_ahead_seconds "))
        .unwrap();
    let ahead: f64 = ahead.parse().unwrap();
    assert!((-601.0..-590.0).contains(&ahead), "{ahead}");
    // What is lent now lasts as long as it says, and a short time ends.
    client.ask("PUT", "/kv/short?ttl=2s", "1");
    until(404, || client.ask("GET", "/kv/short", ""));
    // The machine's clock alone says when a token ends.
    let mut mint = server.command("alice");
    mint.args([
        "token",
        "create",
        "--user",
        "alice",
        "--for",
        LONG,
        "--data-dir",
    ]);
    let short = prominence_tests::text(prominence_tests::succeed(mint.arg(server.data())));
    let refused = client.with_token(short.trim()).ask("GET", "/kv/lent", "");
    assert_eq!(refused.0, 401, "{}", refused.1);

    client.ask("PUT", "/kv/awaited", "here");
    assert_eq!(waiting.join().unwrap(), (200, "here".to_owned()));
    drop(held.stdin.take());
    assert!(held.wait().unwrap().success(), "the command kept its lock");
    assert!(is_free(&server));
}

#[test]
fn nothing_lasts_longer_when_the_clock_is_set_back() {
    let server = Server::start_with_settable_clock(&NEW_TOKENS_STAY_GOOD);
    let client = server.client("alice");
    client.ask("PUT", "/kv/lent?ttl=2s", "1");
    client.ask("PUT", "/kv/queue/1", "1");
    assert_eq!(client.ask("POST", "/kv/queue/?claim=2s", "").0, 200);
    client.ask("PUT", "/kv/changed", "1");
    let waiting = {
        let client = client.clone();
        thread::spawn(move || client.ask("GET", "/kv/awaited?wait=2s", ""))
    };
    let mut held = lock(&server, "2s");

    server.set_clock(-STEP);
    until(404, || client.ask("GET", "/kv/lent", ""));
    until(200, || client.ask("POST", "/kv/queue/?claim=1m", ""));
    assert_eq!(waiting.join().unwrap().0, 404);
    // It is renewed for as long as the command runs, and free at once afterwards.
    assert!(!is_free(&server));
    drop(held.stdin.take());
    assert!(held.wait().unwrap().success());
    assert!(is_free(&server));
    client.ask("PUT", "/kv/changed", "2");
    for detail in details(&client) {
        let (created, modified) = (detail["created"].as_str(), detail["modified"].as_str());
        assert!(created <= modified, "{detail}");
    }
}

#[test]
fn what_has_expired_is_not_back_after_a_restart_with_the_clock_set_back() {
    let mut server = Server::start_with_settable_clock(&NEW_TOKENS_STAY_GOOD);
    // Killed as soon as it was seen to be gone, most often before it was removed.
    for round in 0..3 {
        server.set_clock(0);
        server.kill();
        server.restart();
        let client = server.client("alice");
        let path = format!("/kv/lent{round}");
        client.ask("PUT", "/kv/changed", "1");
        client.ask("PUT", &format!("{path}?ttl=1s"), "1");
        until(404, || client.ask("GET", &path, ""));
        let before = details(&client);
        server.kill();
        server.set_clock(-STEP);
        server.restart();
        let client = server.client("alice");
        let (status, text) = client.ask("GET", &path, "");
        assert_eq!(status, 404, "{path} is back: {text}");
        client.ask("PUT", "/kv/changed", "2");
        client.ask("PUT", "/kv/new", "1");
        let after = details(&client);
        let changed =
            |details: &[Value]| details.iter().find(|one| one["key"] == "/changed").cloned();
        let (before, after) = (changed(&before).unwrap(), changed(&after).unwrap());
        assert!(
            after["created"].as_str() <= after["modified"].as_str(),
            "{after}"
        );
        assert!(
            before["modified"].as_str() <= after["modified"].as_str(),
            "{after}"
        );
    }
}
