//! One user who leaves giant answers unread, while the memory of the server is limited and another user is served.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use prominence_tests::Server;

/// Values whose JSON is six times as large as they are: 50 MiB for a page of them.
const VALUES: usize = 520;
const VALUE_BYTES: usize = 16_384;

/// Answers that nobody reads. Made as a whole, they would take more than there is.
const UNREAD: usize = 60;

/// The address space of the process: its threads and its allocator reserve more than they use.
const ADDRESS_SPACE: u64 = 3 << 30;

/// The memory that the server may use, and what its process may have at most: program, stacks and entries that are not
/// written out are in it as well.
const MEMORY_LIMIT: &str = "256MiB";
const MAX_RESIDENT: usize = 400 << 20;

/// How long an answer may take to begin.
const PATIENCE: Duration = Duration::from_secs(60);

/// Requests of the other user meanwhile.
const REQUESTS: usize = 200;

/// Asks for all values, without reading the answer.
fn ask_for_all(url: &str, token: &str) -> TcpStream {
    let rest = url.strip_prefix("http://").unwrap();
    let (address, base) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "GET /{base}/kv?list&values&limit=10000 HTTP/1.1\r\nHost: {address}\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.set_nonblocking(true).unwrap();
    stream
}

/// True if an answer has begun to arrive. It stays unread.
fn has_begun(stream: &TcpStream) -> bool {
    let mut begin = [0; 12];
    stream.peek(&mut begin).is_ok() && &begin == b"HTTP/1.1 200"
}

/// The most memory that the process has had so far, in bytes.
fn peak(server: &Server) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.unwrap().trim().trim_end_matches(" kB");
    kibibytes.parse::<usize>().unwrap() * 1_024
}

#[test]
fn giant_answers_that_nobody_reads_leave_memory_to_the_server_and_to_other_users() {
    let server = Server::start_within(&["--memory-limit", MEMORY_LIMIT], ADDRESS_SPACE);
    let (alice, bob) = (server.client("alice"), server.client("bob"));
    let value = vec![1; VALUE_BYTES];
    for number in 0..VALUES {
        let path = format!("/kv/v/{number:03}");
        assert_eq!(alice.send("POST", &path, &value).unwrap().0, 201);
    }
    assert_eq!(bob.ask("POST", "/kv/b", "bob's").0, 201);
    let token = server.token("alice");
    let unread: Vec<_> = (0..UNREAD)
        .map(|_| ask_for_all(&server.url, &token))
        .collect();
    let deadline = Instant::now() + PATIENCE;
    while !unread.iter().any(has_begun) {
        assert!(Instant::now() < deadline, "no answer has begun");
        std::thread::yield_now();
    }
    for number in 0..REQUESTS {
        assert_eq!(bob.ask("GET", "/kv/b", ""), (200, "bob's".to_owned()));
        if number % 10 == 0 {
            assert_eq!(bob.ask("POST", "/kv/n", number.to_string()).0, 201);
            assert_eq!(bob.ask("GET", "/kv?list&values&limit=10000", "").0, 200);
        }
    }
    // Small requests of the same user are served, too.
    assert_eq!(alice.send("GET", "/kv/v/000", b"").unwrap().0, 200);
    assert_eq!(alice.ask("POST", "/kv/n", "1").0, 201);
    let most = peak(&server);
    println!("the process had {most} bytes");
    assert!(most < MAX_RESIDENT, "the process had {most} bytes");
    drop(unread);
    let (status, all) = alice
        .send("GET", "/kv?list&values&limit=10000", b"")
        .unwrap();
    assert_eq!(status, 200);
    // A page ends at 8 MiB of keys and values.
    assert!(all.len() > 6 * (8 << 20), "{} bytes", all.len());
}
