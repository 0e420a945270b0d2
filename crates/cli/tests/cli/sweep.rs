//! `kv load` and `kv gather`.

use std::path::PathBuf;

use crate::support::{PROGRAM, Person, Server, run};

/// Writes a table and answers its name.
fn table(server: &Server, name: &str, text: impl AsRef<[u8]>) -> String {
    let file: PathBuf = server.home.path().join(name);
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

/// The complaint about a table, of which nothing was stored.
#[track_caller]
fn refused(me: &Person<'_>, arguments: &[&str], table: impl AsRef<[u8]>) -> String {
    let ran = me.kv_with_input(&[&["load", "/in", "-"], arguments].concat(), table.as_ref());
    let complaint = ran.complaint(2);
    assert_eq!(me.kv(&["list"]).text(), "", "{complaint}");
    complaint
}

#[test]
fn a_row_becomes_a_key_whose_value_is_the_json_object_of_its_columns() {
    let server = Server::start();
    let me = server.user("me");
    let rows: String = (1..=12).map(|n| format!("{n},0.50,x y\r\n")).collect();
    let file = table(
        &server,
        "t.csv",
        format!("\u{feff}n,rate,name\r\n{rows}\r\n"),
    );
    assert_eq!(me.kv(&["load", "/in", &file]).text(), "");
    assert_eq!(me.kv(&["list", "--count", "/in/"]).text(), "12\n");
    let value = me.kv(&["get", "/in/7"]).text();
    assert_eq!(value, r#"{"n":7,"rate":0.50,"name":"x y"}"#);

    me.kv(&["load", "/by/", &file, "--key", "n", "--strings"])
        .text();
    let value = me.kv(&["get", "/by/7"]).text();
    assert_eq!(value, r#"{"n":"7","rate":"0.50","name":"x y"}"#);
}

#[test]
fn what_a_number_would_not_keep_stays_a_string() {
    let server = Server::start();
    let me = server.user("me");
    let text = "a;b;c;d;e\n007;1e400;true;\"1;5\";\n";
    me.kv_with_input(&["load", "/in", "-", "--delimiter", ";"], text.as_bytes())
        .text();
    let value = me.kv(&["get", "/in/1"]).text();
    assert_eq!(
        value,
        r#"{"a":"007","b":"1e400","c":true,"d":"1;5","e":""}"#
    );
    let file = table(&server, "t.TSV", "a\tb\n\"x\ny\"\t5\" pipe\n");
    me.kv(&["load", "/tabs", &file]).text();
    let value = me.kv(&["get", "/tabs/1"]).text();
    assert_eq!(value, r#"{"a":"x\ny","b":"5\" pipe"}"#);
}

#[test]
fn a_table_with_anything_wrong_in_it_is_refused_before_anything_is_stored() {
    let server = Server::start();
    let me = server.user("me");
    let large = format!("a,b\n1,2\n1,{}\n", "x".repeat(16_384));
    let long_key = format!("a\n1\n{}\n", "x".repeat(1_024));
    for (arguments, text, words) in [
        (&[][..], "", &["empty", "names the columns"][..]),
        (
            &[],
            "a,b,a\n",
            &["line 1", "column 1 and column 3", "\"a\""],
        ),
        (&[], "a,,b\n", &["line 1", "no name for column 2"]),
        (
            &[],
            "a,b\n1,2\n\n\"x\n\",4\n5\n",
            &["line 6", "1 cell", "2 columns"],
        ),
        (&[], "a,b\r\n1,2\r\n1,2,3\r\n", &["line 3", "3 cells"]),
        (
            &[],
            "a,b\n1,\"2\n3,4\n",
            &["line 2", "quote", "never closed"],
        ),
        (&[], large.as_str(), &["line 3", "16398", "16384"]),
        (
            &["--key", "a"],
            "a\n1\n2\n1\n",
            &["line 4", "\"1\"", "line 2"],
        ),
        (&["--key", "a"], "a,b\n1,2\n,3\n", &["line 3", "empty"]),
        (&["--key", "a"], "a\n..\n", &["line 2", "\"..\""]),
        (&["--key", "a"], "a\nx//y\n", &["line 2", "too many"]),
        (&["--key", "a"], "a\n/x\n", &["line 2", "too many"]),
        (&["--key", "a"], "a\nx/\n", &["line 2", "ends in"]),
        (&["--key", "a"], long_key.as_str(), &["line 3", "1024"]),
        (&["--key", "c"], "a,b\n1,2\n", &["no column \"c\"", "a, b"]),
        (
            &["--key", "a"],
            "a,b\n x,2\n",
            &["line 2", "blanks", "--trim"],
        ),
        (&["--strings=c"], "a,b\n1,2\n", &["no column \"c\"", "a, b"]),
    ] {
        let complaint = refused(&me, arguments, text);
        for word in words {
            assert!(complaint.contains(word), "{text:.40?} {word}: {complaint}");
        }
    }
    let complaint = refused(&me, &[], b"a\n1\n\xff\n");
    assert!(
        complaint.contains("line 3") && complaint.contains("UTF-8"),
        "{complaint}"
    );
    let complaint = me.kv(&["load", "/in", "/no/such/table"]).complaint(2);
    assert!(complaint.contains("/no/such/table"), "{complaint}");
    for (option, value) in [("--delimiter", "ab"), ("--jobs", "0"), ("--jobs", "65")] {
        let complaint = refused(&me, &[option, value], "a\n1\n");
        assert!(complaint.contains(option), "{complaint}");
    }
}

#[test]
fn a_dry_run_prints_the_pairs_and_stores_nothing() {
    let server = Server::start();
    let me = server.user("me");
    let load = ["load", "/in", "-", "--dry-run"];
    let printed = String::from_utf8(me.kv_with_input(&load, b"a,b\n1,x\n2,y\n").bytes()).unwrap();
    assert_eq!(
        printed,
        "/in/1\t{\"a\":1,\"b\":\"x\"}\n/in/2\t{\"a\":2,\"b\":\"y\"}\n"
    );
    assert_eq!(me.kv(&["list"]).text(), "");
}

#[test]
fn keys_that_exist_are_left_alone_where_that_is_asked_for() {
    let server = Server::start();
    let me = server.user("me");
    me.kv(&["set", "/in/2", "--string", "mine"]).text();
    let file = table(&server, "t.csv", "a\n1\n2\n3\n");
    let complaint = me
        .kv(&["load", "/in", &file, "--if-absent", "--ttl", "1h"])
        .complaint(1);
    assert!(
        complaint.contains("1 of 3 keys exist") && complaint.contains("2 of 3 rows stored"),
        "{complaint}"
    );
    assert_eq!(me.kv(&["get", "/in/2"]).text(), "mine");
    assert!(
        me.kv(&["get", "--json", "/in/3"])
            .text()
            .contains("\"expires\"")
    );
    me.kv(&["load", "/in", &file]).text();
    assert_eq!(me.kv(&["get", "/in/2"]).text(), "{\"a\":2}");
    assert!(
        !me.kv(&["get", "--json", "/in/3"])
            .text()
            .contains("\"expires\"")
    );
}

#[test]
fn a_full_namespace_stops_a_load_which_says_how_far_it_was() {
    let server = Server::start_with(&["--quota-keys", "200"]);
    let me = server.user("me");
    let rows: String = (1..=250).map(|n| format!("{n}\n")).collect();
    let load = ["load", "/in", "-", "--jobs", "1", "--pad"];
    let complaint = me
        .kv_with_input(&load, format!("a\n{rows}").as_bytes())
        .complaint(3);
    assert!(
        complaint.contains("200 of 250 rows stored; run it again"),
        "{complaint}"
    );
    let listed = me.kv(&["list"]).text();
    assert!(listed.ends_with("/in/199\n/in/200\n"), "{listed}");
}

#[test]
fn what_was_loaded_is_gathered_as_the_same_table() {
    let server = Server::start();
    let me = server.user("me");
    let mut text = String::from("n,\"a \"\"b\"\"\",note,key\n");
    for n in 0..250 {
        let note = [
            "007",
            "1e400",
            "\"x,\ny\"",
            "",
            "true",
            "null",
            "é 🦀",
            "=1+1",
        ][n % 8];
        text.push_str(&format!("{n},{}.50,{note},k{n}\n", n * 3));
    }
    me.kv_with_input(&["load", "/in", "-", "--pad"], text.as_bytes())
        .text();
    assert_eq!(me.kv(&["gather", "/in/", "--bare"]).text(), text);
    // And once more, from the gathered table.
    let gathered = me.kv(&["gather", "/in/"]).bytes();
    me.kv_with_input(&["load", "/again", "-", "--pad"], &gathered)
        .text();
    assert_eq!(me.kv(&["gather", "/again/", "--bare"]).bytes(), gathered);
}

fn results(me: &Person<'_>) {
    let set = |key: &str, value: &[u8]| {
        me.kv_with_input(&["set", key, "-"], value).text();
    };
    set("/out/1", b"{\"loss\": 0.250, \"net\": {\"depth\": [1, 2]}}");
    set(
        "/out/2",
        b"{\"loss\":\n0.5, \"job\": null, \"value\": \"x\"}\n",
    );
    set("/out/3", b"done\n");
    set("/out/4", b"\xff\x00");
    set("/out/5", b"");
    set("/out/6", b"42");
    let mut exec = vec!["exec", "--job", "j-7", "--", PROGRAM, "kv", "set", "/out/7"];
    exec.extend(["--string", "{\"last\":1e400}"]);
    me.run(&exec).text();
}

#[test]
fn csv_has_the_columns_of_all_values_in_the_order_of_their_appearance() {
    let server = Server::start();
    let me = server.user("me");
    results(&me);
    let gathered = me.kv(&["gather", "/out", "--quiet"]).bytes();
    let mut reader = csv::Reader::from_reader(gathered.as_slice());
    let header: Vec<_> = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    let expected = [
        "key",
        "_job",
        "modified",
        "loss",
        "net",
        "job",
        "value",
        "_value",
        "value_base64",
        "last",
    ];
    assert_eq!(header, expected);
    let rows: Vec<Vec<String>> = reader
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect();
    assert_eq!(rows.len(), 7);
    let cells = |row: usize| rows[row][3..].join("|");
    assert_eq!(cells(0), "0.250|{\"depth\":[1,2]}|||||");
    assert_eq!(cells(1), "0.5|||x|||");
    assert_eq!(cells(2), "||||done\n||", "byte for byte");
    assert_eq!(cells(3), "|||||/wA=|");
    assert_eq!(cells(4), "||||||");
    assert_eq!(cells(5), "||||42||");
    assert_eq!(cells(6), "||||||1e400");
    assert_eq!(
        (rows[6][0].as_str(), rows[6][1].as_str()),
        ("/out/7", "j-7")
    );
    assert!(rows[6][2].starts_with("20") && rows[6][2].ends_with('Z'));
    let none = me.kv(&["gather", "/none", "--quiet"]);
    assert_eq!(none.text(), "key,job,modified\n");
}

#[test]
fn json_and_ndjson_hold_the_values_as_what_they_are() {
    let server = Server::start();
    let me = server.user("me");
    results(&me);
    let ndjson = me
        .kv(&["gather", "/out", "-q", "--format", "ndjson"])
        .text();
    let lines: Vec<serde_json::Value> = ndjson
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_default())
        .collect();
    assert_eq!(lines.len(), 7);
    assert!(
        ndjson.contains("\"value\":{\"loss\":0.250,\"net\":{\"depth\":[1,2]}}"),
        "{ndjson}"
    );
    assert!(ndjson.contains("\"value\":{\"last\":1e400}"), "{ndjson}");
    assert_eq!(lines[2]["value"], "done\n");
    assert_eq!(lines[3]["value_base64"], "/wA=");
    assert_eq!(lines[4]["value"], "");
    assert_eq!(lines[5]["value"], 42);
    let json = me.kv(&["gather", "/out", "-q", "--json"]).text();
    assert_eq!(
        json,
        format!("[\n{}\n]\n", ndjson.trim_end().replace('\n', ",\n"))
    );
    assert_eq!(
        me.kv(&["gather", "/none", "--format", "json", "-q"]).text(),
        "[]\n"
    );
    let bare = me
        .kv(&["gather", "/out/6", "-q", "--format", "ndjson", "--bare"])
        .text();
    assert_eq!(bare, "{\"value\":42}\n");
}

#[test]
fn a_gathered_file_appears_whole_or_not_at_all() {
    let server = Server::start();
    let me = server.user("me");
    results(&me);
    let file = table(&server, "all.csv", "old");
    let gather = ["gather", "/out", "-q", "-o", &file];
    let away = me.kv(&[&gather[..], &["--token", "x"]].concat());
    assert_eq!(away.status, 3, "{away:?}");
    assert_eq!(std::fs::read(&file).unwrap(), b"old");
    assert_eq!(me.kv(&gather).text(), "");
    assert_eq!(
        std::fs::read(&file).unwrap(),
        me.kv(&["gather", "/out", "-q"]).bytes()
    );
    let names = std::fs::read_dir(me.home()).unwrap();
    let drafts = names.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().ends_with(".part")
    });
    assert_eq!(drafts.count(), 0);
    let to_device = me
        .kv(&["gather", "/out", "-q", "-o", "/dev/stdout"])
        .bytes();
    assert_eq!(
        to_device,
        me.kv(&["gather", "/out", "-q", "-o", "-"]).bytes()
    );
}

#[test]
fn rows_that_are_too_many_for_memory_wait_in_a_file() {
    let server = Server::start();
    let me = server.user("me");
    let large = "x".repeat(16_000);
    let rows: String = (0..600).map(|_| format!("{large}\n")).collect();
    let text = format!("x\n{rows}");
    me.kv_with_input(&["load", "/in", "-", "--pad"], text.as_bytes())
        .text();
    let gather = |prefix, temporary: &std::path::Path| {
        let mut command = me.command(&["kv", "gather", prefix, "--bare"]);
        run(command.env("TMPDIR", temporary))
    };
    assert!(
        gather("/in/", me.home()).bytes() == text.as_bytes(),
        "another table"
    );
    let nowhere = std::path::Path::new("/no/such/folder");
    let complaint = gather("/in/", nowhere).complaint(2);
    assert!(
        complaint.contains("/no/such/folder") && complaint.contains("TMPDIR"),
        "{complaint}"
    );
    assert_eq!(gather("/in/001", nowhere).text(), format!("x\n{large}\n"));
}
