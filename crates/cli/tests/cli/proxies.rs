//! Commands that reach the server through a proxy: which one, how, and what is said where it is away.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::running::{Job, Place, until};
use crate::support::{Ran, Script, Server, run};

/// A connection's first line, and its `Proxy-Authorization`.
type Seen = (String, Option<String>);

/// A proxy for HTTP that makes tunnels and passes requests on.
struct Proxy {
    address: String,
    /// Every connection.
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let log = Arc::clone(&log);
                std::thread::spawn(move || pass(stream.unwrap(), &log));
            }
        });
        Self { address, seen }
    }

    /// What it has seen since the last time.
    fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

fn pass(client: TcpStream, seen: &Mutex<Vec<Seen>>) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let (mut head, mut line) = (Vec::new(), String::new());
    while reader.read_line(&mut line).unwrap() > 2 {
        head.push(std::mem::take(&mut line));
    }
    let first = head[0].trim_end().to_owned();
    let authorization = head.iter().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let named = name.eq_ignore_ascii_case("proxy-authorization");
        named.then(|| value.trim_end().to_owned())
    });
    seen.lock().unwrap().push((first.clone(), authorization));
    let target = first.split(' ').nth(1).unwrap();
    let server = if first.starts_with("CONNECT ") {
        let server = TcpStream::connect(target).unwrap();
        (&client).write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        server
    } else {
        let rest = target.strip_prefix("http://").expect("a whole URL");
        let (place, path) = rest.split_at(rest.find('/').unwrap());
        let mut server = TcpStream::connect(place).unwrap();
        head[0] = first.replace(target, path) + "\r\n";
        server.write_all(head.concat().as_bytes()).unwrap();
        server.write_all(b"\r\n").unwrap();
        server
    };
    let up = server.try_clone().unwrap();
    let upwards = std::thread::spawn(move || copy(reader, &up));
    copy(server, &client);
    upwards.join().unwrap();
}

fn copy(mut from: impl Read, to: &TcpStream) {
    let _ = std::io::copy(&mut from, &mut &*to);
    let _ = to.shutdown(Shutdown::Write);
}

fn set_and_get(server: &Server, change: impl Fn(&mut Command)) -> Ran {
    let me = server.user("me");
    let mut set = me.command(&["kv", "set", "/a", "--string", "42"]);
    change(&mut set);
    run(&mut set).text();
    let mut get = me.command(&["kv", "get", "/a"]);
    change(&mut get);
    run(&mut get)
}

#[test]
fn requests_without_tls_are_passed_on_by_the_proxy_that_the_environment_names() {
    let (server, proxy) = (Server::start(), Proxy::start());
    let through = format!("http://me:s3cret@{}", proxy.address);
    let found = set_and_get(&server, |command| {
        command.env("http_proxy", &through);
    });
    assert_eq!(found.text(), "42");
    let seen = proxy.seen();
    assert_eq!(seen.len(), 2, "{seen:?}");
    let (first, authorization) = &seen[0];
    assert_eq!(*first, format!("PUT {}/kv/a HTTP/1.1", server.url));
    assert_eq!(authorization.as_deref(), Some("Basic bWU6czNjcmV0"));

    for (name, value) in [("HTTP_PROXY", through.as_str()), ("https_proxy", &through)] {
        let found = set_and_get(&server, |command| {
            command.env(name, value);
        });
        assert_eq!(found.text(), "42");
        assert_eq!(proxy.seen(), [], "{name} is not for this URL");
    }
    let found = set_and_get(&server, |command| {
        command
            .env("ALL_PROXY", &through)
            .env("NO_PROXY", "example.org,127.0.0.0/8");
    });
    assert_eq!(found.text(), "42");
    assert_eq!(proxy.seen(), []);
}

#[test]
fn requests_with_tls_pass_in_a_tunnel() {
    let proxy = Proxy::start();
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let server = Server::start_with(&[
        "--tls-cert",
        certificate.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
    ]);
    let url = server.url.replace("127.0.0.1", "localhost");
    let found = set_and_get(&server, |command| {
        command
            .env("PROMINENCE_URL", &url)
            .env("PROMINENCE_CA_FILE", &certificate)
            .env("HTTPS_PROXY", &proxy.address);
    });
    assert_eq!(found.text(), "42");
    let place = url.split('/').nth(2).unwrap();
    assert_eq!(proxy.seen()[0].0, format!("CONNECT {place} HTTP/1.1"));
}

#[test]
fn a_proxy_that_is_away_or_no_proxy_is_named_without_its_password() {
    let gone = Script::new(vec![]);
    let place = gone.url.split('/').nth(2).unwrap().to_owned();
    gone.played();
    let server = Server::start();
    let me = server.user("me");
    let ask = |url: &str, name: &str, value: &str| {
        let mut command = me.command(&["kv", "list", "--retry-for", "0", "--url", url]);
        run(command
            .env(name, value)
            .env("PROMINENCE_SSL_VERIFY", "False"))
    };
    let encrypted = server.url.replace("http:", "https:");
    for (url, name) in [(&server.url, "http_proxy"), (&encrypted, "https_proxy")] {
        let complaint = ask(url, name, &format!("me:s3cret@{place}")).complaint(3);
        let named = format!("through the proxy http://{place} (from {name}): connection refused");
        assert!(complaint.contains(&named), "{complaint}");
        assert!(!complaint.contains("s3cret"), "{complaint}");
    }
    let complaint = ask(&server.url, "http_proxy", "ftp://me:s3cret@p").complaint(2);
    assert!(
        complaint.contains("http_proxy does not name a proxy"),
        "{complaint}"
    );
    assert!(!complaint.contains("s3cret"), "{complaint}");
}

/// Longer than the client takes a cut connection for an outage, shorter than anything it waits for.
const IDLE: Duration = Duration::from_millis(1_500);

/// A middlebox that cuts every connection on which nothing passes for a while.
fn cutting(server: &Server) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let place = server.url.split('/').nth(2).unwrap().to_owned();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(&place).unwrap());
            std::thread::spawn(move || cut_when_idle(&client, &server));
        }
    });
    format!("http://{address}/prominence/v1")
}

fn cut_when_idle(client: &TcpStream, server: &TcpStream) {
    let passed = Mutex::new(std::time::Instant::now());
    let copy = |mut from: &TcpStream, mut to: &TcpStream| {
        let mut bytes = [0; 4_096];
        from.set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        loop {
            match from.read(&mut bytes) {
                Ok(0) => break,
                Ok(length) => {
                    *passed.lock().unwrap() = std::time::Instant::now();
                    if to.write_all(&bytes[..length]).is_err() {
                        break;
                    }
                }
                Err(_) if passed.lock().unwrap().elapsed() > IDLE => break,
                Err(_) => {}
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    };
    std::thread::scope(|scope| {
        scope.spawn(|| copy(client, server));
        copy(server, client);
    });
}

#[test]
fn idle_connections_that_are_cut_end_no_wait_no_watch_and_no_worker() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    let url = cutting(&server);
    for piece in 1..=3 {
        let key = format!("/work/{piece}");
        me.kv(&["set", &key, "--string", "x"]).text();
    }
    me.kv(&["set", "/lock", "--string", "taken"]).text();
    let start = |arguments: &[&str]| {
        let mut command = me.command(&["kv"]);
        command.env("PROMINENCE_URL", &url);
        Job::spawn(command.args(arguments).current_dir(place.path()))
    };
    let get = start(&["get", "/result", "--wait", "1m"]);
    let wait = start(&["wait", "/done/", "--timeout", "1m"]);
    let claim = start(&["claim", "/queue/", "--wait", "1m", "--", "cat"]);
    let lock = start(&["lock", "/lock", "--", "echo", "locked"]);
    let work = "sleep 2.5; echo $PROMINENCE_KEY >> worked";
    let worker = start(&["claim", "/work/", "--until-empty", "--", "sh", "-c", work]);
    let mut watch = me.command(&["kv", "watch", "/done/"]);
    watch.env("PROMINENCE_URL", &url);
    let mut watch = watch
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Each piece takes longer than connections live, and all three longer than several do.
    until("all pieces are done", || {
        place.read("worked").lines().count() == 3
    });
    assert_eq!(worker.ended().text(), "");
    me.kv(&["set", "/done/1", "--string", "x"]).text();
    me.kv(&["set", "/result", "--string", "42"]).text();
    me.kv(&["set", "/queue/1", "--string", "work"]).text();
    me.kv(&["delete", "/lock"]).text();
    assert_eq!(wait.ended().text(), "1\n");
    assert_eq!(get.ended().text(), "42");
    assert_eq!(claim.ended().text(), "work");
    assert_eq!(lock.ended().text(), "locked\n");
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    assert!(line.contains("/done/1"), "{line}");
    watch.kill().unwrap();
    let said = watch.wait_with_output().unwrap().stderr;
    assert!(said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

/// A middlebox that passes the first request on and loses its answer.
fn losing_the_first_answer(server: &Server) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let place = server.url.split('/').nth(2).unwrap().to_owned();
    std::thread::spawn(move || {
        for (at, client) in listener.incoming().enumerate() {
            let (client, mut server) = (client.unwrap(), TcpStream::connect(&place).unwrap());
            let (from, up) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || copy(from, &up));
            if at == 0 {
                // The request is done once its answer begins.
                let _ = server.read(&mut [0]);
                let _ = client.shutdown(Shutdown::Both);
            } else {
                std::thread::spawn(move || copy(server, &client));
            }
        }
    });
    format!("http://{address}/prominence/v1")
}

#[test]
fn a_set_with_a_condition_is_done_once_although_its_answer_was_lost() {
    let server = Server::start();
    let me = server.user("me");
    let through = |arguments: &[&str]| {
        let mut command = me.command(&["kv"]);
        let url = losing_the_first_answer(&server);
        let ran = run(command.args(arguments).env("PROMINENCE_URL", url));
        assert_eq!(ran.status, 0, "{ran:?}");
        assert!(ran.stderr.contains("trying again"), "{ran:?}");
    };
    through(&["set", "/a", "--string", "1", "--if-absent"]);
    through(&["set", "/a", "--string", "2", "--if-revision", "1"]);
    assert_eq!(me.kv(&["get", "/a"]).text(), "2");
    let detail = me.kv(&["get", "--json", "/a"]).text();
    assert!(
        detail.contains("\"revision\": 2"),
        "each was done once: {detail}"
    );
    through(&["lock", "/lock", "--no-wait", "--", "true"]);
    assert_eq!(me.kv(&["list", "/lock"]).text(), "");
    // What another has written is not taken for our own.
    let mut command = me.command(&["kv", "set", "/a", "--string", "3", "--if-absent"]);
    command.env("PROMINENCE_URL", losing_the_first_answer(&server));
    let ran = run(&mut command);
    assert_eq!(ran.status, 1, "{ran:?}");
}
