//! Signals to `kv lock` and `kv claim`, from processes and from a terminal.

use std::io::{Read as _, Write as _};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::running::{Job, Place, is_gone, signal, state, until};
use crate::support::{PROGRAM, Person, Server, clean};

/// Says where it is and stays there until it is told to go on.
const STAY: &str = "echo $$ > pid; until [ -e go ]; do sleep 0.02; done";

#[test]
fn signals_reach_the_command_which_decides() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    let script =
        format!("trap 'echo warned > warned' USR1; trap 'echo ending; exit 3' INT; {STAY}");
    let job = Job::start(&me, &["lock", "/lock"], &script, &place);
    place.line("pid");
    job.signal("USR1");
    assert_eq!(place.line("warned"), "warned");
    me.kv(&["get", "/lock"]).text();
    job.signal("INT");
    let ran = job.ended();
    assert_eq!((ran.status, ran.stderr.as_str()), (3, ""));
    assert_eq!(ran.stdout, b"ending\n");
}

#[test]
fn a_command_that_is_asked_to_end_leaves_nothing_behind() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    let script = "sh -c 'trap \"\" TERM; echo $$ > below; while :; do sleep 1; done' &
                  echo $$ > pid; wait";
    let job = Job::start(&me, &["lock", "/lock", "--grace", "1s"], script, &place);
    let (pid, below) = (place.line("pid"), place.line("below"));
    job.signal("TERM");
    assert_eq!(job.ended().status, 128 + 15);
    assert!(is_gone(&pid) && is_gone(&below));
    me.kv(&["get", "/lock"]).complaint(1);
}

#[test]
fn what_was_switched_off_before_stays_off() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    // As nohup does it.
    let mut shell = clean("sh", me.home());
    me.equip(&mut shell);
    let script = format!("trap 'echo warned > warned' USR1; {STAY}");
    let line = r#"trap '' HUP; exec prominence kv lock /lock -- sh -c "$1""#;
    shell
        .args(["-c", line, "sh", &script])
        .current_dir(place.path());
    let job = Job::spawn(&mut shell);
    place.line("pid");
    job.signal("HUP");
    job.signal("USR1");
    place.line("warned");
    place.make("go");
    job.ended().text();
}

#[test]
fn a_stop_stops_the_command_as_well_and_both_go_on_together() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    // One process alone: a shell that is stopped while it starts another can't be seen to be.
    let script = "echo $$ > pid; exec sleep 600";
    let mut job = Job::start(&me, &["lock", "/lock"], script, &place);
    let pid = place.line("pid");
    job.signal("TSTP");
    until("both stand still", || {
        state(&pid) == Some('T') && state(&job.pid()) == Some('T')
    });
    job.signal("CONT");
    until("both go on", || {
        state(&pid) != Some('T') && state(&job.pid()) != Some('T')
    });
    assert!(job.is_running());
    job.signal("TERM");
    assert_eq!(job.ended().status, 128 + 15);
}

/// Sends a signal to a command that holds something while its server is away; answers the command and the
/// moment.
fn interrupted_while_the_server_is_stopped(
    me: &Person<'_>,
    server: &Server,
    arguments: &[&str],
    place: &Place,
) -> (Job, Instant) {
    let job = Job::start(me, arguments, STAY, place);
    place.line("pid");
    // A stopped server answers nothing, and refuses no connection either.
    signal(server.pid(), "STOP");
    job.signal("INT");
    (job, Instant::now())
}

#[test]
fn an_interrupted_command_tries_to_release_its_lease_for_a_moment_alone() {
    for (arguments, what) in [
        (&["lock", "/lock"][..], "releasing the lock /lock"),
        (&["claim", "/queue/"], "releasing /queue/a"),
    ] {
        let server = Server::start();
        let (me, place) = (server.user("me"), Place::new());
        me.kv(&["set", "/queue/a", "--string", "x"]).text();
        let (job, began) = interrupted_while_the_server_is_stopped(&me, &server, arguments, &place);
        let ran = job.ended();
        let took = began.elapsed();
        signal(server.pid(), "CONT");
        assert_eq!(ran.status, 128 + 2, "{ran:?}");
        assert!(took < Duration::from_secs(4), "{took:?} {ran:?}");
        let told = format!("{what}; press Ctrl-C again to end at once");
        assert!(ran.stderr.contains(&told), "{ran:?}");
    }
}

#[test]
fn a_second_interrupt_ends_a_release_at_once() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    let (job, _) =
        interrupted_while_the_server_is_stopped(&me, &server, &["lock", "/lock"], &place);
    let pid = place.line("pid");
    until("only the release is left", || is_gone(&pid));
    // The command is gone, and its end noticed a moment later; another interrupt changes nothing.
    let mut job = Some(job);
    until("it ends", || {
        let running = job.as_mut().unwrap();
        if running.is_running() {
            running.signal("INT");
        }
        !running.is_running()
    });
    signal(server.pid(), "CONT");
    let ran = job.take().unwrap().ended();
    assert_eq!(ran.status, 128 + 2, "{ran:?}");
    assert!(
        ran.stderr
            .contains("ended at once; the lock or claim is free when it expires"),
        "{ran:?}"
    );
}

/// Runs the program at a terminal, which util-linux's `script` gives it.
fn at_a_terminal(me: &Person, place: &Place, arguments: &str) -> Child {
    let mut terminal = clean("script", me.home());
    me.equip(&mut terminal);
    // A shell that stayed between the two would be interrupted as well, and that would be the result.
    let line = format!("exec {PROGRAM} {arguments}");
    terminal
        .args(["-qec", &line, "/dev/null"])
        .env("SHELL", "/bin/sh")
        .current_dir(place.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_terminal_reaches_the_command_once_and_is_read_by_it() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    let script = format!("read line; echo got $line > line; trap 'echo int >> ints' INT; {STAY}");
    std::fs::write(place.file("script"), script).unwrap();
    let mut terminal = at_a_terminal(&me, &place, "kv lock /lock -- sh script");
    let mut keyboard = terminal.stdin.take().unwrap();
    keyboard.write_all(b"hello\n").unwrap();
    assert_eq!(place.line("line"), "got hello");
    place.line("pid");
    keyboard.write_all(b"\x03").unwrap();
    place.line("ints");
    place.make("go");
    assert!(terminal.wait().unwrap().success());
    assert_eq!(place.read("ints"), "int\n");
}

#[test]
fn what_a_terminal_says_is_not_passed_on_as_well() {
    let server = Server::start();
    let (me, place) = (server.user("me"), Place::new());
    // In a session of its own the command is out of the terminal's reach, so that whatever reaches it
    // has been passed on.
    let script = format!(
        "trap 'echo int >> ints' INT; trap 'echo warned > warned' USR1; echo $PPID > above; {STAY}"
    );
    std::fs::write(place.file("script"), script).unwrap();
    let mut terminal = at_a_terminal(&me, &place, "kv lock /lock -- setsid sh script");
    let mut keyboard = terminal.stdin.take().unwrap();
    place.line("pid");
    keyboard.write_all(b"\x03").unwrap();
    // A terminal shows Ctrl-C when it has sent the signal.
    let mut shown = [0; 2];
    terminal
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut shown)
        .unwrap();
    assert_eq!(&shown, b"^C");
    // Signals are passed on in their order.
    signal(place.line("above").parse().unwrap(), "USR1");
    place.line("warned");
    place.make("go");
    assert!(terminal.wait().unwrap().success());
    assert_eq!(place.read("ints"), "");
}
