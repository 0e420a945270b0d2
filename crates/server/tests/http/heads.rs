//! Heads that settle the answer, heads that are no requests, and bodies that nobody reads.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::Server;

/// A request's head, for Alice, without the empty line.
fn head(server: &Server, line: &str, more: &str) -> String {
    let token = server.token("alice");
    format!("{line} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{more}")
}

/// Reads until the other end closes, or resets.
fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// The statuses of all answers that are in a text, `100` included.
fn statuses(answers: &str) -> Vec<&str> {
    let lines = answers.split("HTTP/1.1 ").skip(1);
    let statuses = lines.filter_map(|rest| rest.get(..3));
    let is_number = |status: &&str| status.bytes().all(|byte| byte.is_ascii_digit());
    statuses.filter(is_number).collect()
}

/// Demands the JSON body and the headers of every error.
#[track_caller]
fn assert_is_error(answer: &str, status: u16, code: &str) -> String {
    assert_eq!(statuses(answer), [status.to_string()], "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let head = head.to_lowercase();
    for header in [
        "content-type: application/json",
        "x-request-id: ",
        "x-content-type-options: nosniff",
        "connection: close",
        "date: ",
        &format!("content-length: {}", body.len()),
    ] {
        assert!(head.contains(header), "no {header} in {head}");
    }
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["code"], code, "{body}");
    body["error"].as_str().unwrap().to_owned()
}

#[test]
fn a_head_that_settles_the_answer_is_answered_and_not_asked_for_its_body() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/a", "1");
    let narrow = server.token_for("alice", "storage.read:/", None);
    let length = "Content-Length: 5\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    let anonymous = |line: &str, more: &str| format!("{line} HTTP/1.1\r\nHost: x\r\n{more}");
    let of = |line: &str, more: &str| head(&server, line, more);
    let (post, put) = ("POST /prominence/v1/kv/a", "PUT /prominence/v1/kv/a");
    let mut settled = vec![
        ("401", anonymous(post, length)),
        ("404", of("POST /prominence/v2/kv/a", length)),
        ("405", of("PATCH /prominence/v1/kv/a", length)),
        ("405", of("POST /prominence/v1/whoami", chunked)),
        ("413", of(post, "Content-Length: 16385\r\n")),
        ("413", of(put, "Content-Length: 99999999999\r\n")),
        (
            "413",
            of(
                "POST /prominence/v1/kv",
                "Content-Type: application/json\r\nContent-Length: 1048577\r\n",
            ),
        ),
        ("400", of("POST /prominence/v1/kv", length)),
        ("400", of("PUT /prominence/v1/kv/a/", length)),
        ("400", of("PUT /prominence/v1/kv/%00", chunked)),
        ("400", of("PUT /prominence/v1/kv/a?ttl=x", length)),
        ("400", of("PUT /prominence/v1/kv/a?prefx", length)),
        ("400", of(put, "If-Match: 7\r\nContent-Length: 5\r\n")),
        ("400", of("POST /prominence/v1/kv/a?add=1", length)),
        ("400", of("POST /prominence/v1/kv/a?claim=1m", length)),
        ("400", of("POST /prominence/v1/kv/a?renew=1m", length)),
        ("412", of(put, "If-None-Match: *\r\nContent-Length: 5\r\n")),
        ("412", of(put, "If-Match: \"9\"\r\nContent-Length: 5\r\n")),
        (
            "412",
            of(
                post,
                "If-Match: \"9\", \"8\"\r\nTransfer-Encoding: chunked\r\n",
            ),
        ),
        ("412", of("POST /prominence/v1/kv/a?prev=2", length)),
        ("412", of("POST /prominence/v1/kv/absent?prev=2", length)),
    ];
    for line in [post, put] {
        let narrow = format!("Authorization: Bearer {narrow}\r\nContent-Length: 5\r\n");
        settled.push(("403", anonymous(line, &narrow)));
    }
    for (status, head) in settled {
        let mut stream = server.connect();
        write!(stream, "{head}Expect: 100-continue\r\n\r\n").unwrap();
        let began = Instant::now();
        let answer = rest(&mut stream);
        assert_eq!(statuses(&answer), [status], "{head}{answer}");
        assert!(
            answer.to_lowercase().contains("connection: close"),
            "{answer}"
        );
        assert!(began.elapsed() < Duration::from_secs(10), "{head}");
    }
    assert_eq!(alice.get("/kv/a").text(), "1");
}

#[test]
fn a_head_that_leaves_the_answer_open_is_asked_for_its_body() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/a", "1");
    for more in [
        "",
        "If-Match: \"1\", \"2\"\r\n",
        "If-Match: *\r\n",
        "If-Match: W/\"4\"\r\n",
    ] {
        let head = head(&server, "PUT /prominence/v1/kv/a", more);
        let mut stream = server.connect();
        write!(
            stream,
            "{head}Content-Length: 5\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n"
        )
        .unwrap();
        let mut buffer = [0; 25];
        stream.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(b"12345").unwrap();
        let answer = rest(&mut stream);
        assert_eq!(statuses(&answer), ["200"], "{answer}");
    }
}

#[test]
fn a_client_that_sends_everything_before_it_reads_sees_why_it_is_refused() {
    let server = Server::start();
    for (line, more, status) in [
        ("POST /prominence/v1/kv/a", "", "413"),
        ("PUT /prominence/v1/kv/a", "", "413"),
        (
            "POST /prominence/v1/kv",
            "Content-Type: application/json\r\n",
            "413",
        ),
        ("POST /prominence/v1/nothing", "", "404"),
        // As Java's client asks for HTTP/2, and a browser for a WebSocket.
        (
            "PUT /prominence/v1/kv/a",
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n",
            "413",
        ),
        ("PUT /prominence/v1/kv/a", "Upgrade: websocket\r\n", "413"),
        ("DELETE /prominence/v1/kv/a", "", "200"),
        ("GET /healthz", "", "200"),
    ] {
        for chunked in [false, true] {
            if chunked && line.starts_with("GET") {
                continue;
            }
            let bytes = 20 << 20;
            let framing = if chunked {
                format!("Transfer-Encoding: chunked\r\n\r\n{bytes:x}\r\n")
            } else {
                format!("Content-Length: {bytes}\r\n\r\n")
            };
            let mut stream = server.connect();
            let head = head(&server, line, more);
            stream
                .write_all(format!("{head}{framing}").as_bytes())
                .unwrap();
            let part = vec![b'x'; 1 << 16];
            for _ in 0..bytes / part.len() {
                stream.write_all(&part).unwrap();
            }
            let answer = rest(&mut stream);
            assert_eq!(statuses(&answer), [status], "{line} {answer}");
        }
    }
}

#[test]
fn a_body_that_is_little_too_large_leaves_the_connection_open() {
    let server = Server::start();
    let mut stream = server.connect();
    for body in [16_385, 100_000, 5] {
        let head = head(&server, "PUT /prominence/v1/kv/a", "");
        write!(
            stream,
            "{head}Content-Length: {body}\r\n\r\n{}",
            "x".repeat(body)
        )
        .unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        let expected = if body > 16_384 {
            b"HTTP/1.1 413"
        } else {
            b"HTTP/1.1 201"
        };
        assert_eq!(&answer, expected, "{body}");
        let mut rest = Vec::new();
        while !rest.ends_with(b"}") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            rest.push(byte[0]);
        }
        assert!(
            !String::from_utf8_lossy(&rest)
                .to_lowercase()
                .contains("connection: close")
        );
    }
}

#[test]
fn a_head_that_is_no_request_is_answered_as_every_error_is() {
    let server = Server::start();
    let long = "x".repeat(200_000);
    let many = "a: b\r\n".repeat(200);
    for (request, status, code) in [
        ("GARBAGE\r\n\r\n".to_owned(), 400, "bad_request"),
        (
            "GET / HTTP/3.0\r\nHost: x\r\n\r\n".to_owned(),
            400,
            "bad_request",
        ),
        (
            "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            400,
            "bad_request",
        ),
        (
            "GET / HTTP/1.1\r\nHo st: x\r\n\r\n".to_owned(),
            400,
            "bad_request",
        ),
        (
            "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n".to_owned(),
            400,
            "bad_request",
        ),
        (
            "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"
                .to_owned(),
            400,
            "bad_request",
        ),
        (
            "PUT / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            400,
            "bad_request",
        ),
        (
            "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n".to_owned(),
            400,
            "bad_request",
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n"),
            431,
            "head_too_large",
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: x\r\nA: {long}\r\n\r\n"),
            431,
            "head_too_large",
        ),
        (
            format!("POST / HTTP/1.1\r\nHost: x\r\nA: {long}{long}\r\n\r\n"),
            431,
            "head_too_large",
        ),
    ] {
        let answer = server.raw(request.as_bytes());
        assert_is_error(&answer, status, code);
    }
    // A target that is too long is over one limit or the other.
    let answer =
        server.raw(format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", &long[..65_535]).as_bytes());
    assert!(["414", "431"].contains(&statuses(&answer)[0]), "{answer}");
    // A HEAD is answered without a body.
    let answer = server.raw(format!("HEAD / HTTP/1.1\r\nHost: x\r\n{many}\r\n").as_bytes());
    assert!(
        answer.starts_with("HTTP/1.1 431") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
    // HTTP/2 has to be negotiated, and its own kind of error could not be sent.
    assert_eq!(server.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "");
    // Nothing at all is no request, and no answer.
    let mut silent = server.connect();
    silent.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&mut silent), "");
}

#[test]
fn a_head_whose_length_or_coding_is_wrong_is_told_which_header_it_is() {
    let server = Server::start();
    for (more, status, code, words) in [
        (
            "Content-Length: 1\r\nContent-Length: 2\r\n",
            400,
            "bad_request",
            &["Content-Length", "more than once"][..],
        ),
        (
            "Content-Length: +1\r\n",
            400,
            "bad_request",
            &["Content-Length", "digits"],
        ),
        (
            "Content-Length:\r\n",
            400,
            "bad_request",
            &["Content-Length", "digits"],
        ),
        (
            "Transfer-Encoding:\r\n",
            400,
            "bad_request",
            &["Transfer-Encoding", "chunked"],
        ),
        (
            "Transfer-Encoding: gzip\r\n",
            400,
            "bad_request",
            &["Transfer-Encoding", "chunked"],
        ),
        (
            "Transfer-Encoding: xchunked\r\n",
            400,
            "bad_request",
            &["the header Transfer-Encoding can only be chunked"],
        ),
        // Beyond 64 bits, beyond what hyper counts, and within both.
        (
            "Content-Length: 99999999999999999999999\r\n",
            413,
            "value_too_large",
            &["Content-Length", "16384"],
        ),
        (
            "Content-Length: 18446744073709551615\r\n",
            413,
            "value_too_large",
            &["Content-Length", "16384"],
        ),
        (
            "Content-Length: 18446744073709551613\r\n",
            413,
            "value_too_large",
            &["18446744073709551613 bytes", "16384"],
        ),
    ] {
        let head = head(&server, "PUT /prominence/v1/kv/a", more);
        let answer = server.raw(format!("{head}\r\n").as_bytes());
        let error = assert_is_error(&answer, status, code);
        for word in words {
            assert!(error.contains(word), "{more}: {error}");
        }
    }
    // Reads are not looked at, and are told all that it can be.
    let get = head(&server, "GET /prominence/v1/kv/a", "Content-Length: +1\r\n");
    let error = assert_is_error(
        &server.raw(format!("{get}\r\n").as_bytes()),
        400,
        "bad_request",
    );
    assert!(error.contains("Content-Length"), "{error}");
}

#[test]
fn a_body_that_is_not_in_chunks_is_refused_by_the_name_of_its_header() {
    let server = Server::start();
    let chunked = "Transfer-Encoding: chunked\r\n";
    let put = head(&server, "PUT /prominence/v1/kv/a", chunked);
    for body in [
        "x\r\n",
        "5\r\nab",
        "5\r\nabcdefgh\r\n0\r\n\r\n",
        "-1\r\n",
        "1\r\nab\r\n",
    ] {
        let mut stream = server.connect();
        write!(stream, "{put}\r\n{body}").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let answer = rest(&mut stream);
        let (_, json) = answer.split_once("\r\n\r\n").unwrap_or_default();
        let json: Value = serde_json::from_str(json).unwrap_or_else(|_| panic!("{body}: {answer}"));
        assert_eq!(json["code"], "bad_request", "{body}: {answer}");
        let error = json["error"].as_str().unwrap();
        assert!(error.contains("Transfer-Encoding"), "{body}: {error}");
    }
    let short = head(&server, "PUT /prominence/v1/kv/a", "Content-Length: 5\r\n");
    let mut stream = server.connect();
    write!(stream, "{short}\r\nab").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let answer = rest(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("Content-Length"), "{answer}");
    server.user("alice").get("/kv/a").error(404, "no_such_key");
}

#[test]
fn a_host_that_is_none_is_refused_for_every_request() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/a", "1");
    let token = server.token("alice");
    for line in [
        "GET /prominence/v1/kv/a",
        "DELETE /prominence/v1/kv/a",
        "GET /healthz",
    ] {
        for host in ["a b/c", "a/b", "me@x", "x?y"] {
            // Twice, because a read with a token that is known takes another way.
            for _ in 0..2 {
                let request = format!(
                    "{line} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
                );
                let error = assert_is_error(&server.raw(request.as_bytes()), 400, "bad_request");
                assert!(error.contains("Host"), "{host}: {error}");
            }
        }
    }
    for host in ["x", "kv.example.org:8080", "[::1]:8080", ""] {
        let request = format!(
            "GET /prominence/v1/kv/a HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
             Connection: close\r\n\r\n"
        );
        let answer = server.raw(request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
    }
}

#[test]
fn connect_is_refused_with_the_methods_that_there_are() {
    let server = Server::start();
    for target in ["kv.example.org:443", "/prominence/v1/kv/a", "/nothing"] {
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = server.raw(request.as_bytes());
        assert_eq!(statuses(&answer), ["405"], "{target}: {answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.to_lowercase().contains("\r\nallow: "), "{head}");
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["code"], "method_not_allowed", "{body}");
        assert!(
            body["error"].as_str().unwrap().contains("not a proxy"),
            "{body}"
        );
    }
}

#[test]
fn a_head_that_is_no_request_after_good_ones_is_answered_too() {
    let server = Server::start();
    // A value that looks like an answer of the HTTP library stays a value.
    let odd = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    server.user("alice").set("/kv/a", odd);
    let get = head(&server, "GET /prominence/v1/kv/a", "\r\n");
    let mut stream = server.connect();
    for _ in 0..3 {
        stream.write_all(get.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !String::from_utf8_lossy(&answer).contains(odd) {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
    }
    stream.write_all(b"GARBAGE\r\n\r\n").unwrap();
    assert_is_error(&rest(&mut stream), 400, "bad_request");
}

#[test]
fn a_request_whose_head_is_ambiguous_is_refused_and_its_connection_ends() {
    let server = Server::start();
    let alice = server.user("alice");
    let put = |more: &str, body: &str| {
        let head = head(&server, "PUT /prominence/v1/kv/a", more);
        server.raw(format!("{head}\r\n{body}").as_bytes())
    };
    let chunks = "1\r\nx\r\n0\r\n\r\n";
    for (more, word) in [
        ("Host: y\r\nContent-Length: 1\r\n", "Host"),
        ("Host: x\r\nContent-Length: 1\r\n", "Host"),
        ("Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding"),
        (
            "Transfer-Encoding: chunked, chunked\r\n",
            "Transfer-Encoding",
        ),
        (
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding",
        ),
        ("Transfer-Encoding: xchunked\r\n", ""),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Content-Length",
        ),
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length",
        ),
        (
            "CONTENT-LENGTH:5\r\ntransfer-encoding:chunked\r\n",
            "Content-Length",
        ),
    ] {
        let answer = put(more, chunks);
        let error = assert_is_error(&answer, 400, "bad_request");
        assert!(error.contains(word), "{more}: {error}");
    }
    // The same behind a request that was answered, as an attacker behind a proxy sends it.
    let mut stream = server.connect();
    let get = head(&server, "GET /prominence/v1/whoami", "\r\n");
    stream.write_all(get.as_bytes()).unwrap();
    let mut buffer = [0; 4_096];
    assert!(stream.read(&mut buffer).unwrap() > 0);
    let twice = head(&server, "PUT /prominence/v1/kv/a", "Content-Length: 5\r\n");
    write!(
        stream,
        "{twice}Transfer-Encoding: chunked\r\n\r\n{chunks}{get}"
    )
    .unwrap();
    assert_is_error(&rest(&mut stream), 400, "bad_request");
    // If the two requests come together, both are answered, and then the connection ends as well. They are sent in one
    // write, because the second of two writes can arrive after the first request was answered.
    let mut stream = server.connect();
    let together = format!("{get}{twice}Transfer-Encoding: chunked\r\n\r\n{chunks}{get}");
    stream.write_all(together.as_bytes()).unwrap();
    assert_eq!(statuses(&rest(&mut stream)).len(), 2);

    let get = "GET /healthz HTTP/1.1\r\n";
    assert_is_error(
        &server.raw(format!("{get}\r\n").as_bytes()),
        400,
        "bad_request",
    );
    let chunked = format!("{get}Host: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_is_error(&server.raw(chunked.as_bytes()), 400, "bad_request");
    let answer = server.raw(b"GET /healthz HTTP/1.0\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    let list = alice.list("/kv?list");
    assert_eq!(
        list,
        serde_json::json!(["/a"]),
        "only the pipelined one is stored"
    );
}

#[test]
fn chunks_alone_are_one_framing_and_the_connection_stays() {
    let server = Server::start();
    let mut stream = server.connect();
    let put = head(
        &server,
        "PUT /prominence/v1/kv/a",
        "Transfer-Encoding: chunked\r\n",
    );
    for _ in 0..3 {
        write!(stream, "{put}\r\n1\r\nx\r\n0\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        let answer = String::from_utf8_lossy(&answer).to_lowercase();
        assert!(
            answer.starts_with("http/1.1 20") && !answer.contains("connection: close"),
            "{answer}"
        );
    }
}
