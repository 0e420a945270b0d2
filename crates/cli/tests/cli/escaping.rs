//! Control characters in what others have chosen: shown as escapes on a terminal, given as they are to
//! programs.

use crate::support::{Person, Server, run};
use crate::terminal::at_a_terminal;

/// Sets the terminal's title (C1 form), turns text around, ends a line for some programs, and has characters
/// that nobody sees.
const KEY: &str = "/k\u{9d}0;t\u{202e}x\u{2028}y\u{200b}\u{feff}\u{e0041}z";
const SHOWN: &str = "/k\\u009d0;t\\u202ex\\u2028y\\u200b\\ufeff\\udb40\\udc41z";

/// Clears the screen.
const VALUE: &str = "a\u{1b}[2Jb\u{85}c\rd\te\n";
const VALUE_SHOWN: &str = "a\\u001b[2Jb\\u0085c\\rd\te\n";

fn fill(me: &Person<'_>) {
    me.kv(&["set", KEY, "--string", VALUE]).text();
}

#[track_caller]
fn assert_safe(shown: &str) {
    let unsafe_character = |character: char| {
        (character.is_control() && !matches!(character, '\n' | '\t'))
            || matches!(
                character,
                '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{200b}' | '\u{feff}'
            )
            || matches!(character, '\u{e0000}'..='\u{e007f}')
    };
    assert!(!shown.contains(unsafe_character), "{shown:?}");
}

#[test]
fn every_command_escapes_keys_and_values_on_a_terminal() {
    let server = Server::start();
    let me = server.user("me");
    fill(&me);
    let home = me.home().display().to_string();
    me.kv(&["export", "/", &format!("{home}/in")]).text();
    for line in [
        "kv list",
        "kv list --values",
        "kv list --json --values",
        "kv list --long",
        "kv list --reverse",
        "kv tree",
        "kv tree --json",
        "kv get --json '{KEY}'",
        "kv get --json '{KEY}' '{KEY}'",
        "kv get '{KEY}'",
        "kv get '{KEY}none'",
        "kv gather / --format json",
        "kv gather / --format ndjson",
        "kv gather / --format csv",
        "kv cp '{KEY}' '{KEY}2' --json",
        "kv set '{KEY}' 1 --if-absent",
        "kv add '{KEY}'",
        "kv get '{KEY}' -o '/none{KEY}'",
        "kv import {HOME}/in /again --dry-run",
        "kv export /none '/dev/null{KEY}'",
        "kv wait '{KEY}' --count 9 --timeout 1",
    ] {
        let typed = line.replace("{KEY}", KEY).replace("{HOME}", &home);
        let mut script = crate::support::clean("script", me.home());
        me.equip(script.env("NO_COLOR", "1"));
        let (_, shown) = crate::terminal::on_terminal(&mut script, &typed, "");
        // A command that waits erases its own line, and starts it again.
        let shown = shown.replace("\r\u{1b}[2K", "");
        assert_safe(&shown);
        if line.contains("KEY") || line.contains("list") || line.contains("tree") {
            let there = shown.contains("\\u009d0;t\\u202ex")
                || line == "kv get '{KEY}'"
                || line.starts_with("kv export")
                || line.contains("cp ");
            assert!(there, "{line}: {shown:?}");
        }
    }
    let (status, shown) = at_a_terminal(&me, &format!("kv get '{KEY}'"), "");
    assert_eq!((status, shown.as_str()), (0, VALUE_SHOWN));
    let (_, listed) = at_a_terminal(&me, "kv list --limit 1", "");
    assert_eq!(listed, format!("{SHOWN}\n"));
    let (_, json) = at_a_terminal(&me, &format!("kv get --json '{KEY}'"), "");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["key"], &json["value"]), (&KEY.into(), &VALUE.into()));
}

#[test]
fn a_program_gets_the_bytes_as_they_are() {
    let server = Server::start();
    let me = server.user("me");
    fill(&me);
    assert_eq!(me.kv(&["get", KEY]).text(), VALUE);
    assert_eq!(me.kv(&["list"]).text(), format!("{KEY}\n"));
    let tree = me.kv(&["tree"]).text();
    assert!(tree.contains(&KEY[1..]), "{tree:?}");
}

#[test]
fn errors_are_escaped_wherever_they_go() {
    let server = Server::start();
    let me = server.user("me");
    let complaint = me.kv(&["get", KEY]).complaint(1);
    assert!(complaint.contains(SHOWN), "{complaint:?}");
    let complaint = me
        .kv(&["set", "/a", "--file", "no\u{1b}[2J\u{202e}"])
        .complaint(2);
    assert!(complaint.contains("no\\u001b[2J\\u202e"), "{complaint:?}");
    let complaint = me.kv(&["list", "--\u{9b}x"]).complaint(2);
    assert_safe(&complaint);
    for (line, shown) in [
        (
            &["get", "\u{1b}[31m"][..],
            "invalid value '\\u001b[31m' for '<KEY>...'",
        ),
        (
            &["list", "\u{1b}]0;x\u{7}"],
            "invalid value '\\u001b]0;x\\u0007' for",
        ),
        (&["get", "a\nb"], "invalid value 'a\\nb' for"),
        (
            &["list", "--limit", "\u{1b}[1m"],
            "invalid value '\\u001b[1m' for '--limit <N>'",
        ),
        (
            &["l\u{1b}[1mist"],
            "unrecognized subcommand 'l\\u001b[1mist'",
        ),
        (&["add", "/n", "\u{1b}[1m"], "\"\\u001b[1m\" can't be added"),
        (
            &["wait", "/a/", "--timeout", "\u{1b}[1m"],
            "invalid value '\\u001b[1m' for",
        ),
    ] {
        let complaint = me.kv(line).complaint(2);
        assert!(complaint.contains(shown), "{complaint:?}");
    }
}

#[test]
fn a_value_that_is_not_text_is_shown_on_a_terminal_only_by_force() {
    let server = Server::start();
    let me = server.user("me");
    for (key, value) in [("/invalid", &b"a\xff\x01b"[..]), ("/nul", b"a\0b")] {
        me.kv_with_input(&["set", key, "-"], value).text();
        let (status, said) = at_a_terminal(&me, &format!("kv get {key}"), "");
        assert_eq!(status, 2, "{said}");
        assert!(
            said.contains(&format!("the value of {key} is not text")) && said.contains("-o FILE"),
            "{said}"
        );
        assert!(
            said.contains("--force") && said.lines().count() == 1,
            "{said}"
        );
        assert_eq!(me.kv(&["get", key]).bytes(), value);
        assert_eq!(me.kv(&["get", key, "--force"]).bytes(), value);
    }
    let mut script = crate::support::clean("script", me.home());
    me.equip(&mut script);
    let line = format!("{} kv get /invalid --force", crate::support::PROGRAM);
    let ran = run(script.args(["-qec", &line, "/dev/null"]));
    assert_eq!(ran.stdout, b"a\xff\x01b\r\n");
    me.kv(&["set", "/title", "--string", "\u{1b}]0;x\u{7}"])
        .text();
    let (_, raw) = at_a_terminal(&me, "kv get /title --force", "");
    assert_eq!(raw, "\u{1b}]0;x\u{7}\n");
}
