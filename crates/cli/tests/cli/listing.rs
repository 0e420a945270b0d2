//! `kv list` and `kv tree`.

use std::process::Command;

use prominence_client::SetOptions;
use prominence_core::Key;

use crate::support::{PROGRAM, Person, Script, Server, answer, run};

fn fill(me: &Person<'_>, keys: &[&str]) {
    let client = me.client();
    for key in keys {
        let key = Key::parse(key).unwrap();
        client.set(&key, b"12", &SetOptions::default()).unwrap();
    }
}

#[test]
fn keys_come_one_a_line_in_byte_order() {
    let server = Server::start();
    let me = server.user("me");
    fill(&me, &["/in/b", "/in/a/deep", "/inside", "/out"]);
    let other = server.user("you");
    fill(&other, &["/in/yours"]);
    let everything = "/in/a/deep\n/in/b\n/inside\n/out\n";
    assert_eq!(me.kv(&["list"]).text(), everything);
    assert_eq!(
        me.kv(&["list", "/in"]).text(),
        "/in/a/deep\n/in/b\n/inside\n"
    );
    assert_eq!(me.kv(&["list", "in/"]).text(), "/in/a/deep\n/in/b\n");
    assert_eq!(me.kv(&["list", "/none"]).text(), "");
    assert_eq!(me.kv(&["list", "--count", "/in/"]).text(), "2\n");
    assert_eq!(me.kv(&["list", "--dirs"]).text(), "/in/\n/inside\n/out\n");
    assert_eq!(me.kv(&["list", "--dirs", "/in/"]).text(), "/in/a/\n/in/b\n");
}

#[test]
fn long_lines_in_a_pipe_are_separated_by_tabs() {
    let server = Server::start();
    let me = server.user("me");
    fill(&me, &["/a", "/b/c"]);
    me.run(&[
        "exec", "--job", "j 1", "--", PROGRAM, "kv", "set", "/a", "--string", "123", "--ttl", "1h",
    ])
    .text();
    let long = me.kv(&["list", "--long"]).text();
    let rows: Vec<Vec<_>> = long
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(rows.len(), 2, "{long}");
    let [
        size,
        modified,
        created,
        expires,
        claimed,
        by,
        claims,
        job,
        key,
    ] = rows[0][..]
    else {
        panic!("{long}");
    };
    assert_eq!((size, claimed, by, claims), ("3", "-", "-", "0"));
    assert_eq!((job, key), ("j 1", "/a"));
    assert!(created <= modified && created.ends_with('Z'), "{long}");
    assert!(modified < expires, "{long}");
    assert!(
        modified.starts_with("20") && modified.ends_with('Z'),
        "{long}"
    );
    assert_eq!(rows[1][3..], ["-", "-", "-", "0", "-", "/b/c"]);
    let folders = me.kv(&["list", "-l", "--dirs", "/b"]).text();
    assert_eq!(folders, "-\t-\t-\t-\t-\t-\t-\t-\t/b/\n");
}

#[test]
fn json_is_an_array_of_what_is_known_about_each() {
    let server = Server::start();
    let me = server.user("me");
    fill(&me, &["/a", "/b/c"]);
    let json = |arguments: &[&str]| -> Vec<serde_json::Value> {
        serde_json::from_str(&me.kv(arguments).text()).unwrap()
    };
    let all = json(&["list", "--json"]);
    assert_eq!(all.len(), 2);
    assert_eq!(all[1]["key"], "/b/c");
    assert_eq!(all[1]["size"], 2);
    assert_eq!(json(&["list", "--json", "--dirs"])[1]["prefix"], "/b/");
    assert_eq!(json(&["list", "--json", "/none"]).len(), 0);
}

#[test]
fn a_tree_is_drawn_as_tree_1_draws_one() {
    let server = Server::start();
    let me = server.user("me");
    fill(&me, &["/a", "/a.b/x", "/a/x", "/a/y/z", "/a0", "/é/🦀"]);
    let drawn = me.kv(&["tree"]).text();
    let expected = "\
/
├── a
├── a.b/
│   └── x
├── a/
│   ├── x
│   └── y/
│       └── z
├── a0
└── é/
    └── 🦀

4 folders, 6 keys
";
    assert_eq!(drawn, expected);
    let below = me.kv(&["tree", "/a/"]).text();
    assert_eq!(below, "/a/\n├── x\n└── y/\n    └── z\n\n1 folder, 2 keys\n");
    assert_eq!(
        me.kv(&["tree", "/none/"]).text(),
        "/none/\n\n0 folders, 0 keys\n"
    );
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_listing_quietly() {
    let server = Server::start();
    let me = server.user("me");
    // More than a pipe holds.
    let keys: Vec<_> = (100..300)
        .map(|number| format!("/{number}{}", "x".repeat(1_000)))
        .collect();
    fill(&me, &keys.iter().map(String::as_str).collect::<Vec<_>>());
    let mut bash = Command::new("bash");
    me.equip(&mut bash);
    let script = format!("{PROGRAM} kv list | head -c 4; echo; echo ${{PIPESTATUS[0]}}");
    assert_eq!(run(bash.args(["-c", &script])).text(), "/100\n0\n");
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let server = Server::start();
    let me = server.user("me");
    fill(&me, &["/a"]);
    let mut bash = Command::new("bash");
    me.equip(&mut bash);
    bash.args(["-c", &format!("{PROGRAM} kv list > /dev/full")]);
    let complaint = run(&mut bash).complaint(2);
    assert!(complaint.contains("space"), "{complaint}");
}

#[test]
fn a_listing_that_breaks_off_is_an_error_and_its_json_is_left_open() {
    let first = answer(
        "200 OK",
        "Link: </prominence/v1/kv?list&after=/a>; rel=\"next\"\r\n",
        "[\"/a\"]",
    );
    let script = Script::new(vec![first]);
    let ran = script.run(&["kv", "list", "--retry-for", "0"]);
    assert_eq!(ran.status, 3, "{ran:?}");
    assert_eq!(ran.stdout, b"/a\n");
    assert!(
        ran.stderr.starts_with("prominence: cannot reach"),
        "{ran:?}"
    );
    script.played();

    let first = answer(
        "200 OK",
        "Link: </prominence/v1/kv?list&after=/a>; rel=\"next\"\r\n",
        "[{\"prefix\": \"/a/\"}]",
    );
    let script = Script::new(vec![first]);
    let ran = script.run(&["kv", "list", "--json", "--retry-for", "0"]);
    assert_eq!(ran.status, 3, "{ran:?}");
    let whole: Result<serde_json::Value, _> = serde_json::from_slice(&ran.stdout);
    assert!(whole.is_err(), "{ran:?}");
    script.played();
}
