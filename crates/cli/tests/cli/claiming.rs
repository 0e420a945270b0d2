//! `kv claim`.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use prominence_core::{Key, Prefix};

use crate::running::{Job, Place, is_gone, until};
use crate::support::{PROGRAM, Person, Server};

/// Says where it is and stays there until it is told to go on.
const STAY: &str = "echo $$ > pid; until [ -e go ]; do sleep 0.02; done";

/// Puts pieces of work into the queue.
fn fill(me: &Person<'_>, names: &[&str]) {
    for name in names {
        let key = format!("/queue/{name}");
        me.kv(&["set", &key, "--string", &format!("work {name}")])
            .text();
    }
}

/// The rest of the queue.
fn left(me: &Person<'_>) -> String {
    me.kv(&["list", "/queue/"]).text()
}

/// True if nobody holds this key; takes nothing.
fn is_free(me: &Person<'_>, name: &str) -> bool {
    let found = me.client().head(&Key::parse(name).unwrap()).unwrap();
    found.unwrap().claimed_until.is_none()
}

fn claim(me: &Person<'_>, options: &[&str], script: &str, place: &Place) -> Job {
    Job::start(
        me,
        &[&["claim", "/queue/"], options].concat(),
        script,
        place,
    )
}

#[test]
fn a_command_that_succeeds_has_done_the_first_piece_of_work() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    fill(&me, &["a", "b"]);
    let ran = claim(&me, &[], "cat; echo \" as $PROMINENCE_KEY\"", &place).ended();
    assert_eq!(ran.text(), "work a as /queue/a\n");
    assert_eq!(left(&me), "/queue/b\n");
}

#[test]
fn a_piece_says_who_works_on_it_and_how_often_it_was_given_out() {
    let server = Server::start();
    let me = server.user("me");
    fill(&me, &["a"]);
    let script = "\"$0\" kv get /queue/a --json; \"$0\" kv list /queue/ --json; exit 7";
    for claims in ["1", "2"] {
        let claim = ["kv", "claim", "/queue/", "--", "sh", "-c", script, PROGRAM];
        let job = ["exec", "--job", "worker-1", "--", PROGRAM];
        let ran = me.run(&[&job[..], &claim].concat());
        assert_eq!(ran.status, 7, "{}", ran.stderr);
        let shown = String::from_utf8(ran.stdout)
            .unwrap()
            .replace("\": ", "\":");
        let by = shown.matches("\"claimed_by\":\"worker-1\"").count();
        let count = shown.matches(&format!("\"claims\":{claims}")).count();
        assert_eq!((by, count), (2, 2), "{shown}");
    }
    let mut watch = me
        .command(&["kv", "watch", "/queue/", "--since", "0", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let lines = lines.take(5).map(|line| {
        let data: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        (data["change"].to_string(), data["claims"].clone())
    });
    let lines: Vec<_> = lines.collect();
    watch.kill().unwrap();
    watch.wait().unwrap();
    let wanted = [
        ("\"set\"", serde_json::Value::Null),
        ("\"claim\"", 1.into()),
        ("\"release\"", 1.into()),
        ("\"claim\"", 2.into()),
        ("\"release\"", 2.into()),
    ];
    assert_eq!(
        lines,
        wanted.map(|(change, claims)| (change.to_owned(), claims))
    );
}

#[test]
fn a_large_value_that_is_not_read_is_no_trouble() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    let value = "x".repeat(16_384);
    me.kv(&["set", "/queue/a", "--string", &value]).text();
    assert_eq!(
        claim(&me, &[], "exec <&-; echo done", &place)
            .ended()
            .text(),
        "done\n"
    );
    me.kv(&["set", "/queue/a", "--string", &value]).text();
    assert_eq!(
        claim(&me, &[], "wc -c", &place).ended().text().trim(),
        "16384"
    );
}

#[test]
fn a_command_that_fails_gives_its_work_back_and_its_status_is_passed_on() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    fill(&me, &["a"]);
    let ran = claim(&me, &[], "exit 7", &place).ended();
    assert_eq!((ran.status, ran.stderr.as_str()), (7, ""));
    assert!(is_free(&me, "/queue/a"));
    let ran = claim(&me, &[], "kill -KILL $$", &place).ended();
    assert_eq!(ran.status, 128 + 9);
    assert!(is_free(&me, "/queue/a"));
}

#[test]
fn a_command_that_cannot_be_run_is_named_and_the_work_given_back() {
    let server = Server::start();
    let me = server.user("me");
    fill(&me, &["a", "b"]);
    for options in [&[][..], &["--until-empty", "--workers", "2"]] {
        let run = |program: &str| {
            let all = [&["claim", "/queue/"], options, &["--", program]].concat();
            me.kv(&all)
        };
        let complaint = run("/no/such/command").complaint(127);
        assert!(complaint.contains("/no/such/command"), "{complaint}");
        run("/etc/passwd").complaint(126);
        assert!(is_free(&me, "/queue/a") && is_free(&me, "/queue/b"));
    }
}

#[test]
fn nothing_to_claim_is_an_answer() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    for options in [&[][..], &["--wait", "1s"]] {
        let complaint = claim(&me, options, "true", &place).ended().complaint(1);
        assert_eq!(
            complaint,
            "there is nothing to claim under /queue/: there are no keys; prominence kv list --dirs / shows \
             what there is"
        );
    }
    let ran = claim(&me, &["--until-empty"], "true", &place).ended();
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(
        ran.stderr.contains("there are no keys below /queue/"),
        "{ran:?}"
    );

    fill(&me, &["held"]);
    let held = me
        .client()
        .claim(
            &Prefix::parse("/queue/").unwrap(),
            Duration::from_secs(600),
            None,
        )
        .unwrap();
    let complaint = claim(&me, &[], "true", &place).ended().complaint(1);
    assert!(
        complaint.contains("all keys there are claimed; wait for one with --wait"),
        "{complaint}"
    );
    me.client().delete(&held.unwrap().key).unwrap();

    let waiting = claim(&me, &["--wait", "20m"], "cat", &place);
    fill(&me, &["a"]);
    assert_eq!(waiting.ended().text(), "work a");
}

#[test]
fn a_claim_outlasts_its_time_while_the_command_runs() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    fill(&me, &["a"]);
    let job = claim(&me, &["--for", "4s"], STAY, &place);
    place.line("pid");
    let key = Key::parse("/queue/a").unwrap();
    let mut revisions = std::collections::BTreeSet::new();
    until("it has been renewed for longer than it lasts", || {
        let found = me.client().head(&key).unwrap().unwrap();
        revisions.insert(found.revision);
        revisions.len() > 4
    });
    claim(&me, &[], "true", &place).ended().complaint(1);
    place.make("go");
    job.ended().text();
    assert_eq!(left(&me), "");
}

#[test]
fn a_killed_worker_takes_its_command_along_and_another_gets_the_work() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    fill(&me, &["a"]);
    let first = claim(
        &me,
        &["--for", "2s"],
        "sleep 600 & echo $! > below; echo $$ > pid; wait",
        &place,
    );
    let (pid, below) = (place.line("pid"), place.line("below"));
    first.kill();
    until("the command is gone", || is_gone(&pid) && is_gone(&below));
    let second = claim(&me, &["--wait", "1m"], "cat", &place).ended();
    assert_eq!(second.text(), "work a");
    assert_eq!(left(&me), "");
}

#[test]
fn a_claim_that_is_lost_stops_the_command() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    fill(&me, &["a"]);
    let script = format!("trap 'echo stopped > stopped; exit 0' TERM; {STAY}");
    let job = claim(&me, &["--for", "2s"], &script, &place);
    place.line("pid");
    fill(&me, &["a"]);
    let ran = job.ended();
    assert_eq!(ran.status, 1);
    assert!(
        ran.stderr.contains("the claim on /queue/a was lost"),
        "{ran:?}"
    );
    assert_eq!(place.read("stopped"), "stopped\n");
    assert_eq!(left(&me), "/queue/a\n", "what was set anew is not done");
}

#[test]
fn a_suspended_worker_does_not_delete_what_another_has_claimed() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    fill(&me, &["a"]);
    let first = claim(&me, &["--for", "2s"], STAY, &place);
    place.line("pid");
    first.signal("STOP");
    place.make("go");
    let other = me.client();
    let prefix = Prefix::parse("/queue/").unwrap();
    let (hold, wait) = (Duration::from_secs(600), Duration::from_secs(60));
    assert!(other.claim(&prefix, hold, Some(wait)).unwrap().is_some());
    first.signal("CONT");
    let ran = first.ended();
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.stderr.contains("was lost"), "{ran:?}");
    assert_eq!(left(&me), "/queue/a\n");
}

#[test]
fn a_run_until_empty_does_each_piece_once_and_gives_back_what_failed() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    fill(&me, &["a", "b", "c", "d"]);
    let script = "echo \"$(cat)\" >> done; case $PROMINENCE_KEY in */a|*/c) exit 3;; esac";
    let ran = claim(&me, &["--until-empty"], script, &place).ended();
    assert_eq!(ran.status, 1);
    assert_eq!(
        place.read("done"),
        "work a\nwork b\nwork c\nwork d\n",
        "each once"
    );
    let last = ran.stderr.lines().last().unwrap();
    assert!(
        last.contains("failed for 2 of 4 keys, which can be claimed again"),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("status 3 for /queue/a"), "{ran:?}");
    assert_eq!(left(&me), "/queue/a\n/queue/c\n");
    assert!(is_free(&me, "/queue/a") && is_free(&me, "/queue/c"));

    let options = ["--until-empty", "--max-failures", "1"];
    let ran = claim(
        &me,
        &options,
        "echo $PROMINENCE_KEY >> tried; false",
        &place,
    )
    .ended();
    assert_eq!(
        (ran.status, place.read("tried").as_str()),
        (1, "/queue/a\n"),
        "{ran:?}"
    );
}

#[test]
fn workers_work_side_by_side() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    fill(&me, &["a", "b", "c", "d", "e"]);
    // The first three go on only when all of them are there.
    let script = "echo \"$(cat)\" >> done; until [ $(wc -l < done) -ge 3 ]; do sleep 0.02; done";
    let options = ["--until-empty", "--workers", "3"];
    claim(&me, &options, script, &place).ended().text();
    let done = place.read("done");
    let mut done: Vec<_> = done.lines().collect();
    done.sort_unstable();
    assert_eq!(done, ["work a", "work b", "work c", "work d", "work e"]);
    assert_eq!(left(&me), "");
}

#[test]
fn a_signal_reaches_all_commands_and_their_work_is_given_back() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    fill(&me, &["a", "b", "c"]);
    let script = "trap 'exit 9' TERM; echo $$ >> pids; while :; do sleep 0.02; done";
    let options = ["--until-empty", "--workers", "2"];
    let job = claim(&me, &options, script, &place);
    until("two are at work", || {
        place.read("pids").lines().count() == 2
    });
    job.signal("TERM");
    assert_eq!(job.ended().status, 128 + 15);
    assert!(place.read("pids").lines().all(is_gone));
    assert_eq!(left(&me), "/queue/a\n/queue/b\n/queue/c\n");
    for name in ["/queue/a", "/queue/b", "/queue/c"] {
        assert!(is_free(&me, name), "{name}");
    }
}

#[test]
fn a_signal_ends_the_wait_for_work() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    let job = claim(
        &me,
        &["--wait", "20m", "--until-empty"],
        "cat; touch one",
        &place,
    );
    fill(&me, &["a"]);
    until("it waits for the next", || {
        left(&me).is_empty() && place.file("one").exists()
    });
    let told = Instant::now();
    job.signal("INT");
    assert_eq!(job.ended().status, 128 + 2);
    assert!(told.elapsed() < Duration::from_secs(10));
}
