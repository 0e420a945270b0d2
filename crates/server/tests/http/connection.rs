//! Slow, many, encrypted and ending connections.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use prominence_server::Tls;

use crate::common::{Server, Setup};

#[test]
fn a_slow_head_and_a_slow_body_are_cut_off() {
    let mut setup = Setup::default();
    setup.limits.head_within = Duration::from_millis(100);
    setup.bounds.body_within = Duration::from_millis(100);
    let server = Server::with(setup);

    let mut slow = server.connect();
    slow.write_all(b"GET /prominence/v1/kv HTTP/1.1\r\nHost:")
        .unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
        "{answer}"
    );

    let mut slow = server.connect();
    let head = format!(
        "POST /prominence/v1/kv/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Length: 5\r\nConnection: close\r\n\r\nx",
        server.token("alice")
    );
    slow.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("request_timeout"), "{answer}");
    server.user("alice").get("/kv/a").error(404, "no_such_key");
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let server = Server::start();
    let long = "x".repeat(70_000);
    let answer = server.raw(format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    let many = "a: b\r\n".repeat(200);
    let answer = server.raw(format!("GET / HTTP/1.1\r\n{many}\r\n").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[test]
fn a_connection_without_a_user_is_closed_after_a_while_for_another() {
    let mut setup = Setup::default();
    setup.limits.connections = 1;
    let server = Server::with(setup);
    let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut buffer = [0; 1_024];

    let mut first = server.connect();
    first.write_all(request).unwrap();
    assert!(first.read(&mut buffer).unwrap() > 0);
    let mut second = server.connect();
    second.write_all(request).unwrap();
    second
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    assert!(second.read(&mut buffer).is_err(), "the only place is taken");
    second
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    assert!(second.read(&mut buffer).unwrap() > 0);
    assert_eq!(first.read(&mut buffer).unwrap_or(0), 0, "it is closed");
}

#[test]
fn a_connection_is_closed_with_the_first_answer_after_its_lifetime() {
    let mut setup = Setup::default();
    setup.limits.lifetime = Duration::ZERO;
    let server = Server::with(setup);
    let alice = server.user("alice");
    for (method, status) in [("PUT", 201), ("GET", 200)] {
        let answer = alice.send(method, "/kv/a", &[], b"x");
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("connection"), "close");
    }
    let other = Server::start();
    assert_eq!(other.anonymous().get("//healthz").header("connection"), "");
}

#[test]
fn users_share_connections_and_health_is_answered_beside_all_of_them() {
    let mut setup = Setup::default();
    setup.limits.connections = 4;
    let server = Server::with(setup);
    // A connection on which a user has signed in.
    let signed_in = |user: &str| {
        let mut stream = server.connect();
        let token = server.token(user);
        let head = format!(
            "GET /prominence/v1/whoami HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        (stream, String::from_utf8_lossy(&status).into_owned())
    };
    let (ok, too_many) = ("HTTP/1.1 200", "HTTP/1.1 429");
    let of_alice: Vec<_> = (0..4).map(|_| signed_in("alice")).collect();
    assert!(of_alice.iter().all(|(_, status)| status == ok));
    assert_eq!(signed_in("alice").1, too_many);
    assert_eq!(server.anonymous().get("//healthz").status, 200);
    let of_bob: Vec<_> = (0..2).map(|_| signed_in("bob")).collect();
    assert!(of_bob.iter().all(|(_, status)| status == ok));
    assert_eq!(signed_in("bob").1, too_many);
    // The newest of the user who had most.
    let (mut newest, _) = of_alice.into_iter().next_back().unwrap();
    let mut rest = Vec::new();
    if let Err(error) = newest.read_to_end(&mut rest) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
}

#[test]
fn a_request_in_flight_is_finished_before_the_server_stops() {
    let mut server = Server::start();
    let mut stream = server.connect();
    let head = format!(
        "POST /prominence/v1/kv/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Length: 5\r\nExpect: 100-continue\r\n\r\n",
        server.token("alice")
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The server asks for the body, so the request is in a handler's hands.
    let mut buffer = [0; 1_024];
    let read = stream.read(&mut buffer).unwrap();
    assert!(buffer[..read].starts_with(b"HTTP/1.1 100"));

    let mut stopped = server.stop();
    assert!(stopped.try_recv().is_err(), "a request is still in flight");
    stream.write_all(b"12345").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    stopped.blocking_recv().unwrap();
    assert!(
        std::net::TcpStream::connect(server.address).is_err(),
        "nobody listens any more"
    );
}

#[test]
fn tls_is_served_with_the_configured_certificate() {
    use std::sync::Arc;
    use tokio_rustls::rustls::pki_types::ServerName;
    use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, Stream, crypto};

    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    assert!(
        Tls::load(&key, &certificate).is_err(),
        "the two files are swapped"
    );

    let tls = Some(Tls::load(&certificate, &key).unwrap());
    let server = Server::with(Setup {
        tls,
        ..Setup::default()
    });
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config =
        ClientConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = server.connect();
    let mut stream = Stream::new(&mut connection, &mut socket);
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}
