//! `kv claim --max-attempts`: the number of an attempt, the delay after it, and the dead letters.

use std::collections::BTreeMap;

use super::{claim, counted, fill, keys};
use crate::running::{Job, Place};
use crate::support::Server;

#[test]
fn the_command_learns_the_number_of_its_attempt() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    fill(&me, &["1"]);
    let once = |script: &str| Job::start(&me, &["claim", "/queue/"], script, &place).ended();
    assert_eq!(once("echo $PROMINENCE_ATTEMPT; false").stdout, b"1\n");
    assert_eq!(once("echo $PROMINENCE_ATTEMPT; false").stdout, b"2\n");
    fill(&me, &["1"]);
    assert_eq!(
        once("echo $PROMINENCE_ATTEMPT").text(),
        "1\n",
        "of a new value"
    );
}

#[test]
fn a_key_that_failed_too_often_is_moved_aside_and_the_others_are_done() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    fill(&me, &["bad", "good", "late"]);
    let script = "echo $PROMINENCE_KEY $PROMINENCE_ATTEMPT >> tried
                  case $PROMINENCE_KEY in */bad) exit 3;; */late) [ $PROMINENCE_ATTEMPT = 2 ];; esac";
    let options = [
        "--max-attempts",
        "2",
        "--dead-letter",
        "/failed",
        "--retry-delay",
        "1s",
    ];
    let ran = claim(&me, &options, script, &place).ended();
    assert_eq!(ran.status, 1, "{ran:?}");
    let last = ran.stderr.lines().last().unwrap();
    assert!(
        last.contains("1 key was moved below /failed/, claimed 2 times without success"),
        "{ran:?}"
    );
    let tried = counted(&place, "tried");
    let expected = ["bad 1", "bad 2", "good 1", "late 1", "late 2"];
    let expected = expected.map(|attempt| (format!("/queue/{attempt}"), 1));
    assert_eq!(tried, BTreeMap::from(expected));
    assert_eq!(keys(&me, "/queue/"), "");
    assert_eq!(me.kv(&["get", "/failed/bad"]).text(), "bad");
    // Neither name nor value of what was moved before is lost.
    me.kv(&["set", "/queue/bad", "--string", "another"]).text();
    claim(&me, &options, script, &place).ended().last_words(1);
    assert_eq!(me.kv(&["get", "/failed/bad"]).text(), "bad");
    assert_eq!(me.kv(&["get", "/failed/bad.2"]).text(), "another");
}

#[test]
fn a_key_that_fails_at_once_is_left_alone_for_longer_each_time() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    fill(&me, &["bad"]);
    let options = [
        "--max-attempts",
        "3",
        "--dead-letter",
        "/failed/",
        "--retry-delay",
        "1s",
    ];
    let ran = claim(&me, &options, "date +%s%N >> times; false", &place).ended();
    assert_eq!(ran.status, 1, "{ran:?}");
    let times = place.read("times");
    let times: Vec<u64> = times.lines().map(|line| line.parse().unwrap()).collect();
    let pauses: Vec<_> = times
        .windows(2)
        .map(|pair| (pair[1] - pair[0]) / 900_000_000)
        .collect();
    assert_eq!(times.len(), 3, "{times:?}");
    assert!(pauses[0] >= 1 && pauses[1] >= 2, "{times:?}");
}

#[test]
fn an_attempt_of_a_worker_that_was_killed_counts() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    fill(&me, &["deadly"]);
    let options = [
        "--max-attempts",
        "2",
        "--dead-letter",
        "/failed/",
        "--for",
        "2s",
    ];
    for attempt in 1..=2 {
        let script = format!("echo $PROMINENCE_ATTEMPT > begun-{attempt}; sleep 600");
        let job = claim(&me, &options, &script, &place);
        assert_eq!(place.line(&format!("begun-{attempt}")), attempt.to_string());
        job.kill();
    }
    let ran = claim(&me, &options, "touch ran", &place).ended();
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(
        ran.stderr.contains("claimed 2 times without success"),
        "{ran:?}"
    );
    assert!(!place.file("ran").exists(), "it is not tried again");
    assert_eq!(keys(&me, "/queue/"), "");
    assert_eq!(me.kv(&["get", "/failed/deadly"]).text(), "deadly");
}

#[test]
fn a_binary_value_and_one_too_large_for_a_batch_are_moved_as_they_are() {
    let server = Server::start_with(&["--value-limit", "1048576"]);
    let (me, place) = (server.user("me"), Place::new());
    let large: Vec<u8> = (0..1_000_000_u32)
        .map(|at| (at % 251) as u8 | 0x80)
        .collect();
    for (name, value) in [("large", large.as_slice()), ("small", b"\xff\0\n")] {
        let key = format!("/queue/{name}");
        let set = me.kv_with_input(&["set", &key, "-"], value);
        set.text();
    }
    let options = ["--max-attempts", "1", "--dead-letter", "/failed/"];
    claim(&me, &options, "false", &place).ended().last_words(1);
    assert_eq!(keys(&me, "/queue/"), "");
    assert_eq!(me.kv(&["get", "/failed/large"]).bytes(), large);
    assert_eq!(me.kv(&["get", "/failed/small"]).bytes(), b"\xff\0\n");
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    let server = Server::start();
    let me = server.user("me");
    for (options, said) in [
        (&["--max-attempts", "3"][..], "--dead-letter"),
        (&["--dead-letter", "/failed/"], "--max-attempts"),
        (&["--no-wait"], "--until-empty"),
        (&["--until-empty", "--no-wait", "--wait", "1m"], "--wait"),
        (
            &["--max-attempts", "3", "--dead-letter", "/queue/failed/"],
            "would be claimed together",
        ),
    ] {
        let all = [&["claim", "/queue/"], options, &["--", "true"]].concat();
        let complaint = me.kv(&all).complaint(2);
        assert!(complaint.contains(said), "{complaint}");
    }
}
