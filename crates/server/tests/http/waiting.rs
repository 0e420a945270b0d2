//! Reads that wait for a key: what wakes them, and what else ends them.

use std::time::Duration;

use prominence_core::{Key, Operation};

use crate::common::{Server, Setup, TOKEN_LASTS};
use crate::long_poll::{LongPoll, eventually};

#[test]
fn a_read_waits_until_its_key_appears_and_no_other_wakes_it() {
    let server = Server::start();
    let (alice, bob) = (server.user("alice"), server.user("bob"));
    let poll = LongPoll::begin(&server, "/kv/job/1?wait=10m", &[]);
    alice.set("/kv/job/10", "x");
    alice.set("/kv/job", "x");
    alice.set("/kv/job/1/x", "x");
    bob.set("/kv/job/1", "bob's");
    poll.goes_on();
    assert_eq!(server.signals(), 0, "nobody was woken to look");
    alice.set("/kv/job/1", "42");
    let answer = poll.answer();
    assert_eq!((answer.status, answer.text().as_str()), (200, "42"));
    assert_eq!(server.signals(), 1);
    eventually("the long poll has ended", || server.long_polls() == 0);
}

#[test]
fn a_key_that_is_there_is_answered_at_once() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/a", "1");
    assert_eq!(alice.get("/kv/a?wait=10m").text(), "1");
    let newer = alice.send("GET", "/kv/a?wait=10m", &[("if-none-match", "\"99\"")], b"");
    assert_eq!(newer.status, 200);
    let gone = alice.send("GET", "/kv/b?wait=10m", &[("if-none-match", "\"1\"")], b"");
    gone.error(404, "no_such_key");
}

#[test]
fn a_wait_that_is_over_answers_as_if_there_had_been_none() {
    let server = Server::start();
    let alice = server.user("alice");
    let poll = LongPoll::begin(&server, "/kv/a?wait=90s", &[]);
    server.clock.advance(Duration::from_secs(89));
    poll.goes_on();
    server.clock.advance(Duration::from_secs(1));
    poll.answer().error(404, "no_such_key");

    alice.set("/kv/a", "1");
    let tag = alice.get("/kv/a").header("etag").to_owned();
    let poll = LongPoll::begin(&server, "/kv/a?wait=90s", &[("if-none-match", &tag)]);
    server.clock.advance(Duration::from_secs(90));
    let answer = poll.answer();
    assert_eq!((answer.status, answer.header("etag")), (304, tag.as_str()));
}

#[test]
fn a_reader_with_a_revision_waits_for_another_one_or_for_the_deletion() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/a", "1");
    let tag = alice.get("/kv/a").header("etag").to_owned();
    let poll = LongPoll::begin(&server, "/kv/a?wait=10m", &[("if-none-match", &tag)]);
    poll.goes_on();
    // The same value again is another revision all the same.
    alice.set("/kv/a", "1");
    let answer = poll.answer();
    assert_eq!((answer.status, answer.text().as_str()), (200, "1"));
    assert_ne!(answer.header("etag"), tag);

    let tag = answer.header("etag").to_owned();
    let poll = LongPoll::begin(&server, "/kv/a?wait=10m", &[("if-none-match", &tag)]);
    assert_eq!(alice.delete("/kv/a").status, 200);
    poll.answer().error(404, "no_such_key");

    // Deleted and made again before the reader can look: another revision as well.
    alice.set("/kv/a", "1");
    let tag = alice.get("/kv/a").header("etag").to_owned();
    let poll = LongPoll::begin(&server, "/kv/a?wait=10m", &[("if-none-match", &tag)]);
    let delete = Operation::Delete {
        key: Key::parse("/a").unwrap(),
    };
    server.commit("alice", vec![delete]);
    alice.set("/kv/a", "1");
    let answer = poll.answer();
    assert!(answer.status == 404 || answer.header("etag") != tag);
}

#[test]
fn an_expiry_ends_a_wait_at_its_instant_although_nothing_is_written() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/a?ttl=60", "1");
    let tag = alice.get("/kv/a").header("etag").to_owned();
    let poll = LongPoll::begin(&server, "/kv/a?wait=10m", &[("if-none-match", &tag)]);
    server.clock.advance(Duration::from_millis(59_999));
    poll.goes_on();
    server.clock.advance(Duration::from_millis(1));
    poll.answer().error(404, "no_such_key");
}

#[test]
fn a_token_that_ends_ends_the_wait() {
    let server = Server::start();
    let caller = server.user("alice");
    let left = Duration::from_secs(60);
    server.clock.advance(TOKEN_LASTS - left);
    let poll = LongPoll::begin_as(caller, &server, "/kv/a?wait=10m", &[]);
    server.clock.advance(left);
    let answer = poll.answer();
    answer.error(401, "unauthenticated");
    assert!(answer.header("www-authenticate").contains("invalid_token"));
}

#[test]
fn a_server_that_stops_tells_those_who_wait_to_come_back() {
    let mut server = Server::start();
    let poll = LongPoll::begin(&server, "/kv/a?wait=10m", &[]);
    let stopped = server.stop();
    let answer = poll.answer();
    answer.error(503, "unavailable");
    assert_eq!(answer.header("retry-after"), "2");
    assert_eq!(answer.header("connection"), "close");
    stopped.blocking_recv().unwrap();
}

#[test]
fn a_wait_may_be_longer_than_the_time_for_an_answer() {
    let mut setup = Setup::default();
    setup.bounds.answer_within = Duration::from_millis(20);
    let server = Server::with(setup);
    let poll = LongPoll::begin(&server, "/kv/a?wait=10m", &[]);
    poll.goes_on();
    // The set itself may be too late for such a server, on a busy machine.
    let alice = server.user("alice");
    let set = || alice.send("POST", "/kv/a", &[], b"1").status == 201;
    eventually("the key is set", set);
    assert_eq!(poll.answer().status, 200);
}

#[test]
fn a_caller_who_hangs_up_is_forgotten() {
    use std::io::Write as _;
    let server = Server::start();
    let mut stream = server.connect();
    let head = format!(
        "GET /prominence/v1/kv/a?wait=10m HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        server.token("alice")
    );
    stream.write_all(head.as_bytes()).unwrap();
    eventually("the long poll has begun", || server.long_polls() == 1);
    drop(stream);
    eventually("the long poll has ended", || server.long_polls() == 0);
}

#[test]
fn waits_of_one_user_are_bounded_and_others_are_not_harmed() {
    let mut setup = Setup::default();
    setup.bounds.long_polls.in_all = 3;
    setup.bounds.long_polls.per_user = 2;
    let server = Server::with(setup);
    let (alice, bob) = (server.user("alice"), server.user("bob"));
    let polls: Vec<_> = (0..2)
        .map(|n| LongPoll::begin(&server, &format!("/kv/{n}?wait=10m"), &[]))
        .collect();
    let refused = alice.get("/kv/x?wait=10m");
    let message = refused.error(429, "rate_limited");
    assert!(message.contains("2 requests"), "{message}");
    assert_eq!(refused.header("retry-after"), "5");
    alice.set("/kv/0", "alice's");
    bob.set("/kv/b", "bob's");
    assert_eq!(bob.get("/kv/b?wait=10m").text(), "bob's");
    for one in polls {
        drop(one);
    }
}

#[test]
fn what_is_no_wait_is_refused_and_named() {
    let server = Server::start();
    let alice = server.user("alice");
    for (query, reason) in [
        ("wait=0", "longer than 0"),
        ("wait=-5", "not a duration"),
        ("wait=NaN", "not a duration"),
        ("wait=601s", "the limit of 10m"),
        ("wait=", "not a duration"),
    ] {
        let message = alice
            .get(&format!("/kv/a?{query}"))
            .error(400, "bad_request");
        assert!(message.contains(reason), "{query}: {message}");
    }
}
