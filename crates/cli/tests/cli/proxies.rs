//! Commands that reach the server through a proxy: which one, how, and what is said where it is away.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

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

    /// The requests since the last call.
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

pub(crate) fn copy(mut from: impl Read, to: &TcpStream) {
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

#[test]
fn a_proxy_that_does_not_speak_as_its_variable_says_is_named_with_the_variable() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = proxy.local_addr().unwrap();
    // A web server, which takes everything that is not HTTP for a bad request.
    std::thread::spawn(move || {
        for stream in proxy.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let server = Server::start();
    let me = server.user("me");
    for (url, name, value, words) in [
        (
            "https://kv.example.org/prominence/v1",
            "https_proxy",
            format!("https://{place}"),
            "the proxy does not speak TLS on this port; write http:// instead of https:// in https_proxy",
        ),
        (
            &server.url,
            "all_proxy",
            format!("socks5h://{place}"),
            "its answer is not SOCKS",
        ),
        (
            &server.url,
            "all_proxy",
            format!("socks4a://{place}"),
            "its answer is not SOCKS",
        ),
    ] {
        let mut command = me.command(&["kv", "set", "/a", "1", "--url", url]);
        let ran = run(command
            .env(name, &value)
            .env("PROMINENCE_SSL_VERIFY", "False"));
        let complaint = ran.complaint(3);
        assert!(complaint.contains(words), "{complaint}");
        let through = format!("through the proxy {value} (from {name}): ");
        assert!(complaint.contains(&through), "{complaint}");
        assert!(!complaint.contains("may or may not"), "{complaint}");
    }
}

/// A proxy that speaks SOCKS 5 (RFC 1928), for one connection after another. Answers the names that it
/// was asked to reach.
fn socks() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let read = |length: usize| {
                let mut bytes = vec![0; length];
                (&client).read_exact(&mut bytes).unwrap();
                bytes
            };
            let methods = read(2)[1];
            read(methods.into());
            (&client).write_all(&[5, 0]).unwrap();
            // Version, CONNECT, reserved, a name.
            assert_eq!(read(4), [5, 1, 0, 3]);
            let length = read(1)[0];
            let name = String::from_utf8(read(length.into())).unwrap();
            let port = read(2);
            let port = u16::from_be_bytes([port[0], port[1]]);
            log.lock().unwrap().push(name.clone());
            let server = TcpStream::connect((name.as_str(), port)).unwrap();
            let bound = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            (&client).write_all(&bound).unwrap();
            let (from, up) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || copy(from, &up));
            std::thread::spawn(move || copy(server, &client));
        }
    });
    (address, seen)
}

#[test]
fn a_socks_proxy_looks_names_up_where_its_scheme_says_so() {
    let server = Server::start();
    let (address, seen) = socks();
    let url = server.url.replace("127.0.0.1", "localhost");
    let found = set_and_get(&server, |command| {
        command
            .env("PROMINENCE_URL", &url)
            .env("all_proxy", format!("socks5h://{address}"));
    });
    assert_eq!(found.text(), "42");
    assert_eq!(*seen.lock().unwrap(), ["localhost", "localhost"]);
}
