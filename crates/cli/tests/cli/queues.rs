//! `kv claim` by several processes: keys of workers that fail or are killed, attempts, dead letters.

use std::collections::BTreeMap;
use std::time::Duration;

use prominence_core::{Key, Prefix};
use serde_json::Value;

use crate::running::{Job, Place, until};
use crate::support::{PROGRAM, Person, Ran, Server, clean};

/// Says where it is and stays there until it is told to go on.
const STAY: &str = "echo $$ > pid; until [ -e go ]; do sleep 0.02; done";

/// Puts pieces of work into the queue.
fn fill(me: &Person<'_>, names: &[&str]) {
    for name in names {
        me.kv(&["set", &format!("/queue/{name}"), "--string", name])
            .text();
    }
}

fn claim(me: &Person<'_>, options: &[&str], script: &str, place: &Place) -> Job {
    let all = [&["claim", "/queue/", "--until-empty"], options].concat();
    Job::start(me, &all, script, place)
}

fn keys(me: &Person<'_>, prefix: &str) -> String {
    me.kv(&["list", prefix]).text()
}

/// How often each line stands in a file.
fn counted(place: &Place, name: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in place.read(name).lines() {
        *counts.entry(line.to_owned()).or_default() += 1;
    }
    counts
}

/// Claims a key for somebody who is not heard of again.
fn hold(me: &Person<'_>, time: u64) -> Key {
    let prefix = Prefix::parse("/queue/").unwrap();
    let held = me.client().claim(&prefix, Duration::from_secs(time), None);
    held.unwrap().expect("something is free").key
}

/// What `--json` printed, a line each.
fn events(ran: &Ran) -> Vec<Value> {
    let text = String::from_utf8(ran.stdout.clone()).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

#[test]
fn a_run_until_empty_does_the_keys_of_workers_that_are_killed() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    fill(&me, &["1", "2", "3", "4", "5", "6"]);
    let stuck = "echo $PROMINENCE_KEY >> begun; sleep 600";
    let killed: Vec<_> = (0..3)
        .map(|_| claim(&me, &["--for", "2s"], stuck, &place))
        .collect();
    until("three are at work", || {
        place.read("begun").lines().count() == 3
    });
    let script = "mkdir busy-$$ && echo $PROMINENCE_KEY >> done";
    let last = claim(&me, &["--workers", "2"], script, &place);
    until("the others are done", || {
        place.read("done").lines().count() == 3
    });
    for job in killed {
        job.kill();
    }
    last.ended().text();
    let done = counted(&place, "done");
    assert_eq!(done.len(), 6, "{done:?}");
    assert!(done.values().all(|times| *times == 1), "{done:?}");
    assert_eq!(keys(&me, "/queue/"), "");
}

#[test]
fn a_run_until_empty_ends_when_another_worker_has_done_the_last_key() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    fill(&me, &["1"]);
    let first = claim(&me, &[], STAY, &place);
    place.line("pid");
    let mut second = claim(
        &me,
        &["--workers", "3"],
        "echo $PROMINENCE_KEY > second",
        &place,
    );
    fill(&me, &["2"]);
    until("the second one has done the new key", || {
        keys(&me, "/queue/") == "/queue/1\n"
    });
    assert!(second.is_running(), "the first key may come back");
    place.make("go");
    first.ended().text();
    second.ended().text();
    assert_eq!(place.read("second"), "/queue/2\n");
}

#[test]
fn a_key_that_another_worker_gives_back_is_done_at_once() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    fill(&me, &["1"]);
    let first = Job::start(&me, &["claim", "/queue/"], STAY, &place);
    place.line("pid");
    let second = claim(&me, &[], "cat", &place);
    first.signal("TERM");
    assert_eq!(first.ended().status, 128 + 15);
    assert_eq!(second.ended().text(), "1");
}

#[test]
fn runs_whose_commands_fail_try_each_key_once_and_do_not_wait_for_each_other() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    fill(&me, &["1", "10", "2", "20", "3"]);
    // Keys whose names begin with those of others, because a claim takes a prefix.
    let script = "echo $WORKER$PROMINENCE_KEY >> tried; case $PROMINENCE_KEY in */3) exit 0;; esac
                  until [ $(wc -l < tried) -ge 2 ]; do sleep 0.02; done; exit 5";
    let jobs: Vec<_> = ["a", "b"]
        .map(|name| {
            let script = format!("WORKER={name}; {script}");
            claim(&me, &[], &script, &place)
        })
        .into();
    for job in jobs {
        let ran = job.ended();
        assert_eq!(ran.status, 1, "{ran:?}");
        assert!(ran.stderr.contains("can be claimed again"), "{ran:?}");
    }
    let tried = counted(&place, "tried");
    assert!(tried.values().all(|times| *times == 1), "{tried:?}");
    assert_eq!(keys(&me, "/queue/").lines().count(), 4);
    for name in ["1", "10", "2", "20"] {
        let key = Key::parse(&format!("/queue/{name}")).unwrap();
        let found = me.client().head(&key).unwrap().unwrap();
        assert_eq!(found.claimed_until, None, "{name} is given back");
    }
}

#[test]
fn a_failed_key_does_not_keep_a_run_from_the_keys_of_others() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    fill(&me, &["1", "2"]);
    let first = Job::start(&me, &["claim", "/queue/"], STAY, &place);
    place.line("pid");
    let script = "echo $PROMINENCE_KEY >> tried; [ $PROMINENCE_KEY = /queue/1 ]";
    let second = claim(&me, &[], script, &place);
    until("the second key has failed and is free", || {
        let key = Key::parse("/queue/2").unwrap();
        let found = me.client().head(&key).unwrap().unwrap();
        place.read("tried").ends_with("2\n") && found.claimed_until.is_none()
    });
    first.signal("TERM");
    first.ended_anyhow();
    let ran = second.ended();
    assert_eq!(ran.status, 1, "{ran:?}");
    assert_eq!(place.read("tried"), "/queue/2\n/queue/1\n");
    assert_eq!(keys(&me, "/queue/"), "/queue/2\n");
}

#[test]
fn a_run_that_does_not_wait_names_what_others_hold() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    fill(&me, &["1", "2"]);
    hold(&me, 600);
    let ran = claim(&me, &["--no-wait"], "echo $PROMINENCE_KEY", &place).ended();
    assert_eq!((ran.status, ran.stdout.as_slice()), (1, &b"/queue/2\n"[..]));
    assert!(
        ran.stderr
            .contains("1 key is still claimed under /queue/: /queue/1 until 20"),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("without --no-wait"), "{ran:?}");
    let empty = ["claim", "/none/", "--until-empty", "--no-wait"];
    Job::start(&me, &empty, "true", &place).ended().text();
}

#[test]
fn a_signal_ends_the_wait_for_others() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    fill(&me, &["1", "2"]);
    hold(&me, 600);
    let job = claim(&me, &["--workers", "3"], "cat; touch one", &place);
    until("its own key is done", || {
        keys(&me, "/queue/") == "/queue/1\n"
    });
    job.signal("TERM");
    assert_eq!(job.ended().status, 128 + 15);
}

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

#[test]
fn killed_and_failing_workers_lose_nothing_and_never_work_on_one_key_at_once() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    let names: Vec<_> = (1..=24).map(|number| number.to_string()).collect();
    fill(&me, &names.iter().map(String::as_str).collect::<Vec<_>>());
    // A folder can be made by one alone. Its maker removes it, whatever ends it; a shell that can't say that
    // a command of it was ended would not come to that.
    let script = "exec 2>/dev/null; name=${PROMINENCE_KEY#/queue/}
        trap 'rmdir busy-$name; exit 9' TERM
        mkdir busy-$name || echo $name >> clashes
        echo $name >> begun
        sleep 0.3
        rmdir busy-$name
        [ $name != 5 ] || exit 1
        echo $name >> done";
    let options = [
        "--for",
        "4s",
        "--workers",
        "2",
        "--max-attempts",
        "3",
        "--dead-letter",
        "/failed/",
        "--retry-delay",
        "1s",
    ];
    let start = || claim(&me, &options, script, &place);
    let mut jobs: Vec<_> = (0..4).map(|_| start()).collect();
    // So often that no key can fail for this alone.
    for round in 1..=2 {
        until("some more are at work", || {
            place.read("begun").lines().count() >= round * 5
        });
        jobs.remove(0).kill();
    }
    let ran: Vec<_> = jobs.into_iter().map(Job::ended).collect();
    let as_usual = |ran: &Ran| [0, 1].contains(&ran.status);
    assert!(ran.iter().all(as_usual), "{ran:?}");
    assert_eq!(place.read("clashes"), "", "{ran:?}");
    let done = counted(&place, "done");
    assert_eq!(done.len(), 23, "{done:?}");
    assert_eq!(keys(&me, "/queue/"), "");
    assert_eq!(keys(&me, "/failed/"), "/failed/5\n");
}

#[test]
fn a_program_reads_what_happens_to_each_key() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    fill(&me, &["bad", "good"]);
    let options = ["--json", "--max-attempts", "1", "--dead-letter", "/failed/"];
    let script = "echo spoken; [ $PROMINENCE_KEY = /queue/good ] || exit 4";
    let ran = claim(&me, &options, script, &place).ended();
    assert_eq!(ran.status, 1, "{ran:?}");
    let told: Vec<_> = events(&ran)
        .into_iter()
        .map(|event| {
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            (
                text("event"),
                text("key"),
                event["status"].as_u64(),
                text("to"),
            )
        })
        .collect();
    let expected = [
        ("claimed", "/queue/bad", None, ""),
        ("failed", "/queue/bad", Some(4), ""),
        ("moved", "/queue/bad", None, "/failed/bad"),
        ("claimed", "/queue/good", None, ""),
        ("done", "/queue/good", None, ""),
    ];
    let expected = expected
        .map(|(event, key, status, to)| (event.to_owned(), key.to_owned(), status, to.to_owned()));
    assert_eq!(told, expected);
    assert!(
        ran.stderr.contains("spoken"),
        "the command speaks elsewhere: {ran:?}"
    );

    fill(&me, &["held", "free"]);
    let key = hold(&me, 600);
    let job = claim(&me, &["--json"], "cat", &place);
    until("its own key is done", || {
        keys(&me, "/queue/").lines().count() == 1
    });
    std::thread::sleep(Duration::ZERO);
    me.kv(&["delete", key.as_str()]).text();
    let ran = job.ended();
    assert_eq!(ran.status, 0, "{ran:?}");
    if let Some(waiting) = events(&ran)
        .into_iter()
        .find(|event| event["event"] == "waiting")
    {
        assert_eq!(waiting["held"], 1);
        assert_eq!(waiting["keys"][0]["key"], key.as_str());
    }
}

#[test]
fn a_program_reads_what_happens_to_a_lock_and_a_barrier() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    let lock = ["lock", "/lock", "--json"];
    let ran = Job::start(&me, &lock, "echo $PROMINENCE_LOCK_VALUE; exit 6", &place).ended();
    assert_eq!(ran.status, 6, "{ran:?}");
    let told = events(&ran);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(
        (&told[0]["event"], &told[0]["key"]),
        (&"acquired".into(), &"/lock".into())
    );
    assert_eq!(told[0]["holder"].as_str(), Some(ran.stderr.trim()));
    assert_eq!(
        (&told[1]["event"], &told[1]["status"]),
        (&"released".into(), &6.into())
    );

    fill(&me, &["1"]);
    let wait = |count: &str| {
        me.kv(&[
            "wait",
            "/queue/",
            "--count",
            count,
            "--timeout",
            "1s",
            "--json",
        ])
    };
    assert_eq!(
        wait("1").text(),
        "{\"count\":1,\"wanted\":1,\"reached\":true}\n"
    );
    let ran = wait("2");
    assert_eq!(
        (ran.status, events(&ran)[0]["reached"].as_bool()),
        (1, Some(false))
    );
}

/// Runs a command line at a terminal, which util-linux's `script` gives it, and leaves what is shown in a file.
fn at_a_terminal(me: &Person<'_>, place: &Place, line: &str) -> Job {
    let mut terminal = clean("script", me.home());
    me.equip(&mut terminal);
    terminal
        .args(["-qefc", &format!("exec {PROGRAM} {line}"), "shown"])
        .env("SHELL", "/bin/sh")
        .current_dir(place.path());
    Job::spawn(&mut terminal)
}

#[test]
fn a_person_sees_what_is_waited_for_and_the_line_goes_away() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    fill(&me, &["1", "2"]);
    let held = hold(&me, 600);
    me.kv(&["set", "/lock", "--string", "somebody", "--ttl", "10m"])
        .text();
    for (line, shown, arrives) in [
        (
            "kv wait /queue/ --count 3",
            "2 of 3 keys under /queue/",
            ["set", "/queue/3", "--string", "3"].as_slice(),
        ),
        (
            "kv get /result --wait 1h",
            "waiting for /result",
            &["set", "/result", "--string", "42"],
        ),
        (
            "kv lock /lock -- true",
            "the lock /lock is held by somebody until 20",
            &["delete", "/lock"],
        ),
        (
            "kv claim /none/ --wait 1h -- true",
            "waiting for a key to claim under /none/",
            &["set", "/none/1", "--string", "1"],
        ),
        (
            "kv claim /queue/ --until-empty -- true",
            "2 done, 0 failed, 1 left, 1 held by others",
            &["delete", held.as_str()],
        ),
    ] {
        let job = at_a_terminal(&me, &place, line);
        until(shown, || place.read("shown").contains(shown));
        me.kv(arrives).text();
        let ran = job.ended();
        assert_eq!(ran.status, 0, "{line}: {ran:?}");
        let all = place.read("shown");
        let last = all.rsplit_once(shown).map(|(_, rest)| rest).unwrap();
        assert!(last.contains("\u{1b}[2K"), "{line}: it is erased: {last:?}");
    }
}

#[test]
fn claims_are_shown_with_their_end_their_number_and_their_job() {
    let server = Server::start();
    let me = server.user("me");
    fill(&me, &["1", "2", "3"]);
    assert_eq!(me.kv(&["claims"]).text(), "");
    let late = hold(&me, 600);
    let early = hold(&me, 300);
    let shown = me.kv(&["claims", "/queue/"]).text();
    let rows: Vec<Vec<_>> = shown.lines().map(|row| row.split('\t').collect()).collect();
    assert_eq!(rows.len(), 2, "{shown}");
    assert_eq!(
        rows[0][1..],
        ["1", "-", early.as_str()],
        "the one that ends first"
    );
    assert_eq!(rows[1][1..], ["1", "-", late.as_str()]);
    assert!(rows[0][0] < rows[1][0], "{shown}");
    let json: Value = serde_json::from_str(&me.kv(&["claims", "--json"]).text()).unwrap();
    assert_eq!(json[0]["key"], early.as_str());
    assert_eq!(json[0]["claims"], 1);
}
