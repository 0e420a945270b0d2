//! `kv claim --until-empty` by several processes: which keys a run does, and when it ends.

use prominence_core::Key;

use super::{STAY, claim, counted, events, fill, hold, keys};
use crate::running::{Job, Place, until};
use crate::support::{PROGRAM, Ran, Server};

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
    let empty = ["claim", "/none/", "--until-empty", "--no-wait", "--quiet"];
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
fn a_key_that_somebody_deletes_while_its_command_runs_is_lost_and_not_failed() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    fill(&me, &["1"]);
    let script = format!("{PROGRAM} kv delete $PROMINENCE_KEY");
    let ran = claim(&me, &["--json"], &script, &place).ended();
    assert_eq!(ran.status, 1);
    let last = ran.stderr.lines().last().unwrap();
    assert!(last.contains("the claim of 1 of 1 key was lost"), "{ran:?}");
    assert!(!ran.stderr.contains("failed"), "{ran:?}");
    assert!(!ran.stderr.contains("there are no keys"), "{ran:?}");
    let lost = events(&ran).pop().unwrap();
    let reason = lost["reason"].as_str().unwrap();
    assert!(reason.contains("deleted"), "{reason}");
}

#[test]
fn a_run_that_waited_for_the_last_key_does_not_say_that_the_prefix_has_no_keys() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    fill(&me, &["1"]);
    let first = claim(&me, &[], STAY, &place);
    place.line("pid");
    let second = claim(&me, &["--json"], "true", &place);
    until("the second one waits", || server.held() >= 1);
    place.make("go");
    first.ended().text();
    let ran = second.ended();
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
}
