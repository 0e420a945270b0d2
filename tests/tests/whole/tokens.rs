//! Revocations, quotas and names over restarts, and at several servers.

use std::process::Command;
use std::time::{Duration, Instant};

use prominence_cluster::etcd::{Cluster, Options};
use prominence_tests::{Client, Server, clean, program, succeed, text};
use serde_json::json;

/// How long a token that is revoked at one server may be accepted at another.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(5);

fn revoke(client: &Client, token: &str) {
    let body = json!({"token": token}).to_string();
    let answer = client.send_json("POST", "/token/revoke", &body);
    assert_eq!(answer.0, 200, "{}", answer.1);
}

fn admin(server: &Server, words: &[&str]) -> Command {
    let mut command = clean(program(), server.home());
    command
        .arg("admin")
        .args(words)
        .arg("--data-dir")
        .arg(server.data());
    command
}

#[test]
fn a_revoked_token_stays_revoked_over_a_restart_and_a_kill() {
    let mut server = Server::start(&[]);
    // Two tokens of one user that are made in the same second are the same.
    let tokens = [server.token("alice"), server.token("bob")];
    for (number, token) in tokens.iter().enumerate() {
        let client = server.client("alice").with_token(token);
        assert_eq!(client.ask("GET", "/whoami", "").0, 200);
        revoke(&client, token);
        if number == 0 {
            assert!(server.terminate().success());
        } else {
            server.kill();
        }
        server.restart();
        for revoked in &tokens[..=number] {
            let client = server.client("alice").with_token(revoked);
            assert_eq!(client.ask("GET", "/whoami", "").0, 401);
        }
    }
    assert_eq!(server.client("carol").ask("GET", "/whoami", "").0, 200);
}

#[test]
fn a_token_that_is_revoked_at_one_server_is_refused_at_another() {
    let cluster = Cluster::start(&Options::default()).unwrap();
    let endpoints = cluster.endpoints().join(",");
    let etcd = ["--engine", "etcd", "--etcd-endpoints", endpoints.as_str()];
    let mut first = Server::start(&etcd);
    let secret = first.data().join("job-token.secret");
    let same_secret = ["--secret-file", secret.to_str().unwrap()];
    let mut second = Server::start(&[etcd.as_slice(), &same_secret].concat());
    let token = first.token("alice");
    let at_first = first.client("alice").with_token(&token);
    let at_second = at_first.moved(&second.url);
    assert_eq!(at_second.ask("GET", "/whoami", "").0, 200);
    revoke(&at_first, &token);
    let revoked = Instant::now();
    // It is killed right after its answer.
    first.kill();
    let mut last_accepted = Duration::ZERO;
    loop {
        let since = revoked.elapsed();
        match at_second.ask("GET", "/whoami", "").0 {
            200 => last_accepted = since,
            401 if since > last_accepted + Duration::from_secs(1) => break,
            _ => {}
        }
        assert!(since < Duration::from_secs(20), "it is never refused");
    }
    assert!(last_accepted < FOLLOWS_WITHIN, "{last_accepted:?}");
    second.kill();
    second.restart();
    let at_second = at_second.moved(&second.url);
    assert_eq!(at_second.ask("GET", "/whoami", "").0, 401);
}

#[test]
fn the_quota_of_one_user_is_exact_and_survives_a_restart() {
    const KEYS: usize = 1_000;
    let mut server = Server::start(&[]);
    succeed(&mut admin(
        &server,
        &["quota", "set", "alice", "--keys", "1000"],
    ));
    let done: usize = std::thread::scope(|threads| {
        let writers: Vec<_> = (0..32)
            .map(|writer| {
                let client = server.client("alice");
                threads.spawn(move || {
                    let set = |key| client.ask("POST", &format!("/kv/{writer}/{key}"), "x").0;
                    (0..40).map(set).filter(|status| *status == 201).count()
                })
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .sum()
    });
    assert_eq!(done, KEYS);
    let alice = server.client("alice");
    let (status, said) = alice.ask("POST", "/kv/more", "x");
    assert_eq!(status, 507);
    assert!(said.contains("1000 keys"), "{said}");
    assert!(
        alice
            .ask("GET", "/kv?usage", "")
            .1
            .contains("\"keys\":1000,")
    );
    assert_eq!(server.client("bob").ask("POST", "/kv/a", "x").0, 201);
    server.kill();
    server.restart();
    let alice = server.client("alice");
    assert_eq!(alice.ask("POST", "/kv/more", "x").0, 507);
    let shown = text(succeed(&mut admin(&server, &["quota", "show"])));
    assert!(shown.contains("alice: at most 1000 keys"), "{shown}");
    succeed(&mut admin(&server, &["quota", "unset", "alice"]));
    assert_eq!(alice.ask("POST", "/kv/more", "x").0, 201);
    assert_eq!(text(succeed(&mut admin(&server, &["quota", "show"]))), "");
}

#[test]
fn the_limits_of_one_user_on_requests_are_in_force_at_once_and_after_a_kill() {
    let mut server = Server::start(&[]);
    let limits = ["--requests-per-second", "3", "--held", "0"];
    succeed(&mut admin(
        &server,
        &[&["quota", "set", "alice"], &limits[..]].concat(),
    ));
    for _ in 0..2 {
        let (alice, bob) = (server.client("alice"), server.client("bob"));
        let (status, said) = alice.ask("GET", "/kv/x?wait=1", "");
        assert_eq!(status, 403);
        assert!(said.contains("no request that waits"), "{said}");
        let statuses: Vec<_> = (0..20).map(|_| alice.ask("GET", "/whoami", "").0).collect();
        assert!(statuses.contains(&429), "{statuses:?}");
        let statuses: Vec<_> = (0..20).map(|_| bob.ask("GET", "/whoami", "").0).collect();
        assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
        assert_eq!(bob.ask("GET", "/kv/x?wait=1", "").0, 404);
        server.kill();
        server.restart();
    }
    let usage = server.client("alice").ask("GET", "/kv?usage", "").1;
    assert!(
        usage.contains("\"requests_per_second\":3,\"held\":0"),
        "{usage}"
    );
    let shown = text(succeed(&mut admin(&server, &["quota", "show", "alice"])));
    assert!(
        shown.ends_with(", 3 requests a second, 0 waiting at once\n"),
        "{shown}"
    );
}

#[test]
fn an_operator_gives_a_name_to_an_account_and_takes_it_back() {
    let settings = tempfile::NamedTempFile::new().unwrap();
    let issuer = "[[issuer]]\nname = \"sso\"\nissuer = \"https://sso.example.org\"\nuser-claim = \"name\"\nany-audience = true\n";
    std::fs::write(&settings, issuer).unwrap();
    let server = Server::start(&["--config", settings.path().to_str().unwrap()]);
    let unknown = ["--issuer", "https://sso.example.org/", "--sub", "7f3c"];
    let refused = admin(&server, &[&["user", "pin", "alice"], &unknown[..]].concat());
    let refused = { refused }.output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("no issuer"),
        "{said}"
    );
    let issuer = ["--issuer", "https://sso.example.org", "--sub", "7f3c"];
    let pin = [["user", "pin", "alice"].as_slice(), &issuer].concat();
    let shown = text(succeed(&mut admin(&server, &pin)));
    assert!(
        shown.contains("account 7f3c of https://sso.example.org"),
        "{shown}"
    );
    succeed(&mut admin(&server, &["user", "unpin", "alice"]));
    let again = admin(&server, &["user", "unpin", "alice"])
        .output()
        .unwrap();
    assert_eq!(again.status.code(), Some(1));
    let backup = server.home().join("backup");
    succeed(&mut admin(&server, &["backup", backup.to_str().unwrap()]));
    succeed(&mut admin(&server, &["check"]));
    // The records of the service are nobody's usage.
    let usage = text(succeed(&mut admin(&server, &["usage"])));
    assert!(usage.contains("0 users"), "{usage}");
}

/// Fails if a token is logged once.
#[test]
fn no_token_and_no_secret_is_in_the_log_or_in_an_answer() {
    let home = tempfile::tempdir().unwrap();
    let (data, log) = (home.path().join("data"), home.path().join("log"));
    let mut server = clean(program(), home.path())
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(&data)
        .env("PROMINENCE_LOG", "trace")
        .stdout(std::process::Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !data.join("listening").exists() {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "it does not start"
        );
        std::thread::yield_now();
    }
    let run = |words: &[&str]| {
        let mut command = clean(program(), home.path());
        let url = std::fs::read_to_string(data.join("listening")).unwrap();
        command.env("PROMINENCE_URL", url.trim()).args(words);
        command.output().unwrap()
    };
    let data_dir = data.to_str().unwrap();
    let sign = ["token", "create", "--user", "alice", "--data-dir", data_dir];
    let own = text(run(&sign)).trim().to_owned();
    let create = [
        "token",
        "create",
        "--from-login",
        "--note",
        "n",
        "--token",
        &own,
    ];
    let made = text(run(&create)).trim().to_owned();
    let forged = format!("{own}x");
    let mut said = String::new();
    for words in [
        &["whoami", "--token", &own][..],
        &["whoami", "--token", &forged],
        &["kv", "set", "/a", "1", "--token", &made],
        &["token", "revoke", "--token", &made, "--json"],
        &["kv", "get", "/a", "--token", &made],
        &["token", "list", "--token", &own],
        &["token", "revoke", "--user", "alice", "--data-dir", data_dir],
        &["whoami", "--token", &own],
    ] {
        let output = run(words);
        said.push_str(&String::from_utf8_lossy(&output.stdout));
        said.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    assert!(said.contains("revoked"), "{said}");
    server.kill().unwrap();
    server.wait().unwrap();
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.contains("made token ") && log.contains("tokens were revoked"));
    let secret = std::fs::read_to_string(data.join("job-token.secret")).unwrap();
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    for hidden in [
        secret.trim(),
        &signature(&own),
        &signature(&made),
        &signature(&forged),
    ] {
        assert!(!log.contains(hidden), "in the log");
        assert!(!said.contains(hidden), "in an answer");
    }
}
