//! `kv lock`.

use std::time::{Duration, Instant};

use prominence_core::Key;

use crate::running::{Job, Place, is_gone, signal, until};
use crate::support::{Person, Server};

/// Says where it is and stays there until it is told to go on.
const STAY: &str = "echo $$ > pid; until [ -e go ]; do sleep 0.02; done";

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn exists(me: &Person<'_>, name: &str) -> bool {
    me.client().head(&key(name)).unwrap().is_some()
}

/// A part of a document, between two marks.
fn documented(file: &str, from: &str, to: &str) -> String {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(file);
    let text = std::fs::read_to_string(file).unwrap();
    let (_, rest) = text.split_once(from).expect(from);
    rest.split_once(to).expect(to).0.to_owned()
}

#[test]
fn two_holders_are_never_at_work_at_once() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    // A folder can be made by one alone; the request in between gives others time to try.
    let script = "mkdir busy || echo clash >> clashes
                  prominence kv add /turns > /dev/null
                  rmdir busy";
    let start = || Job::start(&me, &["lock", "/lock", "--ttl", "10s"], script, &place);
    let jobs: Vec<_> = (0..6).map(|_| start()).collect();
    for job in jobs {
        job.ended().text();
    }
    assert_eq!(place.read("clashes"), "");
    assert_eq!(me.kv(&["get", "/turns"]).text(), "6");
    assert!(!exists(&me, "/lock"), "the last one has released it");
}

#[test]
fn the_lock_says_who_holds_it_and_the_command_finds_it_in_its_environment() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    let script = "echo $PROMINENCE_LOCK_KEY $PROMINENCE_LOCK_REVISION $PROMINENCE_LOCK_VALUE
                  echo slot=$PROMINENCE_LOCK_SLOT; prominence kv get /a/lock";
    let ran = Job::start(&me, &["lock", "a/lock"], script, &place).ended();
    let text = ran.text();
    let lines: Vec<_> = text.lines().collect();
    let words: Vec<_> = lines[0].split(' ').collect();
    assert_eq!((words[0], words[1]), ("/a/lock", "1"), "{text}");
    assert!(
        words[2].starts_with("host=") && words[2].contains(",pid="),
        "{text}"
    );
    assert_eq!(lines[1..], ["slot=", words[2]], "{text}");
}

#[test]
fn who_does_not_want_to_wait_is_told_who_has_it() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    me.kv(&["set", "/lock", "--string", "somebody", "--ttl", "10m"])
        .text();
    let lock = |options: &[&str]| {
        let all = [&["lock", "/lock"], options].concat();
        Job::start(&me, &all, "echo ran > ran", &place).ended()
    };
    let complaint = lock(&["--no-wait"]).complaint(1);
    assert_eq!(
        complaint,
        "the lock /lock is held by somebody; leave --no-wait out to wait for it"
    );
    let complaint = lock(&["--wait", "1s"]).complaint(1);
    assert!(
        complaint.contains("is still held by somebody"),
        "{complaint}"
    );
    assert_eq!(place.read("ran"), "");
    assert_eq!(me.kv(&["get", "/lock"]).text(), "somebody", "as it was");
}

#[test]
fn who_waits_has_it_as_soon_as_it_is_released() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    let first = Job::start(&me, &["lock", "/lock"], STAY, &place);
    place.line("pid");
    let second = Job::start(&me, &["lock", "/lock"], "echo mine", &place);
    let waiting = || me.kv(&["get", "/lock"]).text();
    let holder = waiting();
    // Renewals and waiting do not change whose it is.
    assert_eq!(waiting(), holder);
    place.make("go");
    let released = Instant::now();
    first.ended().text();
    assert_eq!(second.ended().text(), "mine\n");
    assert!(
        released.elapsed() < Duration::from_secs(25),
        "not only when its time was over"
    );
}

#[test]
fn the_exit_status_is_the_commands() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    let lock = |script: &str| Job::start(&me, &["lock", "/lock"], script, &place).ended();
    let ran = lock("cat; echo out; echo err >&2; exit 7");
    assert_eq!((ran.status, ran.stderr.as_str()), (7, "err\n"));
    assert_eq!(ran.stdout, b"out\n");
    assert_eq!(lock("kill -KILL $$").status, 128 + 9);
    assert!(
        !exists(&me, "/lock"),
        "a command that fails gives the lock back as well"
    );
}

#[test]
fn a_command_that_cannot_be_run_is_named_and_the_lock_given_back() {
    let server = Server::start();
    let me = server.user("me");
    let lock = |program: &str| me.kv(&["lock", "/lock", "--", program]);
    let complaint = lock("/no/such/command").complaint(127);
    assert!(complaint.contains("/no/such/command"), "{complaint}");
    let complaint = lock("/etc/passwd").complaint(126);
    assert!(complaint.contains("/etc/passwd"), "{complaint}");
    assert!(!exists(&me, "/lock"));
}

#[test]
fn a_signal_ends_the_wait_for_a_lock() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    me.kv(&["set", "/lock", "--string", "somebody"]).text();
    let job = Job::start(&me, &["lock", "/lock"], "touch ran", &place);
    let told = Instant::now();
    // Before it receives signals, one ends it as it ends any program.
    job.signal("TERM");
    assert_eq!(job.ended_anyhow(), 128 + 15);
    assert!(told.elapsed() < Duration::from_secs(20), "{told:?}");
    assert!(!place.file("ran").exists());
    assert_eq!(me.kv(&["get", "/lock"]).text(), "somebody");
}

#[test]
fn a_killed_holder_takes_its_command_along_and_the_lock_passes_on() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    let script = "sleep 600 & echo $! > below; echo $$ > pid; wait";
    let first = Job::start(&me, &["lock", "/lock", "--ttl", "2s"], script, &place);
    let (pid, below) = (place.line("pid"), place.line("below"));
    let second = Job::start(&me, &["lock", "/lock", "--ttl", "2s"], "echo mine", &place);
    first.kill();
    until("the command is gone", || is_gone(&pid) && is_gone(&below));
    assert_eq!(second.ended().text(), "mine\n");
}

#[test]
fn a_lock_that_is_deleted_or_taken_stops_the_command() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    let script = format!("trap 'echo stopped > stopped; exit 0' TERM; {STAY}");
    let start = || {
        let _ = std::fs::remove_file(place.file("pid"));
        let _ = std::fs::remove_file(place.file("stopped"));
        let job = Job::start(&me, &["lock", "/lock", "--ttl", "3s"], &script, &place);
        place.line("pid");
        job
    };
    let job = start();
    me.kv(&["delete", "/lock"]).text();
    let complaint = job.ended().last_words(1);
    assert!(complaint.contains("the lock /lock was lost"), "{complaint}");
    assert_eq!(place.read("stopped"), "stopped\n");

    let job = start();
    me.kv(&["set", "/lock", "--string", "robber"]).text();
    let complaint = job.ended().last_words(1);
    assert!(complaint.contains("now held by robber"), "{complaint}");
    assert_eq!(place.read("stopped"), "stopped\n");
    assert_eq!(me.kv(&["get", "/lock"]).text(), "robber", "it is theirs");
}

#[test]
fn what_does_not_end_when_the_lock_is_lost_is_killed_with_all_it_started() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    let script =
        "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > below; while :; do sleep 1; done' &
                  echo $$ > pid; while :; do sleep 1; done";
    let options = ["lock", "/lock", "--ttl", "3s", "--grace", "1s"];
    let job = Job::start(&me, &options, script, &place);
    let (pid, below) = (place.line("pid"), place.line("below"));
    me.kv(&["delete", "/lock"]).text();
    job.ended().last_words(1);
    assert!(is_gone(&pid) && is_gone(&below));
}

#[test]
fn a_command_has_ended_when_its_unreachable_lock_runs_out() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    let script = format!("trap '' TERM; {STAY}");
    let job = Job::start(&me, &["lock", "/lock", "--ttl", "3s"], &script, &place);
    let pid = place.line("pid");
    signal(server.pid(), "KILL");
    let gone = Instant::now();
    let complaint = job.ended().last_words(1);
    assert!(
        gone.elapsed() < Duration::from_secs(20),
        "{:?}",
        gone.elapsed()
    );
    assert!(complaint.contains("cannot reach"), "{complaint}");
    assert!(is_gone(&pid));
}

#[test]
fn a_suspended_holder_whose_lock_passed_on_stops_its_command_when_it_wakes() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    let first = Job::start(&me, &["lock", "/lock", "--ttl", "2s"], STAY, &place);
    let pid = place.line("pid");
    first.signal("STOP");
    let second = Job::start(
        &me,
        &["lock", "/lock"],
        "echo mine > mine; until [ -e done ]; do sleep 0.02; done",
        &place,
    );
    place.line("mine");
    first.signal("CONT");
    let complaint = first.ended().last_words(1);
    assert!(complaint.contains("was lost"), "{complaint}");
    assert!(is_gone(&pid) && exists(&me, "/lock"));
    place.make("done");
    second.ended().text();
}

#[test]
fn a_condition_on_the_holder_holds_through_renewals_and_no_longer_than_the_lock() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    let documented = documented(
        "docs/locks.md",
        "prominence kv lock /lock -- sh -c '\n",
        "'\n",
    );
    let script = format!(
        "write() {{\n{documented}\n}}
         trap 'write > after; echo >> after; exit 0' TERM
         echo $$ > pid; until [ -e go ]; do sleep 0.02; done
         write > during; echo >> during
         while :; do sleep 0.02; done"
    );
    let job = Job::start(&me, &["lock", "/lock", "--ttl", "3s"], &script, &place);
    place.line("pid");
    let mut revisions = std::collections::BTreeSet::new();
    until("it has been renewed five times", || {
        let found = me.client().head(&key("/lock")).unwrap();
        revisions.insert(found.expect("it is held throughout").revision);
        revisions.len() > 5
    });
    place.make("go");
    let during = place.line("during");
    assert!(during.contains("{\"revision\":"), "{during}");
    assert_eq!(me.kv(&["get", "/result"]).text(), "42");
    me.kv(&["delete", "/result"]).text();
    me.kv(&["set", "/lock", "--string", "another holder"])
        .text();
    let after = place.line("after");
    assert!(after.contains("precondition_failed"), "{after}");
    job.ended().last_words(1);
    me.kv(&["get", "/result"]).complaint(1);
}

#[test]
fn as_many_hold_a_lock_as_it_has_slots() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    let script = "echo $PROMINENCE_LOCK_KEY >> held; echo $PROMINENCE_LOCK_SLOT >> slots
                  until [ -e go ]; do sleep 0.02; done";
    let options = ["lock", "/gpu", "--slots", "2"];
    let jobs: Vec<_> = (0..2)
        .map(|_| Job::start(&me, &options, script, &place))
        .collect();
    until("two hold it", || place.read("slots").lines().count() == 2);
    let sorted = |name: &str| {
        let text = place.read(name);
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted("held"), ["/gpu/0", "/gpu/1"]);
    assert_eq!(sorted("slots"), ["0", "1"]);
    let complaint = Job::start(
        &me,
        &[&options[..], &["--no-wait"]].concat(),
        "true",
        &place,
    )
    .ended()
    .complaint(1);
    assert!(complaint.contains("all its 2 slots"), "{complaint}");
    let third = Job::start(&me, &options, "echo mine", &place);
    place.make("go");
    for job in jobs {
        job.ended().text();
    }
    assert_eq!(third.ended().text(), "mine\n");
    assert!(!exists(&me, "/gpu/0") && !exists(&me, "/gpu/1"));
}
