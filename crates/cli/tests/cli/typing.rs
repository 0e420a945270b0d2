//! The command line as people type it: values that look like options, guesses, aliases, several keys.

use crate::support::{Server, alone};

#[test]
fn a_value_that_begins_with_a_hyphen_is_stored_and_options_work_in_every_place() {
    let server = Server::start();
    let me = server.user("me");
    for value in [
        "-5.2e-3", "-.5", "-inf", "-1", "-x", "-xh", "-", "-1e5", "-NaN", "-–",
    ] {
        for line in [
            &["set", "/x", value, "--ttl", "1h"][..],
            &["set", "/x", "--ttl", "1h", value],
            &["set", "--ttl=1h", "/x", value],
            &["set", "/x", value, "--token", &me.token, "--ttl", "1h"],
            &["set", "--ttl", "1h", "/x", "--", value],
        ] {
            let ran = me.kv_with_input(line, b"-");
            assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{line:?}");
            let shown = me.kv(&["get", "--json", "/x"]).text();
            let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
            assert_eq!(shown["value"], value, "{line:?}");
            assert!(shown["expires"].is_string(), "{line:?}");
        }
    }
    me.kv(&["set", "/x", "--", "--ttl"]).text();
    assert_eq!(me.kv(&["get", "/x"]).text(), "--ttl");
    me.kv(&["set", "/x", "--string=--ttl"]).text();
    assert_eq!(me.kv(&["get", "/x"]).text(), "--ttl");
}

#[test]
fn a_misspelt_option_is_no_value() {
    let server = Server::start();
    let me = server.user("me");
    for (line, words) in [
        (&["set", "/x", "--tll", "1h", "1"][..], "'--ttl'"),
        (&["set", "/x", "--if-abset"], "'--if-absent'"),
        (&["set", "/x", "--tll=1h"], "'--ttl'"),
        (&["add", "/x", "--jsn"], "'--json'"),
        (&["set", "/x", "--zzzzzz"], "write -- before it"),
        (&["set", "/x", "-f", "file"], "--file"),
    ] {
        let complaint = me.kv(line).complaint(2);
        let see = format!("see prominence kv {} --help", line[0]);
        assert!(
            complaint.contains(words) && complaint.ends_with(&see),
            "{line:?}: {complaint}"
        );
    }
    assert_eq!(me.kv(&["list"]).text(), "");
    // A short option that exists is one.
    assert!(alone(&["kv", "set", "/x", "-h"]).text().contains("Usage:"));
}

#[test]
fn what_cannot_be_added_is_refused_in_a_sentence_with_what_can() {
    let server = Server::start();
    let me = server.user("me");
    for (typed, words) in [
        (
            "0.5",
            "only whole numbers can be added; count in a smaller unit",
        ),
        ("-.5", "only whole numbers"),
        ("1e3", "only whole numbers"),
        (
            "\u{feff}5",
            "byte-order mark (U+FEFF); type the number without it",
        ),
        ("many", "a whole number from -9223372036854775808"),
        ("9223372036854775808", "to 9223372036854775807"),
        ("", "a whole number"),
    ] {
        let complaint = me.kv(&["add", "/n", typed]).complaint(2);
        assert!(complaint.contains(words), "{typed}: {complaint}");
        assert!(
            complaint.ends_with("; see prominence kv add --help"),
            "{typed}: {complaint}"
        );
    }
    for (stored, words) in [
        (
            &b"\xef\xbb\xbf5"[..],
            "begins with a byte-order mark (U+FEFF); set it again without the mark",
        ),
        (
            b"\xff\xfe5\0",
            "UTF-16 text; set it again as plain digits in UTF-8",
        ),
        (
            b"0.5\n",
            "with a fraction or an exponent; only a whole number can be added to",
        ),
        (b"", "is empty; set it to a whole number, such as 0, first"),
        (b"many", "is not a whole number; set it"),
        (
            b"9223372036854775808",
            "outside the signed 64-bit range; set it to a smaller number",
        ),
        (b"\x80", "not text"),
    ] {
        me.kv_with_input(&["set", "/n", "-"], stored).text();
        let complaint = me.kv(&["add", "/n"]).complaint(1);
        assert!(complaint.contains(words), "{stored:?}: {complaint}");
        assert_eq!(me.kv(&["get", "/n"]).bytes(), stored);
    }
    me.kv(&["set", "/n", "9223372036854775807"]).text();
    let complaint = me.kv(&["add", "/n"]).complaint(1);
    assert!(
        complaint.contains("the sum is outside") && complaint.contains("add less"),
        "{complaint}"
    );
}

#[test]
fn names_of_other_tools_work_as_well() {
    let server = Server::start();
    let me = server.user("me");
    me.kv(&["put", "/a", "1"]).text();
    assert_eq!(me.kv(&["cat", "/a"]).text(), "1");
    assert_eq!(me.kv(&["ls"]).text(), "/a\n");
    me.kv(&["rm", "/a"]).text();
    assert_eq!(me.kv(&["ls", "--count"]).text(), "0\n");
}

#[test]
fn several_values_follow_one_another_and_a_missing_key_hides_none() {
    let server = Server::start();
    let me = server.user("me");
    me.kv(&["set", "/a", "1\n"]).text();
    me.kv_with_input(&["set", "/b", "-"], b"\xff\0").text();
    assert_eq!(
        me.kv(&["get", "/b", "/a", "/b"]).bytes(),
        b"\xff\x001\n\xff\0"
    );
    let ran = me.kv(&["get", "/none", "/a", "/gone", "/b"]);
    assert_eq!((ran.status, ran.stdout.as_slice()), (1, &b"1\n\xff\0"[..]));
    assert_eq!(
        ran.stderr,
        "prominence: there is no key /none, /gone (2 of 4); prominence kv list shows what there is\n"
    );
    let ran = me.kv(&["get", "--json", "/a", "/none", "/b"]);
    assert_eq!(ran.status, 1);
    let lines: Vec<serde_json::Value> = String::from_utf8(ran.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (&lines[0]["value"], &lines[1]["value_base64"]),
        (&"1\n".into(), &"/wA=".into())
    );
    let complaint = me.kv(&["get", "/a", "/b", "-o", "file"]).complaint(2);
    assert!(complaint.contains("one key"), "{complaint}");
    let ran = me.kv(&["get", "/a", "/none", "--wait", "1"]);
    assert_eq!((ran.status, ran.stdout.as_slice()), (1, &b"1\n"[..]));
    assert!(
        ran.stderr.contains("still no key /none (1 of 2) after 1s"),
        "{ran:?}"
    );
}

#[test]
fn several_keys_are_deleted_and_none_where_one_is_no_key() {
    let server = Server::start();
    let me = server.user("me");
    for key in ["/a", "/b", "/c"] {
        me.kv(&["set", key, "1"]).text();
    }
    assert_eq!(
        me.kv(&["delete", "/a", "/b", "/none", "--dry-run"]).text(),
        "2\n"
    );
    let complaint = me.kv(&["delete", "/a", "/b/"]).complaint(2);
    assert!(complaint.contains("--prefix"), "{complaint}");
    let complaint = me.kv(&["delete", "--prefix", "/a", "/b"]).complaint(2);
    assert!(complaint.contains("takes one prefix"), "{complaint}");
    assert_eq!(me.kv(&["list", "--count"]).text(), "3\n");
    assert_eq!(me.kv(&["delete", "/a", "/none", "/b"]).text(), "");
    assert_eq!(me.kv(&["list"]).text(), "/c\n");
}

#[test]
fn a_key_is_deleted_only_at_the_revision_that_is_named() {
    let server = Server::start();
    let me = server.user("me");
    let set = |value: &str| -> String {
        let set = me.kv(&["set", "/a", value, "--json"]).text();
        let set: serde_json::Value = serde_json::from_str(&set).unwrap();
        set["revision"].to_string()
    };
    let (old, new) = (set("1"), set("2"));
    let complaint = me.kv(&["delete", "/a", "--if-revision", &old]).complaint(1);
    assert!(complaint.contains("nothing was changed"), "{complaint}");
    let complaint = me
        .kv(&["delete", "/a", "/b", "--if-revision", &new])
        .complaint(2);
    assert!(complaint.contains("one key"), "{complaint}");
    for option in ["--prefix", "--dry-run"] {
        me.kv(&["delete", "/a", "--if-revision", &new, option])
            .complaint(2);
    }
    assert_eq!(me.kv(&["get", "/a"]).text(), "2");
    assert_eq!(me.kv(&["delete", "/a", "--if-revision", &new]).text(), "");
    assert_eq!(me.kv(&["list"]).text(), "");
}

#[test]
fn a_prefix_that_matches_more_than_a_folder_is_told() {
    let server = Server::start();
    let me = server.user("me");
    let keys = [
        "/in/a",
        "/inside",
        "/run-1",
        "/run-2",
        "/w1/a",
        "/w10/a",
        "/deep/in/x",
        "/deep/in-old/x",
    ];
    for key in keys {
        me.kv(&["set", key, "1"]).text();
    }
    let told = "prominence: /in also matches /inside; write /in/ for what is in that folder\n";
    let ran = me.kv(&["delete", "--prefix", "/in", "--dry-run"]);
    assert_eq!(
        (ran.status, ran.stdout.as_slice(), ran.stderr.as_str()),
        (0, &b"2\n"[..], told)
    );
    // There is nobody to ask.
    let ran = me.kv(&["delete", "--prefix", "/in"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, told));
    let ran = me.kv(&["delete", "--prefix", "/w1"]);
    assert!(ran.stderr.contains("/w1 also matches /w10/"), "{ran:?}");
    let ran = me.kv(&["delete", "--prefix", "/deep/in"]);
    assert!(
        ran.stderr.contains("/deep/in also matches /deep/in-old/"),
        "{ran:?}"
    );
    // A folder, a single key and a prefix that ends between two words are meant as they are.
    for prefix in ["/in/", "/run-", "/run-1", "/"] {
        for key in ["/in/x", "/run-1"] {
            me.kv(&["set", key, "1"]).text();
        }
        me.kv(&["delete", "--prefix", prefix]).text();
    }
}

#[test]
fn a_listing_has_values_a_limit_a_start_and_two_directions() {
    let server = Server::start();
    let me = server.user("me");
    for key in ["/a", "/b/1", "/b/2", "/c"] {
        me.kv(&["set", key, "--string", "v\t\\\n"]).text();
    }
    me.kv_with_input(&["set", "/d", "-"], b"\xff\0").text();
    for (arguments, lines) in [
        (&["--limit", "2"][..], "/a\n/b/1\n"),
        (&["--limit", "9"], "/a\n/b/1\n/b/2\n/c\n/d\n"),
        (&["--after", "/b/1", "--limit", "1"], "/b/2\n"),
        (&["--after", "/bb"], "/c\n/d\n"),
        (&["--reverse"], "/d\n/c\n/b/2\n/b/1\n/a\n"),
        (&["--reverse", "--limit", "2"], "/d\n/c\n"),
        (&["--dirs", "--reverse", "--limit", "3"], "/d\n/c\n/b/\n"),
        (&["--reverse", "--after", "/b/1"], "/d\n/c\n/b/2\n"),
        (&["--dirs", "--reverse", "--after", "/b/"], "/d\n/c\n"),
        (&["--dirs", "--limit", "2"], "/a\n/b/\n"),
        (
            &["--values", "--after", "/b/2"],
            "/c\tv\\t\\\\\\n\n/d\t<2 bytes>\n",
        ),
        (
            &["--values", "--dirs", "--limit", "2"],
            "/a\tv\\t\\\\\\n\n/b/\n",
        ),
    ] {
        let mut line = vec!["list"];
        line.extend(arguments);
        assert_eq!(me.kv(&line).text(), lines, "{arguments:?}");
    }
    let json = me
        .kv(&["list", "--json", "--values", "--reverse", "--limit", "2"])
        .text();
    let json: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json[0]["value_base64"], &json[1]["value"]),
        (&"/wA=".into(), &"v\t\\\n".into())
    );
    let long = me
        .kv(&["list", "--long", "--reverse", "--limit", "1"])
        .text();
    assert!(
        long.ends_with("\t/d\n") && long.lines().count() == 1,
        "{long}"
    );
    me.kv(&["list", "--limit", "0"]).complaint(2);
}

#[test]
fn a_limit_larger_than_a_page_is_kept_across_pages() {
    let server = Server::start();
    let me = server.user("me");
    let table: String = (0..10_050).map(|n| format!("{n}\n")).collect();
    me.kv_with_input(
        &["load", "/in/", "-", "--quiet"],
        format!("n\n{table}").as_bytes(),
    )
    .text();
    for (limit, lines) in [("10000", 10_000), ("10001", 10_001), ("20000", 10_050)] {
        let listed = me.kv(&["list", "--limit", limit]).text();
        assert_eq!(listed.lines().count(), lines, "{limit}");
    }
}
