//! Claims: one worker for each piece of work, for as long as its claim lasts.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use prominence_server::LongPollLimits;

use crate::common::{Answer, Client, Server, Setup};
use crate::long_poll::eventually;

const PATIENCE: Duration = Duration::from_secs(20);

fn with_etag(client: &Client, method: &str, path: &str, tag: &str) -> Answer {
    client.send(method, path, &[("if-match", tag)], b"")
}

/// Waits until the server has so many long polls.
#[track_caller]
fn await_long_polls(server: &Server, count: usize) {
    eventually("so many long polls wait", || server.long_polls() == count);
}

#[test]
fn work_is_taken_in_order_with_its_value_and_done_by_deleting_it() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/todo/b", "second");
    alice.set("/kv/todo/a%20x", "first");
    let taken = alice.post("/kv/todo/?claim=10m", "");
    assert_eq!((taken.status, taken.text().as_str()), (200, "first"));
    assert_eq!(taken.header("prominence-key"), "/todo/a%20x");
    assert_eq!(
        taken.header("prominence-claimed-until"),
        "2023-11-14T22:23:20.000Z"
    );
    let read = alice.get("/kv/todo/a%20x");
    assert_eq!(
        read.header("etag"),
        taken.header("etag"),
        "reading it is as usual"
    );
    let next = alice.post("/kv?claim=600", "");
    assert_eq!(next.text(), "second");
    assert_eq!(alice.post("/kv/todo/?claim=1s", "").status, 204);
    let done = with_etag(&alice, "DELETE", "/kv/todo/b", next.header("etag"));
    assert_eq!(done.json()["deleted"], 1);
}

#[test]
fn a_claimed_key_says_who_holds_it_and_how_often_it_was_claimed() {
    let server = Server::start();
    let worker = |job| server.with_token(&server.token_for("alice", "", Some(job)));
    let alice = worker("writer");
    alice.set("/kv/w/a", "1");
    let unclaimed = alice.get("/kv/w/a");
    assert_eq!(unclaimed.header("prominence-claims"), "");
    assert_eq!(
        alice.list("/kv?list&detail")[0].get("claims"),
        None,
        "nothing to tell"
    );
    let first = worker("one").post("/kv/w/?claim=60", "");
    let shown = |answer: &Answer| {
        [
            "prominence-claimed-by",
            "prominence-claims",
            "prominence-job",
        ]
        .map(|name| answer.header(name).to_owned())
    };
    assert_eq!(shown(&first), ["one", "1", "writer"]);
    assert_eq!(shown(&alice.get("/kv/w/a")), ["one", "1", "writer"]);
    let head = alice.send("HEAD", "/kv/w/a", &[], b"");
    assert_eq!(shown(&head), ["one", "1", "writer"]);
    let tag = first.header("etag");
    let renewed = with_etag(&worker("two"), "POST", "/kv/w/a?renew=60", tag);
    assert_eq!(renewed.status, 200);
    for path in ["/kv?list&detail", "/kv?list&detail&limit=5&values"] {
        let detail = &alice.list(path)[0];
        assert_eq!(detail["claimed_by"], "one", "{detail}");
        assert_eq!(detail["claims"], 1, "{detail}");
    }
    server.clock.advance(Duration::from_secs(60));
    assert_eq!(shown(&alice.get("/kv/w/a")), ["", "1", "writer"]);
    let detail = &alice.list("/kv?list&detail")[0];
    assert_eq!(detail.get("claimed_by"), None, "the claim ran out");
    let second = server.user("alice").post("/kv/w/?claim=60", "");
    assert_eq!(
        shown(&second),
        ["", "2", "writer"],
        "the token names no job"
    );
    alice.set("/kv/w/a", "1");
    assert_eq!(shown(&alice.get("/kv/w/a")), ["", "", "writer"]);
}

#[test]
fn a_claim_is_kept_given_back_or_runs_out() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/w/a", "1");
    let first = alice.post("/kv/w/?claim=60", "").header("etag").to_owned();
    server.clock.advance(Duration::from_secs(50));
    let renewed = with_etag(&alice, "POST", "/kv/w/a?renew=60", &first);
    assert_eq!(renewed.status, 200, "{}", renewed.text());
    let second = renewed.header("etag").to_owned();
    assert_ne!(first, second);
    assert_eq!(renewed.json()["claimed_until"], "2023-11-14T22:15:10.000Z");
    with_etag(&alice, "POST", "/kv/w/a?renew=60", &first).error(412, "precondition_failed");
    with_etag(&alice, "POST", "/kv/w/a?release", &first).error(412, "precondition_failed");
    server.clock.advance(Duration::from_secs(59));
    assert_eq!(alice.post("/kv/w/?claim=60", "").status, 204);
    let released = with_etag(&alice, "POST", "/kv/w/a?release", &second);
    assert_eq!(released.status, 200, "{}", released.text());
    let third = alice.post("/kv/w/?claim=60", "").header("etag").to_owned();
    server.clock.advance(Duration::from_secs(60));
    let late = with_etag(&alice, "POST", "/kv/w/a?renew=60", &third);
    assert!(late.error(412, "precondition_failed").contains("ran out"));
    assert_eq!(
        alice.post("/kv/w/?claim=60", "").status,
        200,
        "another takes it"
    );
    with_etag(&alice, "DELETE", "/kv/w/a", &third).error(412, "precondition_failed");
    assert_eq!(alice.get("/kv/w/a").text(), "1");
}

#[test]
fn what_is_no_claim_is_refused_and_changes_nothing() {
    let server = Server::start();
    let alice = server.user("alice");
    alice.set("/kv/w/a", "1");
    let tag = alice.get("/kv/w/a").header("etag").to_owned();
    for (path, words) in [
        ("/kv/w/?claim", "needs a value"),
        ("/kv/w/?claim=0", "longer than 0"),
        ("/kv/w/?claim=-1", "not a duration"),
        ("/kv/w/?claim=NaN", "not a duration"),
        ("/kv/w/?claim=8d", "limit of 7d"),
        ("/kv/w/?claim=1m&wait=0", "longer than 0"),
        ("/kv/w/?claim=1m&wait=601", "limit of 10m"),
        ("/kv/w/?claim=1m&ttl=1m", "\"ttl\" does not go with ?claim"),
        ("/kv/w/a?renew=1m&release", "does not go with ?renew"),
        ("/kv/w/a?renew=1m", "needs If-Match"),
        ("/kv/w/a?release", "needs If-Match"),
        ("/kv/w/a?renew=8d", "limit of 7d"),
    ] {
        let error = alice.post(path, "").error(400, "bad_request");
        assert!(error.contains(words), "{path}: {error}");
    }
    let error = alice.post("/kv/w/?claim=1m", "x").error(400, "bad_request");
    assert!(error.contains("takes no body"), "{error}");
    with_etag(&alice, "POST", "/kv/w/?claim=1m", &tag).error(400, "bad_request");
    with_etag(&alice, "POST", "/kv/w/a?renew=1m", &tag).error(412, "precondition_failed");
    with_etag(&alice, "POST", "/kv/w/none?release", &tag).error(412, "precondition_failed");
    assert_eq!(alice.get("/kv/w/a").header("etag"), tag);
}

#[test]
fn who_waits_for_work_is_given_it_by_a_write_a_release_or_a_claim_that_runs_out() {
    let server = Server::start();
    let wait = |server: &Server| {
        let (alice, (send, answer)) = (server.user("alice"), channel());
        let before = server.long_polls();
        thread::spawn(move || drop(send.send(alice.post("/kv/w/?claim=60&wait=10m", ""))));
        await_long_polls(server, before + 1);
        answer
    };
    let alice = server.user("alice");
    let answer = wait(&server);
    alice.set("/kv/v/elsewhere", "1");
    alice.set("/kv/w/a", "1");
    let taken = answer.recv_timeout(PATIENCE).unwrap();
    assert_eq!(
        (taken.status, taken.header("prominence-key")),
        (200, "/w/a")
    );

    let answer = wait(&server);
    with_etag(&alice, "POST", "/kv/w/a?release", taken.header("etag"));
    assert_eq!(answer.recv_timeout(PATIENCE).unwrap().status, 200);

    let answer = wait(&server);
    server.clock.advance(Duration::from_secs(60));
    let taken = answer.recv_timeout(PATIENCE).unwrap();
    assert_eq!(taken.status, 200, "nothing was written");

    let answer = wait(&server);
    with_etag(&alice, "DELETE", "/kv/w/a", taken.header("etag"));
    server.clock.advance(Duration::from_secs(600));
    assert_eq!(answer.recv_timeout(PATIENCE).unwrap().status, 204);
}

#[test]
fn one_new_key_is_one_workers_and_the_others_cost_nothing() {
    let server = Server::start();
    let (send, answers) = channel();
    let wait = || {
        let (alice, send) = (server.user("alice"), send.clone());
        thread::spawn(move || drop(send.send(alice.post("/kv/w/?claim=60&wait=10m", ""))));
    };
    wait();
    await_long_polls(&server, 1);
    // It tries, and once more when it listens; whoever stands behind it does not.
    eventually("it has looked twice", || server.commits() == 2);
    (1..20).for_each(|_| wait());
    await_long_polls(&server, 20);
    let commits = server.commits();
    assert_eq!(commits, 2);
    let alice = server.user("alice");
    alice.set("/kv/w/a", "1");
    assert_eq!(answers.recv_timeout(PATIENCE).unwrap().status, 200);
    await_long_polls(&server, 19);
    alice.set("/kv/v", "1");
    // The set, the claim, one look each of the first two in line now, and the other set.
    let cost = server.commits() - commits;
    assert!(cost <= 5, "{cost} commits");
    assert!(answers.try_recv().is_err());
}

#[test]
fn those_who_wait_are_served_in_the_order_of_coming() {
    let server = Server::start();
    let wait = |before: usize| {
        let (alice, (send, answer)) = (server.user("alice"), channel());
        thread::spawn(move || drop(send.send(alice.post("/kv/w/?claim=60&wait=10m", ""))));
        await_long_polls(&server, before + 1);
        answer
    };
    let waiting: Vec<_> = (0..4).map(wait).collect();
    let alice = server.user("alice");
    // Whoever came first tried, and once more when it listened.
    let mut commits = 2;
    for (number, answer) in waiting.iter().enumerate() {
        // Two look after each who was served; what comes while they do may be either's.
        eventually("those who were told have looked", || {
            server.commits() >= commits
        });
        alice.set(&format!("/kv/w/{number}"), number.to_string());
        let answer = answer.recv_timeout(PATIENCE).unwrap();
        assert_eq!(answer.text(), number.to_string());
        await_long_polls(&server, 3 - number);
        // The set, the claim, and a look of each of the next two, if there are.
        commits += 2 + u64::try_from(2.min(3 - number)).unwrap();
    }
}

#[test]
fn three_hundred_who_wait_are_given_one_piece_each() {
    const WORKERS: usize = 300;
    let mut setup = Setup::default();
    setup.limits.connections = WORKERS + 20;
    setup.bounds.long_polls = LongPollLimits {
        in_all: WORKERS,
        per_user: WORKERS,
    };
    let server = Server::with(setup);
    let (send, answers) = channel();
    for _ in 0..WORKERS {
        let (alice, send) = (server.user("alice"), send.clone());
        thread::spawn(move || drop(send.send(alice.post("/kv/w/?claim=60&wait=10m", ""))));
    }
    await_long_polls(&server, WORKERS);
    let commits = server.commits();
    let alice = server.user("alice");
    fill(&alice, WORKERS);
    let given: BTreeSet<String> = (0..WORKERS)
        .map(|_| {
            let answer = answers.recv_timeout(PATIENCE).unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text());
            answer.header("prominence-key").to_owned()
        })
        .collect();
    assert_eq!(given.len(), WORKERS, "nothing was given twice");
    assert_eq!(alice.post("/kv/w/?claim=60", "").status, 204);
    // Three batches, a claim for each, and two looks at most for each that was served.
    let cost = server.commits() - commits;
    assert!(cost <= 3 + 3 * WORKERS as u64 + 1, "{cost} commits");
}

#[test]
fn a_worker_who_hangs_up_takes_no_work_with_it() {
    let server = Server::start();
    let alice = server.user("alice");
    let wait = || {
        let before = server.long_polls();
        let mut stream = server.connect();
        let token = server.token("alice");
        let head = format!(
            "POST /prominence/v1/kv/w/?claim=60&wait=10m HTTP/1.1\r\nHost: x\r\n\
             Authorization: Bearer {token}\r\nContent-Length: 0\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        await_long_polls(&server, before + 1);
        stream
    };
    let (first, second, mut third) = (wait(), wait(), wait());
    drop((first, second));
    await_long_polls(&server, 1);
    alice.set("/kv/w/a", "1");
    let mut answer = [0; 12];
    third.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    await_long_polls(&server, 0);
    alice.set("/kv/w/b", "2");
    assert_eq!(alice.post("/kv/w/?claim=60", "").text(), "2");
}

#[test]
fn work_that_is_there_needs_no_place_among_those_who_wait() {
    let mut setup = Setup::default();
    setup.bounds.long_polls = LongPollLimits {
        in_all: 2,
        per_user: 1,
    };
    let server = Server::with(setup);
    let alice = server.user("alice");
    alice.set("/kv/w/a", "1");
    let waiting = server.user("alice");
    thread::spawn(move || waiting.post("/kv/v/?claim=60&wait=10m", ""));
    await_long_polls(&server, 1);
    assert_eq!(alice.post("/kv/w/?claim=60&wait=10m", "").text(), "1");
    let crowded = alice.post("/kv/w/?claim=60&wait=10m", "");
    crowded.error(429, "rate_limited");
}

#[test]
fn however_many_compete_each_piece_of_work_is_done_by_one() {
    const WORKERS: usize = 30;
    const PIECES: usize = 300;
    let server = Server::start();
    let alice = server.user("alice");
    fill(&alice, PIECES);
    let done: Vec<String> = thread::scope(|threads| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|_| threads.spawn(|| work(&server.user("alice"))))
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect()
    });
    assert_eq!(done.len(), PIECES);
    assert_eq!(done.iter().collect::<BTreeSet<_>>().len(), PIECES);
    assert_eq!(alice.list("/kv?list&count")["count"], 0);
}

/// Stores so many pieces of work, a hundred at once.
fn fill(alice: &Client, pieces: usize) {
    for chunk in (0..pieces).collect::<Vec<_>>().chunks(100) {
        let sets = chunk
            .iter()
            .map(|n| format!(r#"{{"set":"/w/{n:03}","value":"{n}"}}"#));
        let body = format!(r#"{{"do":[{}]}}"#, sets.collect::<Vec<_>>().join(","));
        let json = [("content-type", "application/json")];
        let answer = alice.send("POST", "/kv", &json, body.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

/// Takes and does what there is.
fn work(alice: &Client) -> Vec<String> {
    let mut done = Vec::new();
    loop {
        let taken = alice.post("/kv/w/?claim=60", "");
        if taken.status == 204 {
            return done;
        }
        let key = taken.header("prominence-key");
        let deleted = with_etag(alice, "DELETE", &format!("/kv{key}"), taken.header("etag"));
        assert_eq!(deleted.json()["deleted"], 1);
        done.push(key.to_owned());
    }
}

#[test]
fn a_claim_needs_the_right_to_read_and_to_change() {
    let server = Server::start();
    server.user("alice").set("/kv/w/a", "1");
    server.user("bob").set("/kv/w/a", "bob's");
    for scopes in [
        "storage.read:/",
        "storage.modify:/",
        "storage.read:/w storage.modify:/v",
    ] {
        let token = server.token_for("alice", scopes, None);
        let scoped = server.with_token(&token);
        scoped.post("/kv/w/?claim=1m", "").error(403, "forbidden");
    }
    let token = server.token_for("alice", "storage.read:/w storage.modify:/w", None);
    let taken = server.with_token(&token).post("/kv/w/?claim=1m", "");
    assert_eq!(taken.text(), "1");
}
