//! Every row of the interface's table of errors that is not covered beside its feature.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use prominence_core::error::Fate;
use prominence_core::{
    Changes, Commit, Committed, Count, CountScan, Cursor, Entry, Extent, Interest, Item, Job, Key,
    Namespace, Page, Prefix, Quota, Revision, Scan, Signal, Store, StoreError, Usage,
};

use crate::common::{Server, Setup};

#[test]
fn an_absent_key_is_told_in_the_words_that_the_existing_client_looks_for() {
    let server = Server::start();
    let error = server
        .user("alice")
        .get("/kv/absent")
        .error(404, "no_such_key");
    assert_eq!(error, "No such key");
}

#[test]
fn unknown_routes_and_methods_are_answered_in_json() {
    let server = Server::start();
    let alice = server.user("alice");
    for path in ["/nothing", "//nothing", "//prominence/v2/kv/a", "//kv/a"] {
        alice.get(path).error(404, "not_found");
    }
    let answer = alice.send("PATCH", "/kv/a", &[], b"");
    answer.error(405, "method_not_allowed");
    let allow = answer.header("allow");
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE"] {
        assert!(allow.contains(method), "{allow}");
    }
    let answer = alice.send("POST", "/whoami", &[], b"");
    answer.error(405, "method_not_allowed");
    assert!(answer.header("allow").contains("GET"), "{answer:?}");
}

#[test]
fn parameters_that_do_not_fit_are_named() {
    let server = Server::start();
    let alice = server.user("alice");
    for (method, path, word) in [
        ("GET", "/kv/a?foo", "foo"),
        ("GET", "/kv/a?values", "values"),
        ("GET", "/kv?list&list", "list"),
        ("GET", "/kv?list=maybe", "maybe"),
        ("GET", "/kv", "?list"),
        ("GET", "/whoami?x=1", "x"),
        ("POST", "/kv/a?ttl=0", "ttl"),
        ("POST", "/kv/a?ttl=-5", "ttl"),
        ("POST", "/kv/a?ttl=1w", "ttl"),
        ("POST", "/kv/a?ttl=99999999999999999999", "ttl"),
        ("POST", "/kv/a?ttl", "ttl"),
        ("POST", "/kv/a?list", "list"),
        ("POST", "/kv/a?add=+1", "write %2B"),
        ("PUT", "/kv/a?prev=%", "prev"),
    ] {
        let error = alice.send(method, path, &[], b"").error(400, "bad_request");
        assert!(error.contains(word), "{method} {path}: {error}");
    }
    let tag = [("if-match", "7")];
    let error = alice
        .send("POST", "/kv/a", &tag, b"x")
        .error(400, "bad_request");
    assert!(error.contains("\"7\""), "{error}");
    alice.get("/kv/a").error(404, "no_such_key");
}

#[test]
fn a_full_namespace_says_what_there_is_and_may_be() {
    let mut setup = Setup::default();
    setup.bounds.quota = Quota {
        keys: 2,
        bytes: 100,
    };
    let server = Server::with(setup);
    let alice = server.user("alice");
    alice.set("/kv/a", "1");
    alice.set("/kv/b", "1");
    let keys = alice.post("/kv/c", "1").error(507, "quota_exceeded");
    assert!(keys.contains("3 keys") && keys.contains("2 keys"), "{keys}");
    let bytes = alice
        .post("/kv/b", vec![b'x'; 200])
        .error(507, "quota_exceeded");
    assert!(
        bytes.contains("205 bytes") && bytes.contains("100 bytes"),
        "{bytes}"
    );
    assert_eq!(alice.get("/kv/b").text(), "1");
    alice.set("/kv/b", "22");
    server.user("bob").set("/kv/a", "1");
    assert_eq!(alice.delete("/kv/a").status, 200);
    alice.set("/kv/c", "1");
}

#[test]
fn too_many_requests_of_one_user_do_not_hinder_another() {
    for (method, path) in [("GET", "/kv?list"), ("GET", "/kv/a"), ("PUT", "/kv/a")] {
        let mut setup = Setup::default();
        setup.bounds.requests_per_second = 5;
        let server = Server::with(setup);
        let (alice, bob) = (server.user("alice"), server.user("bob"));
        for user in [&alice, &bob] {
            user.set("/kv/a", "1");
        }
        let answers: Vec<_> = (0..50)
            .map(|_| alice.send(method, path, &[], b""))
            .collect();
        let limited = answers
            .iter()
            .find(|answer| answer.status == 429)
            .expect("a limit");
        assert!(limited.error(429, "rate_limited").contains('5'));
        assert_eq!(limited.header("retry-after"), "1");
        assert_eq!(bob.send(method, path, &[], b"").status, 200);
    }
}

#[test]
fn every_answer_names_its_request() {
    let server = Server::start();
    let alice = server.user("alice");
    let id = |sent: &str| {
        let answer = alice.send("GET", "/kv?list", &[("x-request-id", sent)], b"");
        answer.header("x-request-id").to_owned()
    };
    assert_eq!(id("job-17:step.2_a"), "job-17:step.2_a");
    for odd in ["", "a b", "<script>", &"x".repeat(129)] {
        let given = id(odd);
        assert!(given != odd && !given.is_empty(), "{odd}");
    }
    let (first, second) = (alice.get("/kv/a"), alice.get("//healthz"));
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
    assert_eq!(second.header("x-content-type-options"), "nosniff");
}

/// A store that fails as it is told to, or never answers where it is told nothing. It lists one
/// key first, with more to follow, where there is a first page.
struct Failing {
    error: fn() -> Option<StoreError>,
    first_page: Page,
}

impl Failing {
    async fn fail<T>(&self) -> Result<T, StoreError> {
        // As a real engine would, so that what was answered before is on its way.
        tokio::task::yield_now().await;
        match (self.error)() {
            Some(error) => Err(error),
            None => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Store for Failing {
    async fn get(&self, _: &Namespace, _: &Key) -> Result<Option<Entry>, StoreError> {
        self.fail().await
    }
    fn get_at_once(&self, _: &Namespace, _: &Key) -> Option<Entry> {
        None
    }
    async fn scan(&self, _: &Namespace, scan: &Scan) -> Result<Page, StoreError> {
        if scan.after.is_none() && self.first_page.next.is_some() {
            return Ok(self.first_page.clone());
        }
        self.fail().await
    }
    async fn count(&self, _: &Namespace, _: &CountScan) -> Result<Count, StoreError> {
        self.fail().await
    }
    async fn commit(
        &self,
        _: &Namespace,
        _: Option<&Job>,
        _: Commit,
    ) -> Result<Committed, StoreError> {
        self.fail().await
    }
    async fn changes(&self, _: &Namespace, _: &Prefix, _: Cursor) -> Result<Changes, StoreError> {
        self.fail().await
    }
    async fn extent(&self, _: &Namespace) -> Result<Extent, StoreError> {
        self.fail().await
    }
    async fn listen(&self, _: &Namespace, _: &Interest) -> Result<Signal, StoreError> {
        self.fail().await
    }
    async fn usage(&self, _: &Namespace) -> Result<Usage, StoreError> {
        self.fail().await
    }
    async fn ready(&self) -> Result<(), StoreError> {
        self.fail().await
    }
}

fn failing(error: fn() -> Option<StoreError>) -> Server {
    Server::with(Setup {
        store: Some(Arc::new(Failing {
            error,
            first_page: Page::default(),
        })),
        ..Setup::default()
    })
}

#[test]
fn an_engine_that_cannot_answer_is_503_and_says_whether_a_write_may_have_happened() {
    let server = failing(|| {
        Some(StoreError::Unavailable {
            reason: "the disk is full".into(),
            fate: Fate::Unknown,
            retry_after: Duration::from_millis(1_500),
            cause: None,
        })
    });
    let alice = server.user("alice");
    for answer in [
        alice.get("/kv/a"),
        alice.get("/kv?list"),
        alice.get("/kv?count"),
        alice.get("/kv?usage"),
        alice.post("/kv/a", "x"),
        alice.delete("/kv?prefix"),
        server.anonymous().get("//readyz"),
    ] {
        let error = answer.error(503, "unavailable");
        assert!(
            error.contains("disk is full") && error.contains("may or may not"),
            "{error}"
        );
        assert_eq!(answer.header("retry-after"), "2");
        assert_eq!(answer.json()["request_id"], answer.header("x-request-id"));
    }
    assert_eq!(server.anonymous().get("//healthz").status, 200);
    // A program needs no text to know whether to look what became of a write.
    let field = "may_have_happened";
    assert_eq!(alice.post("/kv/a", "x").json()[field], true);
    assert_eq!(alice.delete("/kv?prefix").json()[field], true);
    assert!(alice.get("/kv/a").json().get(field).is_none());
    let refused = alice.post("/kv/a?ttl=0", "x");
    assert_eq!(refused.json()[field], false);
}

#[test]
fn a_listing_that_fails_midway_breaks_off_and_is_never_a_shorter_one() {
    let key = Key::parse("/a").unwrap();
    let first_page = Page {
        revision: Revision::new(1),
        next: Some(Prefix::from(&key)),
        items: vec![Item::Key(key)],
    };
    let error = || {
        Some(StoreError::Corrupt {
            what: "planted".into(),
        })
    };
    let store: Arc<dyn Store> = Arc::new(Failing { error, first_page });
    let server = Server::with(Setup {
        store: Some(store),
        ..Setup::default()
    });
    for (accept, shown) in [("*/*", "[\"/a\""), ("application/x-ndjson", "\"/a\"\n")] {
        let answer = server.raw(
            format!(
                "GET /prominence/v1/kv?list HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
                 Accept: {accept}\r\n\r\n",
                server.token("alice")
            )
            .as_bytes(),
        );
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains(shown), "{answer}");
        // Neither the array nor the chunked body (RFC 9112, section 7.1) comes to its end.
        assert!(
            !answer.contains(']') && !answer.ends_with("0\r\n\r\n"),
            "{answer}"
        );
    }
}

#[test]
fn the_first_part_of_a_compressed_listing_is_sent_before_the_next_one_is_read() {
    let key = Key::parse("/a").unwrap();
    let store = Failing {
        // The second page never comes.
        error: || None,
        first_page: Page {
            revision: Revision::new(1),
            next: Some(Prefix::from(&key)),
            items: vec![Item::Key(key)],
        },
    };
    let server = Server::with(Setup {
        store: Some(Arc::new(store)),
        ..Setup::default()
    });
    let mut stream = server.connect();
    let request = format!(
        "GET /prominence/v1/kv?list HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Accept-Encoding: gzip\r\n\r\n",
        server.token("alice")
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = BufReader::new(stream);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        answer.read_line(&mut line).unwrap();
    }
    // One chunk (RFC 9112, section 7.1) has all of the first part.
    line.clear();
    answer.read_line(&mut line).unwrap();
    let mut chunk = vec![0; usize::from_str_radix(line.trim(), 16).unwrap()];
    answer.read_exact(&mut chunk).unwrap();
    let mut first = [0; 5];
    let mut decoder = flate2::read::GzDecoder::new(&chunk[..]);
    decoder.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"[\"/a\"");
}

#[test]
fn damaged_data_is_an_error_and_not_an_absence() {
    let server = failing(|| {
        let what = "entries: secret key name".into();
        Some(StoreError::Corrupt { what })
    });
    let error = server.user("alice").get("/kv/a").error(500, "internal");
    assert!(
        error.contains("damaged") && !error.contains("secret"),
        "{error}"
    );
}

#[test]
fn a_bug_in_the_engine_costs_one_request() {
    let server = failing(|| panic!("a planted bug"));
    let alice = server.user("alice");
    alice.get("/kv/a").error(500, "internal");
    assert_eq!(server.anonymous().get("//healthz").status, 200);
}

#[test]
fn a_request_is_answered_within_its_deadline_whatever_the_engine_does() {
    let stuck = Failing {
        error: || None,
        first_page: Page::default(),
    };
    let mut setup = Setup {
        store: Some(Arc::new(stuck)),
        ..Setup::default()
    };
    setup.bounds.answer_within = Duration::from_millis(100);
    let server = Server::with(setup);
    let error = server
        .user("alice")
        .post("/kv/a", "x")
        .error(503, "unavailable");
    assert!(error.contains("may or may not"), "{error}");
}
