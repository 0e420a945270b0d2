//! Barriers: counts that wait until there are enough keys.

use std::time::{Duration, Instant};

use crate::common::Server;
use crate::long_poll::{LongPoll, eventually};

#[test]
fn a_barrier_opens_for_all_who_wait_once_there_are_enough_keys() {
    let server = Server::start();
    let (alice, bob) = (server.user("alice"), server.user("bob"));
    alice.set("/kv/done/0", "x");
    let path = "/kv/done/?count&at_least=3&wait=10m";
    let polls: Vec<_> = (0..8)
        .map(|_| LongPoll::begin(&server, path, &[]))
        .collect();
    let more = LongPoll::begin(&server, "/kv/done/?list&count&at_least=4&wait=10m", &[]);
    alice.set("/kv/done/1", "x");
    // None of these counts: the same key again, a sibling, a hidden key, another user's.
    alice.set("/kv/done/1", "y");
    alice.set("/kv/done2", "x");
    alice.set("/kv/done/_internal_/x", "x");
    bob.set("/kv/done/2", "x");
    polls[0].goes_on();
    alice.set("/kv/done/2", "x");
    for one in polls {
        let answer = one.answer();
        assert_eq!(
            (answer.status, answer.json()["count"].as_u64()),
            (200, Some(3))
        );
    }
    more.goes_on();
    alice.set("/kv/done/3", "x");
    assert_eq!(more.answer().json()["count"], 4);
}

#[test]
fn a_barrier_that_is_open_answers_at_once() {
    let server = Server::start();
    let alice = server.user("alice");
    for n in 0..3 {
        alice.set(&format!("/kv/{n}"), "x");
    }
    let answer = alice.get("/kv?count&at_least=2&wait=10m");
    assert_eq!(
        (answer.status, answer.json()["count"].as_u64()),
        (200, Some(3))
    );
}

#[test]
fn a_barrier_whose_time_is_over_answers_the_count_there_is_without_what_expired() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/a", "x");
    alice.set("/kv/b?ttl=60", "x");
    let poll = LongPoll::begin(&server, "/kv?count&at_least=3&wait=60", &[]);
    server.clock.advance(Duration::from_secs(60));
    let answer = poll.answer();
    assert_eq!(
        (answer.status, answer.json()["count"].as_u64()),
        (200, Some(1))
    );
}

#[test]
fn all_who_wait_share_one_count_which_rests_while_its_prefix_is_busy() {
    const WAITERS: u32 = 8;
    const SETS: u32 = 400;
    /// The shortest time between the end of a count and the next for a change.
    const REST: Duration = Duration::from_millis(10);
    let server = Server::start();
    let alice = server.user("alice");
    let path = format!("/kv/done/?count&at_least={}&wait=10m", SETS + 1);
    let polls: Vec<_> = (0..WAITERS)
        .map(|_| LongPoll::begin(&server, &path, &[]))
        .collect();
    // Each makes one count for itself when it comes, or has a share in another's.
    eventually("they have been counted for", || server.counts() > 0);
    let begun = Instant::now();
    for n in 0..SETS {
        alice.set(&format!("/kv/done/{n}"), "x");
    }
    let counts = u128::from(server.counts());
    let rests = begun.elapsed().as_millis() / REST.as_millis();
    assert!(counts > 2, "{counts} counts: changes are counted");
    let most = u128::from(WAITERS) + rests + 1;
    assert!(counts <= most, "{counts} counts where {most} are enough");
    // The last change is counted although many before it were not.
    alice.set("/kv/done/last", "x");
    for one in polls {
        assert_eq!(one.answer().json()["count"], SETS + 1);
    }
}

#[test]
fn a_barrier_ends_when_the_server_stops() {
    let mut server = Server::start();
    let poll = LongPoll::begin(&server, "/kv?count&at_least=3&wait=10m", &[]);
    let _stopped = server.stop();
    poll.answer().error(503, "unavailable");
}

#[test]
fn half_a_barrier_is_refused() {
    let server = Server::start();
    let alice = server.user("alice");
    for query in [
        "count&at_least=3",
        "count&wait=1",
        "count&at_least=0&wait=1",
    ] {
        let message = alice.get(&format!("/kv?{query}")).error(400, "bad_request");
        assert!(message.contains("at_least"), "{query}: {message}");
    }
    for query in [
        "list&wait=1",
        "list&at_least=3",
        "wait=1",
        "at_least=3&wait=1",
        "since=3",
    ] {
        let message = alice.get(&format!("/kv?{query}")).error(400, "bad_request");
        assert!(message.contains("does not go with"), "{query}: {message}");
    }
}
