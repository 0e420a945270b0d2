//! What a long listing costs the server, and in which pages memory is given to it.

use std::thread;

use prominence_tests::Server;

const WRITERS: usize = 8;
const KEYS: usize = 24_000;
const VALUE: usize = 2_000;

/// How much the server may grow while it lists: a few pages, and what the allocator keeps.
const MAX_GROWTH: usize = 16 << 20;

/// What the operating system says of the server's process.
fn status(server: &Server, name: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let mut lines = status.lines();
    let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    found.unwrap().trim().to_owned()
}

/// The most memory that the server has had so far, in bytes.
fn peak(server: &Server) -> usize {
    let peak = status(server, "VmHWM");
    peak.trim_end_matches(" kB").parse::<usize>().unwrap() * 1_024
}

// In a page of 2 MiB all of a buffer is resident of which a connection has used the beginning.
#[test]
fn the_server_takes_no_huge_pages() {
    let server = Server::start(&[]);
    assert_eq!(status(&server, "THP_enabled"), "0");
}

#[test]
fn a_listing_of_many_values_is_streamed_and_not_gathered() {
    // A small cache, so that what is cached of the data is not mistaken for the listing's memory.
    let mut server = Server::start(&["--cache-size", "1MiB"]);
    let client = server.client("alice");
    let value = vec![b'v'; VALUE];
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (client, value) = (&client, &value);
            scope.spawn(move || {
                for number in (writer..KEYS).step_by(WRITERS) {
                    assert_eq!(
                        client.ask("POST", &format!("/kv/k/{number:06}"), value).0,
                        201
                    );
                }
            });
        }
    });
    // Started again, the server has no memory left over from the writing.
    assert!(server.terminate().success());
    server.restart();
    let client = client.moved(&server.url);
    assert_eq!(client.ask("GET", "/kv/k/000000", "").0, 200);
    assert_eq!(client.ask("GET", "/kv?list&values&limit=1000", "").0, 200);

    let before = peak(&server);
    let (status, listed) = client.send("GET", "/kv?list&values", b"").unwrap();
    let growth = peak(&server).saturating_sub(before);
    assert_eq!(status, 200);
    assert!(listed.len() > KEYS * VALUE, "{} bytes", listed.len());
    println!("listed {} bytes, grew by {growth}", listed.len());
    assert!(
        growth <= MAX_GROWTH,
        "grew by {growth} bytes for {} listed",
        listed.len()
    );
}
