//! Commands that outlast silences, restarts and outages, and those that must not be repeated.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::running::{Job, Place, until};
use crate::support::{Ran, Script, Server, alone, answer, run};

/// An outage longer than the pauses of a few tries.
const OUTAGE: Duration = Duration::from_secs(4);

/// The messages of the commands while the server is away.
const AGAIN: &str = "trying again for up to ";

/// The output of a command that had to try again.
#[track_caller]
fn done(ran: Ran) -> String {
    assert_eq!(ran.status, 0, "{ran:?}");
    let odd = ran.stderr.lines().find(|line| !line.contains(AGAIN));
    assert_eq!(odd, None, "{ran:?}");
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
fn no_wait_ends_before_its_time_although_it_is_longer_than_a_silence_that_is_put_up_with() {
    let server = Server::start();
    let me = server.user("me");
    me.kv(&["set", "/lock", "--string", "taken"]).text();
    let wait = Duration::from_secs(3);
    let waits = [
        &["get", "/none", "--wait", "3s"][..],
        &["wait", "/none", "--timeout", "3s"],
        &["claim", "/none", "--wait", "3s", "--", "true"],
        &["lock", "/lock", "--wait", "3s", "--", "true"],
    ];
    std::thread::scope(|scope| {
        for arguments in waits {
            let me = &me;
            scope.spawn(move || {
                let began = Instant::now();
                let mut command = me.command(&["kv"]);
                command.args(arguments).env("PROMINENCE_TIMEOUT", "1s");
                let complaint = run(&mut command).complaint(1);
                assert!(began.elapsed() >= wait, "{arguments:?}: {complaint}");
            });
        }
    });
}

#[test]
fn a_get_keeps_waiting_over_connections_that_are_cut_and_proxies_without_a_server() {
    let script = Script::new(vec![
        String::new(),
        answer("502 Bad Gateway", "", "<html>"),
        answer("200 OK", "ETag: \"7\"\r\n", "42"),
    ]);
    let ran = script.run(&["kv", "get", "/a", "--wait", "1m"]);
    assert_eq!(done(ran), "42");
    script.played();
}

#[test]
fn waits_outlast_a_server_that_is_killed_and_away_for_seconds() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    me.kv(&["set", "/lock", "--string", "taken"]).text();
    let start = |arguments: &[&str]| {
        let mut command = me.command(&["kv"]);
        Job::spawn(command.args(arguments).current_dir(place.path()))
    };
    let get = start(&["get", "/result", "--wait", "1m"]);
    let wait = start(&["wait", "/done/", "--count", "2", "--timeout", "1m"]);
    let claim = start(&["claim", "/queue/", "--wait", "1m", "--", "cat"]);
    let lock = start(&["lock", "/lock", "--", "echo", "locked"]);
    let mut watch = me
        .command(&["kv", "watch", "/done/", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the server holds all of them", || server.held() == 5);
    me.kv(&["set", "/done/1", "--string", "x"]).text();
    server.kill();
    // A command that is given meanwhile is done as well, without being told to wait.
    let set = start(&["set", "/done/2", "--string", "x"]);
    std::thread::sleep(OUTAGE);
    server.start_again();
    assert_eq!(done(set.ended()), "");
    assert_eq!(done(wait.ended()), "2\n");
    me.kv(&["set", "/result", "--string", "42"]).text();
    assert_eq!(done(get.ended()), "42");
    me.kv(&["set", "/queue/1", "--string", "work"]).text();
    assert_eq!(done(claim.ended()), "work");
    me.kv(&["delete", "/lock"]).text();
    assert_eq!(done(lock.ended()), "locked\n");
    let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let lines: Vec<_> = lines.take(2).map(Result::unwrap).collect();
    assert!(
        lines[0].contains("/done/1") && lines[1].contains("/done/2"),
        "{lines:?}"
    );
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn workers_do_all_pieces_over_an_outage() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    let pieces: Vec<_> = (10..22).map(|piece| format!("/queue/{piece}")).collect();
    for piece in &pieces {
        me.kv(&["set", piece, "--string", "x"]).text();
    }
    let script = "echo $PROMINENCE_KEY >> begun; until [ -e go ]; do sleep 0.02; done; \
                  echo $PROMINENCE_KEY >> done";
    let options = [
        "claim",
        "/queue/",
        "--until-empty",
        "--workers",
        "3",
        "--for",
        "30s",
    ];
    let job = Job::start(&me, &options, script, &place);
    until("three are begun", || {
        place.read("begun").lines().count() == 3
    });
    server.kill();
    place.make("go");
    std::thread::sleep(OUTAGE);
    server.start_again();
    let ran = job.ended();
    assert!(ran.stderr.contains(AGAIN), "{ran:?}");
    done(ran);
    let (text, done) = (place.read("done"), pieces.iter().map(String::as_str));
    let found: Vec<_> = text.lines().collect();
    assert_eq!(found.len(), 12, "each once: {found:?}");
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), done.collect());
    assert_eq!(me.kv(&["list", "/queue/"]).text(), "");
}

#[test]
fn a_lock_is_kept_over_an_outage_shorter_than_its_time() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    let script = "echo held > held; until [ -e go ]; do sleep 0.02; done";
    let lock = ["lock", "/lock", "--ttl", "20s"];
    let job = Job::start(&me, &lock, script, &place);
    place.line("held");
    server.kill();
    std::thread::sleep(OUTAGE);
    // The command ends while the server is away, and the lock is released all the same.
    place.make("go");
    server.start_again();
    done(job.ended());
    assert_eq!(me.kv(&["list", "/lock"]).text(), "");
}

#[test]
fn a_quick_command_tries_for_as_long_as_it_is_told_and_says_so_once() {
    let gone = Script::new(vec![]);
    let url = gone.url.clone();
    gone.played();
    let get = ["kv", "get", "/a", "--url", &url, "--token", "t"];
    let began = Instant::now();
    let ran = alone(&[&get[..], &["--retry-for", "2s"]].concat());
    assert!(began.elapsed() >= Duration::from_secs(2), "{ran:?}");
    assert_eq!(ran.status, 3, "{ran:?}");
    let lines: Vec<_> = ran.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].ends_with("trying again for up to 2s"), "{lines:?}");
    assert!(lines[1].contains("check PROMINENCE_URL"), "{lines:?}");

    let began = Instant::now();
    alone(&[&get[..], &["--retry-for", "0"]].concat()).complaint(3);
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn how_long_to_try_comes_from_the_flag_before_the_environment() {
    let gone = Script::new(vec![]);
    let url = gone.url.clone();
    gone.played();
    let server = Server::start();
    let me = server.user("me");
    let run = |variable: &str, flags: &[&str]| {
        let mut command = me.command(&["kv", "get", "/a", "--url", &url]);
        run(command.args(flags).env("PROMINENCE_RETRY_FOR", variable))
    };
    assert!(run("0", &[]).complaint(3).contains("connection refused"));
    run("1h", &["--retry-for", "0"]).complaint(3);
    let complaint = run("soon", &[]).complaint(2);
    assert!(complaint.contains("PROMINENCE_RETRY_FOR"), "{complaint}");
}

#[test]
fn an_addition_and_a_batch_that_may_have_happened_are_not_repeated_and_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let batch = folder.path().join("batch.json");
    std::fs::write(&batch, r#"{"do": [{"add": "/a", "by": 1}]}"#).unwrap();
    let commands = [
        &["kv", "add", "/a"][..],
        &["kv", "batch", batch.to_str().unwrap()],
    ];
    for arguments in commands {
        for broken in [String::new(), answer("504 Gateway Timeout", "", "<html>")] {
            let script = Script::new(vec![broken]);
            let complaint = script.run(arguments).complaint(3);
            assert!(
                complaint.contains("may or may not have happened"),
                "{complaint}"
            );
            assert!(
                complaint.contains("look with prominence kv get"),
                "{complaint}"
            );
            assert!(!complaint.contains('<'), "{complaint}");
            script.played();
        }
    }
}

#[test]
fn a_proxy_that_takes_no_large_bodies_is_named() {
    let page = "<html><center>nginx</center></html>";
    let script = Script::new(vec![answer("413 Request Entity Too Large", "", page)]);
    let complaint = script
        .run(&["kv", "set", "/a", "--string", &"x".repeat(2_000)])
        .complaint(3);
    assert!(
        complaint.contains("is not from a Prominence server: 413 "),
        "{complaint}"
    );
    assert!(
        complaint.contains("smaller than the 2000 bytes"),
        "{complaint}"
    );
    assert!(!complaint.contains('<'), "{complaint}");
    script.played();
}

#[test]
fn a_pause_that_the_server_asks_for_is_told_at_once_or_is_the_reason_to_give_up() {
    let limited = |seconds: u32| {
        let body = "{\"error\": \"too many requests\", \"code\": \"rate_limited\"}";
        let pause = format!("Retry-After: {seconds}\r\n");
        answer("429 Too Many Requests", &pause, body)
    };
    let get = ["--retry-for", "3s", "kv", "get", "/a"];
    let script = Script::new(vec![limited(60)]);
    let began = Instant::now();
    let complaint = script.run(&get).complaint(3);
    assert!(
        complaint
            .contains("has to wait 60 s (Retry-After), which is longer than the 3 s that are left"),
        "{complaint}"
    );
    assert!(began.elapsed() < Duration::from_secs(3), "it ends at once");
    script.played();

    let script = Script::new(vec![limited(2), answer("200 OK", "ETag: \"7\"\r\n", "42")]);
    let ran = script.run(&get);
    assert_eq!(
        (ran.status, ran.stdout.as_slice()),
        (0, &b"42"[..]),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("trying again for up to"), "{ran:?}");
    script.played();
}
