//! Two servers that share a store, without a network.

use prominence_core::clock::ManualClock;
use prominence_core::memory::MemoryStore;
use prominence_core::{Namespace, Quota, Quotas};

use super::*;
use crate::identity::records::{OwnLimit, Share, Subject, TokenRecord};

/// A store, and servers that share it.
struct Shared {
    clock: Arc<ManualClock>,
    store: Arc<MemoryStore>,
}

impl Shared {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_000)));
        let store = Arc::new(MemoryStore::new(clock.clone(), Quota::UNLIMITED));
        Self { clock, store }
    }

    fn server(&self) -> Arc<Records> {
        let quotas = Quotas::from(Quota::UNLIMITED);
        Arc::new(Records::new(self.store.clone(), quotas, self.clock.clone()))
    }
}

fn user(name: &str) -> Namespace {
    Namespace::parse(name).unwrap()
}

fn token(id: u8) -> Target {
    Target::Token {
        id: [id; 32],
        of: Some(user("alice")),
    }
}

async fn revoke(at: &Records, id: u8) {
    let lasts = Duration::from_secs(60);
    at.revoke(token(id), None, lasts, Share::Whole)
        .await
        .unwrap();
}

fn is_revoked(at: &Records, id: u8) -> bool {
    let alice = user("alice");
    let subject = Subject {
        user: &alice,
        job: None,
        id: [id; 32],
        made_from: &[],
        since: None,
        job_since: None,
    };
    at.revocations().is_revoked(subject, Duration::ZERO)
}

/// Waits until what is revoked at a server is as expected.
async fn until(at: &Records, id: u8, expected: bool) {
    let mut changed = at.revocations().subscribe();
    while is_revoked(at, id) != expected {
        changed.changed().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_starts_knows_what_was_revoked_before() {
    let shared = Shared::new();
    let first = shared.server();
    for id in 1..=3 {
        revoke(&first, id).await;
    }
    assert!(is_revoked(&first, 1), "at once");
    let second = shared.server();
    assert!(!is_revoked(&second, 3));
    second.load(true).await.unwrap();
    assert!((1..=3).all(|id| is_revoked(&second, id)));
    assert!(!is_revoked(&second, 4));
}

/// Waits without end if the log is not followed.
#[tokio::test]
async fn another_server_learns_of_revocations_and_of_their_end() {
    let shared = Shared::new();
    let (first, second) = (shared.server(), shared.server());
    let following = tokio::spawn(second.load(true).await.unwrap().run());
    revoke(&first, 1).await;
    until(&second, 1, true).await;
    assert!(!is_revoked(&second, 2));
    shared.clock.advance(Duration::from_secs(60));
    shared.store.sweep();
    until(&second, 1, false).await;
    following.abort();
}

/// Fails if records count without a limit of time.
#[tokio::test]
async fn what_is_known_counts_for_five_seconds_after_the_store_has_answered() {
    let shared = Shared::new();
    let server = shared.server();
    server.load(false).await.unwrap();
    shared.clock.advance(Duration::from_secs(3_600));
    assert!(server.are_known(), "nobody else writes");
    server.load(true).await.unwrap();
    shared.clock.advance(Duration::from_millis(4_999));
    assert!(server.are_known());
    shared.clock.advance(Duration::from_millis(1));
    assert!(!server.are_known());
}

#[tokio::test]
async fn a_quota_of_a_user_is_in_force_at_every_server_and_after_a_start() {
    let shared = Shared::new();
    let (first, second) = (shared.server(), shared.server());
    let following = tokio::spawn(second.load(true).await.unwrap().run());
    let own = OwnQuota {
        keys: Some(1_000),
        bytes: None,
        limit: OwnLimit {
            requests_per_second: None,
            held: Some(7),
        },
    };
    first.set_quota(user("alice"), Some(own)).await.unwrap();
    revoke(&first, 1).await;
    until(&second, 1, true).await;
    let third = shared.server();
    third.load(true).await.unwrap();
    for server in [&first, &second, &third] {
        assert_eq!(server.quota_of(&user("alice")).keys, 1_000);
        assert_eq!(server.quota_of(&user("alice")).bytes, u64::MAX);
        assert_eq!(server.own_limits().of(&user("alice")).held, Some(7));
        assert_eq!(server.quota_of(&user("bob")), Quota::UNLIMITED);
        assert_eq!(server.own_limits().of(&user("bob")), OwnLimit::default());
    }
    first.set_quota(user("alice"), None).await.unwrap();
    revoke(&first, 2).await;
    until(&second, 2, true).await;
    assert_eq!(second.quota_of(&user("alice")), Quota::UNLIMITED);
    assert_eq!(second.own_limits().of(&user("alice")).held, None);
    following.abort();
}

#[tokio::test]
async fn the_last_use_of_a_token_is_noted_once_a_day() {
    let shared = Shared::new();
    let server = shared.server();
    let following = tokio::spawn(server.load(true).await.unwrap().run());
    let alice = user("alice");
    let record = TokenRecord {
        version: 1,
        job: None,
        scopes: Vec::new(),
        note: None,
        from: Vec::new(),
        made: 1_000,
        ends: 90_000,
        used: None,
    };
    server.add_token(&alice, &[7; 32], &record).await.unwrap();
    let used = |day| Used {
        user: alice.clone(),
        id: [7; 32],
        day,
    };
    server.write_down(used(86_400)).await.unwrap();
    // An earlier day, such as that of a server whose clock is behind, does not replace it.
    server.write_down(used(0)).await.unwrap();
    let unknown = Used {
        id: [8; 32],
        ..used(0)
    };
    server.write_down(unknown).await.unwrap();
    let tokens = server.tokens_of(&alice).await.unwrap();
    assert_eq!(tokens.len(), 1);
    assert_eq!(tokens[0].1.used, Some(86_400));
    following.abort();
}

#[tokio::test]
async fn the_number_of_revocations_is_bounded_but_not_that_of_users() {
    let shared = Shared::new();
    let records = Records::new(
        shared.store.clone(),
        Quota::UNLIMITED.into(),
        shared.clock.clone(),
    );
    let server = records.with_max_revocations(2);
    revoke(&server, 1).await;
    revoke(&server, 2).await;
    let lasts = Duration::from_secs(60);
    let full = server
        .revoke(token(3), None, lasts, Share::Whole)
        .await
        .unwrap_err();
    assert_eq!(full.status().as_u16(), 507);
    revoke(&server, 2).await;
    // The operator can go on until there are twice as many.
    for (id, expected) in [(3, true), (4, true), (5, false)] {
        let done = server.revoke(token(id), None, lasts, Share::Operator);
        assert_eq!(done.await.is_ok(), expected, "{id}");
    }
    let all = Target::User(user("alice"));
    let before = Some(Timestamp::from_secs(1_000));
    server
        .revoke(all, before, lasts, Share::Whole)
        .await
        .unwrap();
}

/// Fails if a revocation is written without a look at one that came in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn revocations_for_an_earlier_instant_never_take_a_later_one_back() {
    for round in 0..50 {
        let shared = Shared::new();
        let server = shared.server();
        let revoke = |second: u64| {
            let server = Arc::clone(&server);
            tokio::spawn(async move {
                let before = Some(Timestamp::from_secs(second));
                let lasts = Duration::from_secs(second);
                let all = Target::User(user("alice"));
                server.revoke(all, before, lasts, Share::Whole).await
            })
        };
        let all: Vec<_> = (1..=20)
            .map(|number| revoke(if number == 10 { 900 } else { number }))
            .collect();
        for one in all {
            one.await.unwrap().unwrap();
        }
        let after_restart = shared.server();
        after_restart.load(false).await.unwrap();
        let alice = user("alice");
        for records in [&server, &after_restart] {
            let since = Some(Timestamp::from_secs(899));
            let subject = Subject {
                user: &alice,
                job: None,
                id: [0; 32],
                made_from: &[],
                since,
                job_since: since,
            };
            let is_revoked = records.revocations().is_revoked(subject, Duration::ZERO);
            assert!(is_revoked, "round {round}");
        }
    }
}
