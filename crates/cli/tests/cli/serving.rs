//! `serve`: what it prints, and how it ends.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::{PROGRAM, Server, alone, clean, run};

#[test]
fn a_trial_prints_two_lines_that_a_shell_can_take() {
    let home = tempfile::tempdir().unwrap();
    let mut serve = clean(PROGRAM, home.path());
    serve.args(["serve", "--dev", "--listen", "127.0.0.1:0"]);
    let mut server = serve
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(server.stdout.take().unwrap());
    let mut lines = String::new();
    output.read_line(&mut lines).unwrap();
    output.read_line(&mut lines).unwrap();
    let mut bash = clean("bash", home.path());
    bash.args([
        "-c",
        &format!("{lines}\n{PROGRAM} kv set /a 1 && {PROGRAM} whoami"),
    ]);
    assert!(run(&mut bash).text().starts_with("user: tester\n"));

    let kill = Command::new("kill").arg(server.id().to_string()).status();
    assert!(kill.unwrap().success());
    assert!(server.wait().unwrap().success());
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "two lines and nothing else");
}

#[test]
fn a_trial_says_where_the_page_is_and_signs_in_there() {
    let home = tempfile::tempdir().unwrap();
    let mut serve = clean(PROGRAM, home.path());
    serve.args(["serve", "--dev", "--listen", "127.0.0.1:0"]);
    let mut server = serve
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(server.stderr.take().unwrap());
    let mut words = said
        .lines()
        .map(Result::unwrap)
        .flat_map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
    let address = words.find(|word| word.contains("/#sign-in=")).unwrap();
    let (origin, code) = address.split_once("/#sign-in=").unwrap();
    let body = format!("{{\"code\": \"{code}\"}}");
    let redeem = || {
        let mut curl = Command::new("curl");
        curl.args([
            "-s",
            "--data",
            &body,
            &format!("{origin}/prominence/v1/login/once"),
        ]);
        run(&mut curl).text()
    };
    assert!(redeem().starts_with("{\"access_token\":\"ey"));
    assert!(redeem().contains("used already"));
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn example_data_arrives_and_a_worker_is_lost() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.run(&["demo", "/try/", "--for", "3s"]).text();
    let count = |prefix: &str| alice.kv(&["list", "--count", prefix]).text();
    assert_eq!(count("/try/sweep/in/"), "300\n");
    assert_eq!(count("/try/sweep/out/"), "300\n");
    assert_eq!(alice.kv(&["get", "/try/done"]).text(), "300");
    let left: u32 = count("/try/queue/").trim().parse().unwrap();
    assert!((1..24).contains(&left), "{left}");
    let claims = alice.kv(&["claims", "/try/queue/"]).text();
    assert_eq!(claims.lines().count(), 1, "{claims}");
}

#[test]
fn settings_that_make_no_sense_are_2_and_a_folder_in_use_is_1() {
    let complaint = alone(&["serve", "--listen", "0.0.0.0:0"]).complaint(2);
    assert!(complaint.contains("--insecure"), "{complaint}");
    let complaint = alone(&["serve", "--config", "/no/such.toml"]).complaint(2);
    assert!(complaint.contains("/no/such.toml"), "{complaint}");
    let complaint = alone(&["serve", "--listen", "nowhere"]).complaint(2);
    assert!(complaint.contains("nowhere"), "{complaint}");

    let server = Server::start();
    let mut second = clean(PROGRAM, server.home.path());
    let complaint = run(second.args(["serve", "--listen", "127.0.0.1:0"])).complaint(1);
    assert!(complaint.contains(&server.pid().to_string()), "{complaint}");
}

#[test]
fn an_address_that_another_server_listens_on_is_refused() {
    let server = Server::start();
    let address = server.url.split('/').nth(2).unwrap().to_owned();
    let home = tempfile::tempdir().unwrap();
    let mut second = clean(PROGRAM, home.path());
    let complaint = run(second.args(["serve", "--dev", "--listen", &address])).complaint(1);
    assert!(
        complaint.contains(&format!("cannot listen on {address}")),
        "{complaint}"
    );
}

#[test]
fn the_log_can_be_filtered_but_not_by_a_misspelt_word() {
    let home = tempfile::tempdir().unwrap();
    for odd in ["lots", "[request{=debug", "prominence=lots"] {
        let mut serve = clean(PROGRAM, home.path());
        let complaint = run(serve.env("PROMINENCE_LOG", odd).arg("serve")).complaint(2);
        assert!(complaint.contains("PROMINENCE_LOG"), "{odd}: {complaint}");
    }
}

/// A server whose log is kept.
struct Logging {
    process: Child,
    export: String,
    home: TempDir,
}

impl Logging {
    fn start(filter: &str, arguments: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), filter, arguments)
    }

    fn start_in(home: TempDir, filter: &str, arguments: &[&str]) -> Self {
        let log = File::create(home.path().join("log")).unwrap();
        let mut serve = clean(PROGRAM, home.path());
        serve.args(["serve", "--dev", "--listen", "127.0.0.1:0"]);
        serve.args(arguments).env("PROMINENCE_LOG", filter);
        let mut process = serve.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut export = String::new();
        output.read_line(&mut export).unwrap();
        output.read_line(&mut export).unwrap();
        Self {
            process,
            export,
            home,
        }
    }

    /// Runs curl, and answers the head and the body of the answer.
    fn curl(&self, arguments: &str) -> String {
        let mut bash = clean("bash", self.home.path());
        let authorization = "Authorization: Bearer $PROMINENCE_TOKEN";
        let curl = format!("curl -sS -D - -H \"{authorization}\" {arguments}");
        run(bash.args(["-c", &format!("{}\n{curl}", self.export)])).text()
    }

    /// Kills the server; returns its log and its home.
    fn kill(mut self) -> (String, TempDir) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let log = std::fs::read_to_string(self.home.path().join("log")).unwrap();
        (log, self.home)
    }

    /// Stops the server, and answers its log.
    fn log(mut self) -> String {
        let mut kill = Command::new("kill");
        let killed = kill.arg(self.process.id().to_string()).status();
        assert!(killed.unwrap().success());
        assert!(self.process.wait().unwrap().success());
        std::fs::read_to_string(self.home.path().join("log")).unwrap()
    }
}

/// The lines of a log with this text.
fn lines<'a>(log: &'a str, text: &str) -> Vec<&'a str> {
    log.lines().filter(|line| line.contains(text)).collect()
}

#[test]
fn the_log_lines_of_a_failed_request_have_its_id() {
    // No disk has so much free space, so all writes are refused.
    let server = Logging::start("info", &["--min-free-disk", "1000TiB"]);
    // The first one takes the fast path, once a read has verified its token; the second takes the router.
    server.curl("$PROMINENCE_URL/whoami");
    for (id, path) in [
        ("on-the-fast-path", "/kv/a"),
        ("in-the-router", "/kv/a?ttl=1h"),
    ] {
        let own = format!("-H 'X-Request-Id: {id}' -X PUT -d x \"$PROMINENCE_URL{path}\"");
        let answer = server.curl(&own);
        assert!(answer.contains("503"), "{answer}");
        assert!(
            answer.contains(&format!("\"request_id\":\"{id}\"")),
            "{answer}"
        );
    }
    let answer = server.curl("-X PUT -d x $PROMINENCE_URL/kv/a");
    let id = answer.split("\"request_id\":\"").nth(1).unwrap();
    let new = id.split('"').next().unwrap().to_owned();
    let log = server.log();
    for id in ["on-the-fast-path", "in-the-router", &new] {
        let found = lines(&log, &format!("request{{request_id={id} method=PUT}}"));
        assert_eq!(found.len(), 1, "{id}: {log}");
        assert!(found[0].contains("status=503"), "{log}");
    }
    assert_eq!(lines(&log, "request_id").len(), 3, "{log}");
}

#[test]
fn the_log_can_be_filtered_by_request_and_by_the_wait_of_a_claim() {
    let filter = "[request{request_id=one}]=debug,[claim_wait]=debug";
    let server = Logging::start(filter, &[]);
    for id in ["one", "two"] {
        server.curl(&format!("-H 'X-Request-Id: {id}' $PROMINENCE_URL/kv?count"));
    }
    let claim = "-X POST \"$PROMINENCE_URL/kv/q/?claim=1m&wait=1s\"";
    server.curl(&format!("-H 'X-Request-Id: waits' {claim}"));
    let log = server.log();
    let answered = lines(&log, "answered");
    assert_eq!(answered.len(), 1, "{log}");
    assert!(answered[0].contains("request_id=one"), "{log}");
    let waited = lines(&log, "claim_wait{wait=1s}");
    assert_eq!(waited.len(), 2, "{log}");
    for line in waited {
        assert!(line.contains("request_id=waits"), "{log}");
    }
}

#[test]
fn monitors_are_answered_without_a_token_on_a_listener_of_their_own_alone() {
    let home = tempfile::tempdir().unwrap();
    let mut serve = clean(PROGRAM, home.path());
    let (any, monitors) = ("127.0.0.1:0", "127.0.0.1:0");
    serve.args(["serve", "--listen", any, "--metrics-listen", monitors]);
    let mut server = serve
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let find = |output: &mut dyn Read, before: &str| {
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let line = lines.find_map(|line| Some(line.split_once(before)?.1.to_owned()));
        line.unwrap_or_else(|| panic!("no line with {before:?}"))
    };
    let main = find(&mut server.stdout.take().unwrap(), "http://");
    let main = main.split_once('/').unwrap().0.to_owned();
    let second = find(&mut server.stderr.take().unwrap(), "metrics are at http://");
    let second = second.split_once('/').unwrap().0.to_owned();

    for (address, path, status) in [
        (&main, "/metrics", "401"),
        (&main, "/healthz", "200"),
        (&main, "/readyz", "200"),
        (&second, "/metrics", "200"),
        (&second, "/healthz", "200"),
        (&second, "/readyz", "200"),
        (&second, "/prominence/v1/kv/a", "404"),
    ] {
        let answer = answer(address, path);
        let begins = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&begins), "{address} {path}: {answer}");
    }
    assert!(answer(&second, "/metrics").contains("\nprominence_connections "));

    let mut third = clean(PROGRAM, tempfile::tempdir().unwrap().path());
    third.args(["serve", "--listen", any, "--metrics-listen", &second]);
    let complaint = run(&mut third).complaint(1);
    assert!(complaint.contains("--metrics-listen"), "{complaint}");

    let kill = Command::new("kill").arg(server.id().to_string()).status();
    assert!(kill.unwrap().success());
    assert!(server.wait().unwrap().success());
}

/// The answer to a request without a token.
fn answer(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_check_of_the_configuration_asks_every_issuer_and_starts_nothing() {
    let home = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    // The key of RFC 8037, appendix A.2.
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let key = format!("{{\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"x\": \"{x}\"}}");
    let keys = write("keys", &format!("{{\"keys\": [{key}]}}"));
    let pods = write(
        "pods.toml",
        &format!(
            "name = \"pods\"\nissuer = \"https://pods.example.org\"\nuser-claim = \"sub\"\n\
             namespace-prefix = \"\"\nany-audience = true\njwks-file = \"{keys}\"\n"
        ),
    );
    // Nothing listens at this port.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let campus = write(
        "campus.toml",
        &format!(
            "name = \"campus\"\nissuer = \"http://{address}\"\nuser-claim = \"sub\"\n\
             namespace-prefix = \"c:\"\nany-audience = true\n"
        ),
    );
    let check = |files: &[&str]| {
        let mut serve = clean(PROGRAM, home.path());
        serve.args(["serve", "--check"]);
        for file in files {
            serve.args(["--issuer-file", file]);
        }
        run(&mut serve)
    };
    let good = check(&[&pods]);
    assert_eq!(good.status, 0, "{good:?}");
    let said = String::from_utf8(good.stdout).unwrap();
    assert_eq!(said, "configuration: valid\nissuer pods: usable keys: 1\n");
    let bad = check(&[&pods, &campus]);
    let said = String::from_utf8_lossy(&bad.stdout).into_owned();
    assert!(said.contains("issuer campus: "), "{said}");
    assert!(bad.last_words(1).contains("1 of the issuers"));
    let data = home.path().join(".local");
    assert!(!data.exists(), "no data folder is made");
}

#[test]
fn the_log_can_be_filtered_by_commit_group_and_by_recovery() {
    let filter = "[commit_group]=debug,[recovery]=debug";
    let server = Logging::start(filter, &[]);
    for key in ["a", "b"] {
        let answer = server.curl(&format!("-X PUT -d value $PROMINENCE_URL/kv/{key}"));
        assert!(answer.contains("201"), "{answer}");
    }
    let (log, home) = server.kill();
    let groups = lines(&log, "commit_group{commits=1 bytes=");
    let durable = |line: &&&str| line.contains("the group is durable");
    assert_eq!(groups.iter().filter(durable).count(), 2, "{log}");

    let server = Logging::start_in(home, filter, &[]);
    assert!(server.curl("$PROMINENCE_URL/kv/b").ends_with("value"));
    let log = server.log();
    let recovered = lines(
        &log,
        "recovery: the end of the log was read again groups=2 bytes=",
    );
    assert_eq!(recovered.len(), 1, "{log}");

    // By default the log has neither.
    let server = Logging::start("info", &[]);
    server.curl("-X PUT -d value $PROMINENCE_URL/kv/a");
    let log = server.log();
    assert!(
        !log.contains("commit_group") && !log.contains("recovery"),
        "{log}"
    );
}
