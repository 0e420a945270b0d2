//! Which sets take the fast path. Their answers are compared with the router's in `tests/http/fast_path.rs`.

use bytes::Bytes;
use http_body_util::Full;
use prominence_core::clock::ManualClock;
use prominence_core::memory::MemoryStore;
use prominence_core::permit::Scopes;
use prominence_core::{Namespace, Quota};

use super::*;
use crate::app::Bounds;
use crate::identity::token::{NewToken, Secret, TokenLimits, Verifier, mint};
use crate::wait::connection::{Connections, PlaceLimits, Proxies};
use crate::wait::long_poll::LongPollLimits;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

/// Bytes that a value may have.
const LIMIT: usize = 5;

/// A service without a port, and a token that it has verified.
fn start() -> (Service, String) {
    let secret = Secret::new(None, b"the secret of these tests");
    let token = NewToken {
        user: Namespace::parse("alice").unwrap(),
        job: None,
        groups: Vec::new(),
        scopes: Scopes::parse("").unwrap(),
        lifetime: Duration::from_secs(60),
    };
    let token = mint(&secret, &token, NOW).unwrap();
    let clock = Arc::new(ManualClock::new(NOW));
    let store = Arc::new(MemoryStore::new(clock.clone(), Quota::UNLIMITED));
    let bounds = Bounds {
        value_bytes: LIMIT,
        quota: Quota::UNLIMITED,
        body_within: Duration::from_secs(60),
        answer_within: Duration::from_secs(60),
        request_memory: 64 << 20,
        requests_per_second: 0,
        long_polls: LongPollLimits {
            in_all: 1,
            per_user: 1,
        },
    };
    let verifier = Verifier::new(std::slice::from_ref(&secret), TokenLimits::default());
    let service = Service::new(App::new(store, verifier, clock, bounds));
    let verifier = service.app.verifier.load_full();
    let verifying = verifier.verify(&token, None, NOW);
    // A token that is signed with a secret is verified at once.
    verifying.now_or_never().unwrap().unwrap();
    (service, token)
}

/// True if such a set takes the fast path.
fn is_plain(
    service: &Service,
    token: &str,
    method: &str,
    path: &str,
    more: &[(&str, &str)],
) -> bool {
    is_plain_with(service, token, (method, path), more, "value")
}

fn is_plain_with(
    service: &Service,
    token: &str,
    (method, path): (&str, &str),
    more: &[(&str, &str)],
    body: &'static str,
) -> bool {
    let request = Request::builder()
        .method(method)
        .uri(format!("/prominence/v1/kv{path}"))
        .header("host", "x")
        .header("authorization", format!("Bearer {token}"));
    let request = more.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    let request = request.body(Full::new(Bytes::from_static(body.as_bytes())));
    let address = std::net::Ipv4Addr::LOCALHOST.into();
    let connections = Connections::new(PlaceLimits {
        proxies: Proxies::default(),
        users: 8,
        head_memory: 0,
        lifetime: Duration::MAX,
    });
    let standing = connections.open(address).now_or_never().unwrap();
    service
        .parse_set(Instant::now(), &request.unwrap(), Framing::Once, &standing)
        .is_some()
}

#[test]
fn plain_sets_take_the_fast_path_with_and_without_conditions() {
    let (service, token) = start();
    for method in ["POST", "PUT"] {
        for more in [
            &[][..],
            &[("if-match", "\"7\"")],
            &[("if-none-match", "*")],
            &[("if-match", "*"), ("prominence-write-id", "a")],
            &[("content-type", "text/plain")],
        ] {
            assert!(is_plain(&service, &token, method, "/a/b", more), "{more:?}");
        }
    }
    assert!(is_plain_with(&service, &token, ("PUT", "/a"), &[], ""));
}

#[test]
fn other_sets_go_to_the_router() {
    let (service, token) = start();
    let is_plain = |method, path, more: &[_]| is_plain(&service, &token, method, path, more);
    for method in ["GET", "HEAD", "DELETE", "PATCH"] {
        assert!(!is_plain(method, "/a", &[]), "{method}");
    }
    for path in [
        "",
        "/",
        "//",
        "/a/",
        "/a?ttl=1h",
        "/a?&",
        "/a/../b",
        "/%zz",
        "/%00",
    ] {
        assert!(!is_plain("PUT", path, &[]), "{path}");
    }
    for (name, value) in [
        ("expect", "100-continue"),
        ("transfer-encoding", "gzip, chunked"),
        ("host", "y"),
        ("authorization", "Bearer x"),
        ("if-match", "7"),
        ("if-none-match", "\"7\""),
        ("if-modified-since", "Tue, 14 Nov 2023 22:13:20 GMT"),
        ("prominence-write-id", "a"),
    ] {
        assert!(!is_plain("PUT", "/a", &[(name, value)]), "{name}");
    }
    assert!(!is_plain_with(
        &service,
        &token,
        ("PUT", "/a"),
        &[],
        "longer"
    ));
    assert!(!is_plain_with(
        &service,
        "unknown",
        ("PUT", "/a"),
        &[],
        "value"
    ));
}
