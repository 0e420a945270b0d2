//! One user who asks for far more waits than there may be, and another who is served meanwhile.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use prominence_tests::Server;

/// Waits that are asked for beyond the limit, where PROMINENCE_TEST_WAITS says nothing (a longer
/// run: 100000, which takes a minute or so).
const REFUSED: usize = 5_000;

/// Waits of the other user that are woken meanwhile; then it only reads, since what it stores takes
/// memory too.
const WOKEN: usize = 50;

/// Connections over which they are asked for at the same time.
const AT_ONCE: usize = 16;

/// Waits that one user may have here: a quarter of the connections.
const MAX_CONNECTIONS: &str = "120";
const MAX_WAITS: usize = 30;

/// How much the server may grow meanwhile: what the allocator keeps of a few requests, on each of
/// its threads. A kilobyte for each of 100,000 requests would be far more.
const MAX_GROWTH: usize = 16 << 20;

/// How long something that has to happen may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the server may take to answer and to end the connection: less than the 20 s for which it
/// keeps one that nothing is asked on, and which the others could not have.
const SOON: Duration = Duration::from_secs(10);

/// Sends a request, whose answer is still to be read.
fn begin(url: &str, path: &str, token: &str) -> TcpStream {
    let rest = url.strip_prefix("http://").unwrap();
    let (address, base) = rest.split_once('/').unwrap();
    let path = path
        .strip_prefix("//")
        .map_or(format!("/{base}{path}"), |outside| format!("/{outside}"));
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let head =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// The whole of what comes until the server ends the connection.
fn end(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// How many requests of this kind the server says that it holds.
fn held(server: &Server, kind: &str) -> usize {
    let mut stream = begin(&server.url, "//metrics", &server.token("monitor"));
    let name = format!("prominence_held_requests{{kind=\"{kind}\"}} ");
    let mut text = String::new();
    loop {
        let mut piece = [0; 4_096];
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "no {name} in {text}");
        text.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        let found = text
            .split_once(&name)
            .and_then(|(_, rest)| rest.split_once('\n'));
        if let Some((count, _)) = found {
            return count.trim().parse().unwrap();
        }
    }
}

#[track_caller]
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::yield_now();
    }
}

/// Memory that the server has now, in bytes.
fn resident(server: &Server) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.unwrap().trim().trim_end_matches(" kB");
    kibibytes.parse::<usize>().unwrap() * 1_024
}

#[test]
fn waits_beyond_the_limit_are_refused_at_once_while_another_user_is_served() {
    let wanted = std::env::var("PROMINENCE_TEST_WAITS");
    let refused = wanted.map_or(REFUSED, |number| number.parse().unwrap());
    let server = Server::start(&["--max-connections", MAX_CONNECTIONS]);
    let (alice, bob) = (server.token("alice"), server.client("bob"));
    let bobs_token = server.token("bob");
    assert_eq!(bob.ask("POST", "/kv/b", "bob's").0, 201);

    let ask = |n: usize| begin(&server.url, &format!("/kv/absent/{n}?wait=10m"), &alice);
    let waiting: Vec<_> = (0..MAX_WAITS).map(ask).collect();
    eventually("all that may are waiting", || {
        held(&server, "wait") == MAX_WAITS
    });

    // A first few let each thread of the server take what it keeps.
    for n in 0..500 {
        end(ask(n));
    }
    let before = resident(&server);
    let begun = Instant::now();
    let (next, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let served = thread::scope(|scope| {
        let storm: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        if n >= refused {
                            break;
                        }
                        let answer = end(ask(n));
                        assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
                        assert!(answer.contains("\r\nretry-after: 5\r\n"), "{answer}");
                        assert!(
                            answer.contains(&format!("{MAX_WAITS} requests")),
                            "{answer}"
                        );
                    }
                })
            })
            .collect();
        let others = scope.spawn(|| {
            let mut served = 0;
            while !over.load(Ordering::Relaxed) || served == 0 {
                let plain = bob.ask("GET", "/kv/b", "");
                assert_eq!(plain, (200, "bob's".to_owned()));
                served += 1;
                if served > WOKEN {
                    continue;
                }
                let path = format!("/kv/new/{served}");
                let wait = begin(&server.url, &format!("{path}?wait=10m"), &bobs_token);
                eventually("bob's wait is held", || {
                    held(&server, "wait") == MAX_WAITS + 1
                });
                assert_eq!(bob.ask("POST", &path, "come").0, 201);
                let mut woken = [0; 12];
                (&wait).read_exact(&mut woken).unwrap();
                assert_eq!(&woken, b"HTTP/1.1 200");
            }
            served
        });
        for one in storm {
            one.join().unwrap();
        }
        over.store(true, Ordering::Relaxed);
        others.join().unwrap()
    });
    let growth = resident(&server).saturating_sub(before);
    let took = begun.elapsed();
    println!("{refused} refused and {served} served in {took:?}, grew by {growth} bytes");
    assert!(growth <= MAX_GROWTH, "grew by {growth} bytes");
    assert_eq!(
        held(&server, "wait"),
        MAX_WAITS,
        "those who wait were not disturbed"
    );
    drop(waiting);
    eventually("their places are free again", || held(&server, "wait") == 0);
}
