//! The output about claims, locks and barriers: `--json`, the status line, `kv claims`.

use std::time::Duration;

use serde_json::Value;

use super::{claim, events, fill, hold, keys};
use crate::running::{Job, Place, until};
use crate::support::{PROGRAM, Person, Server, clean};

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
            "the lock /lock is held by somebody until ",
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
