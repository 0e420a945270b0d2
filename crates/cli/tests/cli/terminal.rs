//! The output at a terminal, which differs from that for a program.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{PROGRAM, Person, Server, clean, run_with_input};

/// Runs a command line on a terminal of its own, with what a person types.
pub(crate) fn at_a_terminal(me: &Person<'_>, line: &str, typed: &str) -> (i32, String) {
    // util-linux's script gives a command a terminal and passes its exit status on.
    let mut script = clean("script", me.home());
    me.equip(&mut script);
    on_terminal(&mut script, line, typed)
}

pub(crate) fn on_terminal(script: &mut Command, line: &str, typed: &str) -> (i32, String) {
    script.args(["-qec", &format!("{PROGRAM} {line}"), "/dev/null"]);
    let ran = run_with_input(script, typed.as_bytes());
    let text = String::from_utf8(ran.stdout).unwrap();
    (ran.status, text.replace("\r\n", "\n"))
}

#[test]
fn a_newline_is_added_only_where_the_value_lacks_one() {
    let server = Server::start();
    let me = server.user("me");
    me.kv(&["set", "/without", "--string", "42"]).text();
    me.kv(&["set", "/with", "--string", "42\n"]).text();
    assert_eq!(
        at_a_terminal(&me, "kv get /without", ""),
        (0, "42\n".into())
    );
    assert_eq!(at_a_terminal(&me, "kv get /with", ""), (0, "42\n".into()));
    assert_eq!(me.kv(&["get", "/without"]).text(), "42");
}

#[test]
fn before_everything_is_deleted_a_person_is_asked() {
    let server = Server::start();
    let me = server.user("me");
    for key in ["/a", "/b"] {
        me.kv(&["set", key, "--string", "x"]).text();
    }
    let (status, said) = at_a_terminal(&me, "kv delete --prefix /", "n\n");
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("Delete all 2 keys of me? [y/N]"), "{said}");
    assert!(
        said.contains("nothing was deleted, because the answer was not y")
            && said.contains("--yes"),
        "{said}"
    );
    let (status, said) = at_a_terminal(&me, "kv delete --prefix /b", "");
    assert_eq!(status, 0, "{said}");
    assert!(
        said.contains("1 key deleted") && !said.contains("[y/N]"),
        "{said}"
    );
    let (status, said) = at_a_terminal(&me, "kv delete --prefix /", "y\n");
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("1 key deleted"), "{said}");
    assert_eq!(me.kv(&["list"]).text(), "");
    let (status, said) = at_a_terminal(&me, "kv delete --prefix / --yes", "");
    assert_eq!(status, 0, "{said}");
    assert!(!said.contains("[y/N]"), "{said}");
}

#[test]
fn a_table_is_aligned_and_coloured_unless_colour_is_not_wanted() {
    let server = Server::start();
    let me = server.user("me");
    me.kv(&["set", "/short", "--string", "1"]).text();
    me.kv(&["set", "/longer", "--string", "1234567890"]).text();
    me.kv(&["set", "/folder/a", "--string", "1"]).text();
    let (_, coloured) = at_a_terminal(&me, "kv list --long --dirs", "");
    assert!(coloured.contains("\u{1b}["), "{coloured:?}");
    let mut colourless = clean("script", me.home());
    me.equip(colourless.env("NO_COLOR", "1"));
    let (_, plain) = on_terminal(&mut colourless, "kv list --long --dirs", "");
    assert!(!plain.contains('\u{1b}'), "{plain:?}");
    let lines: Vec<_> = plain.lines().collect();
    assert!(lines[0].starts_with("SIZE  MODIFIED"), "{plain}");
    let columns: Vec<_> = lines
        .iter()
        .map(|line| line.find("KEY").or(line.find('/')))
        .collect();
    assert_eq!(columns.len(), 4, "{plain}");
    assert!(columns.iter().all(|at| at == &columns[0]), "{plain}");
}

#[test]
fn progress_is_shown_to_a_person_and_goes_away_with_what_was_done() {
    let server = Server::start();
    let me = server.user("me");
    let table: String = (0..500).map(|n| format!("{n}\n")).collect();
    std::fs::write(me.home().join("t.csv"), format!("n\n{table}")).unwrap();
    let home = me.home().display();
    for (line, bar, last) in [
        (
            format!("kv load /in {home}/t.csv"),
            "loading",
            "500 of 500 rows stored",
        ),
        (
            format!("kv export /in {home}/out"),
            "exporting",
            "500 keys written, 0 there already",
        ),
        (
            format!("kv import {home}/out /in"),
            "importing",
            "0 keys stored, 500 there already",
        ),
    ] {
        let (status, said) = at_a_terminal(&me, &line, "");
        assert_eq!(status, 0, "{said}");
        assert!(
            said.contains(bar) && said.contains("/500 "),
            "{line}: {said:?}"
        );
        assert!(said.trim_end().ends_with(last), "{line}: {said:?}");
        let (status, said) = at_a_terminal(&me, &format!("{line} --quiet"), "");
        assert_eq!((status, said.as_str()), (0, ""), "{line}");
    }
}

#[test]
fn a_watch_names_its_columns_to_a_person_before_anything_happens() {
    let server = Server::start();
    let me = server.user("me");
    let mut script = clean("script", me.home());
    me.equip(script.env("NO_COLOR", "1"));
    script.args(["-qec", &format!("{PROGRAM} kv watch"), "/dev/null"]);
    script.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = script.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let head = lines.next().unwrap().unwrap();
    assert_eq!(
        head.split_whitespace().collect::<Vec<_>>(),
        ["TIME", "EVENT", "KEY", "SIZE", "JOB"]
    );
    // It listens at some moment after its head; the first change after that comes as a line.
    let printed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            while !printed.load(Ordering::SeqCst) {
                me.kv(&["set", "/key", "--string", "12345"]).text();
            }
        });
        let line = lines.next().unwrap().unwrap();
        printed.store(true, Ordering::SeqCst);
        writer.join().unwrap();
        assert_eq!(line.find("put"), head.find("EVENT"), "{line}");
        assert_eq!(line.find("/key"), head.find("KEY"), "{line}");
    });
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_prefix_that_matches_more_than_a_folder_is_asked_for() {
    let server = Server::start();
    let me = server.user("me");
    for key in ["/in/a", "/inside", "/run-1"] {
        me.kv(&["set", key, "--string", "x"]).text();
    }
    let (status, said) = at_a_terminal(&me, "kv delete --prefix /in", "n\n");
    assert_eq!(status, 1, "{said}");
    assert!(
        said.contains("/in also matches /inside; write /in/")
            && said.contains("Delete all 2 keys that begin with /in? [y/N]"),
        "{said}"
    );
    assert_eq!(me.kv(&["list", "--count"]).text(), "3\n");
    for prefix in ["/in/", "/run-"] {
        let (status, said) = at_a_terminal(&me, &format!("kv delete --prefix {prefix}"), "");
        assert_eq!((status, said.as_str()), (0, "1 key deleted\n"));
    }
    me.kv(&["set", "/in/a", "--string", "x"]).text();
    let (status, said) = at_a_terminal(&me, "kv delete --prefix /in --yes", "");
    assert_eq!(status, 0, "{said}");
    assert!(
        said.ends_with("2 keys deleted\n") && !said.contains("[y/N]"),
        "{said}"
    );
}

#[test]
fn a_question_that_nobody_answers_ends_by_itself() {
    let server = Server::start();
    let me = server.user("me");
    for key in ["/in/a", "/inside"] {
        me.kv(&["set", key, "--string", "x"]).text();
    }
    for prefix in ["/", "/in"] {
        let mut script = clean("script", me.home());
        me.equip(script.env("PROMINENCE_ANSWER_WITHIN", "1s"));
        script
            .args([
                "-qec",
                &format!("{PROGRAM} kv delete --prefix {prefix}"),
                "/dev/null",
            ])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped());
        let mut child = script.spawn().unwrap();
        // Standard input stays open, as a notebook leaves it, until the program has ended by itself.
        let nobody = child.stdin.take();
        let ran = child.wait_with_output().unwrap();
        drop(nobody);
        let said = String::from_utf8(ran.stdout).unwrap();
        assert_eq!(ran.status.code(), Some(1), "{said}");
        assert!(
            said.contains("nothing was deleted, because there was no answer within 1s")
                && said.contains("add --yes"),
            "{said}"
        );
    }
    assert_eq!(me.kv(&["list", "--count"]).text(), "2\n");
}

#[test]
fn a_guess_about_a_value_is_told_to_a_person_and_to_nobody_else() {
    let server = Server::start();
    let me = server.user("me");
    let file = me.home().join("results.csv");
    std::fs::write(&file, "1,2\n").unwrap();
    let file = file.to_str().unwrap();
    let (_, said) = at_a_terminal(&me, &format!("kv set /a {file}"), "");
    assert!(
        said.contains("the content of the file") && said.contains("(4 bytes)"),
        "{said}"
    );
    assert!(said.contains("--string"), "{said}");
    let (_, said) = at_a_terminal(&me, "kv set /a results.cvs", "");
    assert!(
        said.contains("there is no file results.cvs, so the value is this text")
            && said.contains("--file"),
        "{said}"
    );
    assert_eq!(me.kv(&["get", "/a"]).text(), "results.cvs");
    for line in [
        "kv set /a 42",
        "kv set /a -1.5",
        "kv set /a 'two words.'",
        "kv set /a hello.world",
        "kv set /a v1.x",
        "kv set /a --string results.cvs",
        &format!("kv set /a --file {file}"),
    ] {
        assert_eq!(at_a_terminal(&me, line, ""), (0, String::new()), "{line}");
    }
    me.kv(&["set", "/a", file]).text();
    me.kv(&["set", "/a", "results.cvs"]).text();
}
