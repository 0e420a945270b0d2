//! `kv load` of tables as spreadsheets and other programs write them, and the keys of their rows.

use crate::support::{Person, Server};

/// Loads a table from standard input, which has to succeed without a word.
#[track_caller]
fn load(me: &Person<'_>, arguments: &[&str], table: impl AsRef<[u8]>) {
    let arguments = [&["load", "/in", "-"], arguments].concat();
    assert_eq!(me.kv_with_input(&arguments, table.as_ref()).text(), "");
}

/// The complaint about a table, of which nothing was stored.
#[track_caller]
fn refused(me: &Person<'_>, arguments: &[&str], table: impl AsRef<[u8]>) -> String {
    let ran = me.kv_with_input(&[&["load", "/in", "-"], arguments].concat(), table.as_ref());
    let complaint = ran.complaint(2);
    assert_eq!(me.kv(&["list"]).text(), "", "{complaint}");
    complaint
}

fn get(me: &Person<'_>, key: &str) -> String {
    me.kv(&["get", key]).text()
}

fn utf_16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(unit).collect()
}

#[test]
fn a_table_with_another_separator_is_refused_with_the_option_for_it() {
    let server = Server::start();
    let me = server.user("me");
    for (text, option) in [
        ("n;rate\r\n1;0.5\r\n", "--delimiter ';'"),
        ("n\trate\n1\t0.5\n", "--delimiter tab"),
        ("n|rate\n1|0.5\n", "--delimiter '|'"),
        // As many commas in every line: it would be a table of two columns.
        ("n;rate, 1/s;x\n1;0,5;7\n", "--delimiter ';'"),
    ] {
        let complaint = refused(&me, &[], text);
        assert!(
            complaint.contains("line 1") && complaint.contains(option),
            "{complaint}"
        );
    }
    let complaint = refused(&me, &["-d", ";"], "n,rate\n1,0.5\n");
    assert!(complaint.contains("--delimiter ','"), "{complaint}");

    for (separator, text) in [
        (";", "n;rate\n1;0.5\n"),
        ("tab", "n\trate\n1\t0.5\n"),
        ("|", "n|rate\n1|0.5\n"),
        (",", "n,rate\n1,0.5\n"),
    ] {
        load(&me, &["--separator", separator], text);
        assert_eq!(get(&me, "/in/1"), r#"{"n":1,"rate":0.5}"#, "{separator}");
    }
    load(&me, &["-d", "none"], "a;b|c\nx;1,5\n");
    assert_eq!(get(&me, "/in/1"), r#"{"a;b|c":"x;1,5"}"#);
}

#[test]
fn a_first_line_that_names_the_separator_is_not_a_row() {
    let server = Server::start();
    let me = server.user("me");
    load(
        &me,
        &["--decimal-comma"],
        "\u{feff}sep=;\r\nn;rate\r\n1;0,50\r\n2;7\r\n",
    );
    assert_eq!(get(&me, "/in/1"), r#"{"n":1,"rate":0.50}"#);
    assert_eq!(me.kv(&["list", "--count", "/in/"]).text(), "2\n");
    me.kv(&["delete", "--prefix", "/in/"]).text();
    let complaint = refused(&me, &[], "sep=;\r\nn;rate\r\n1;2\r\n1\r\n");
    assert!(complaint.contains("line 4"), "{complaint}");
    let complaint = refused(&me, &["-d", ","], "sep=;\nn;rate\n1;2\n");
    assert!(complaint.contains("names the separator ';'"), "{complaint}");
}

#[test]
fn rows_without_content_are_left_out_and_counted() {
    let server = Server::start();
    let me = server.user("me");
    let text = b"a,b\r\n1,x\r\n,\r\n2,y\r\n , \r\n,,,\r\n";
    let ran = me.kv_with_input(&["load", "/in", "-", "--json"], text);
    assert_eq!(
        ran.stderr,
        "prominence: 3 rows of standard input without any content left out, from line 3 on\n"
    );
    let summary: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(summary["rows"], 2);
    assert_eq!(summary["stored"], 2);
    assert_eq!(summary["blank"], 3);
    assert_eq!(summary["prefix"], "/in");
    assert_eq!(get(&me, "/in/2"), r#"{"a":2,"b":"y"}"#);
    // An empty cell between quotes is a row of a table of one column.
    load(&me, &[], "a\n\"\"\n5\n");
    assert_eq!(get(&me, "/in/1"), r#"{"a":""}"#);
}

#[test]
fn blanks_around_names_go_and_blanks_around_numbers_are_told() {
    let server = Server::start();
    let me = server.user("me");
    let text = "n, rate ,name\n1, 0.5, x\n";
    let complaint = refused(&me, &[], text);
    for word in ["line 2", "\" 0.5\"", "\"rate\"", "--trim", "--strings=rate"] {
        assert!(complaint.contains(word), "{complaint}");
    }
    load(&me, &["--trim"], text);
    assert_eq!(get(&me, "/in/1"), r#"{"n":1,"rate":0.5,"name":"x"}"#);
    load(&me, &["--strings=rate"], text);
    assert_eq!(get(&me, "/in/1"), r#"{"n":1,"rate":" 0.5","name":" x"}"#);
    me.kv(&["delete", "/in/1"]).text();
    let complaint = refused(&me, &[], "n, n\n1,2\n");
    assert!(
        complaint.contains("column 1 and column 2 \"n\""),
        "{complaint}"
    );
    // As pandas writes the index of its rows.
    let complaint = refused(&me, &[], ",n\n0,1\n");
    assert!(complaint.contains("no name for column 1"), "{complaint}");
}

#[test]
fn every_encoding_is_read_or_refused_by_name() {
    let server = Server::start();
    let me = server.user("me");
    // Excel's "Unicode Text" has tabs, and PowerShell's Export-Csv commas.
    let tabs = "\u{feff}n\tname\r\n1\té 🦀\r\n";
    load(&me, &["-d", "tab"], utf_16(tabs, u16::to_le_bytes));
    assert_eq!(get(&me, "/in/1"), r#"{"n":1,"name":"é 🦀"}"#);
    let commas = "\u{feff}n,name\r\n1,\"x\r\ny\"\r\n";
    load(&me, &[], utf_16(commas, u16::to_be_bytes));
    assert_eq!(get(&me, "/in/1"), r#"{"n":1,"name":"x\r\ny"}"#);
    load(&me, &[], "\u{feff}n,name\n1,ü\n");
    assert_eq!(get(&me, "/in/1"), r#"{"n":1,"name":"ü"}"#);
    me.kv(&["delete", "/in/1"]).text();

    let complaint = refused(&me, &[], b"n,name\n1,a\n2,M\xfcller\n");
    for word in ["line 3", "UTF-8", "0xFC", "iconv"] {
        assert!(complaint.contains(word), "{complaint}");
    }
    let unmarked = utf_16("n,name\n1,x\n", u16::to_le_bytes);
    let complaint = refused(&me, &[], unmarked);
    assert!(complaint.contains("UTF-16"), "{complaint}");
    let mut broken = utf_16("\u{feff}n,name\n1,x\n", u16::to_le_bytes);
    broken.extend(b"\x3d\xd8\n\0");
    let complaint = refused(&me, &[], broken);
    assert!(
        complaint.contains("line 3") && complaint.contains("UTF-16"),
        "{complaint}"
    );
}

#[test]
fn a_decimal_comma_is_refused_by_name_and_converted_where_that_is_asked_for() {
    let server = Server::start();
    let me = server.user("me");
    let text = "n;rate;name\n1;1,5;a,b\n2;-2,5E-03;c\n";
    let complaint = refused(&me, &["-d", ";"], text);
    for word in [
        "line 2",
        "\"1,5\"",
        "\"rate\"",
        "--decimal-comma",
        "--strings=rate",
    ] {
        assert!(complaint.contains(word), "{complaint}");
    }
    // As LibreOffice writes it with commas between columns.
    let complaint = refused(&me, &[], "n,rate\n1,\"1,5\"\n");
    assert!(complaint.contains("--decimal-comma"), "{complaint}");
    for (number, word) in [("1.500,5", "thousands"), ("1.500", "point")] {
        let text = format!("n;rate\n1;{number}\n");
        let complaint = refused(&me, &["-d", ";", "--decimal-comma"], text);
        assert!(complaint.contains(word), "{complaint}");
    }
    load(&me, &["-d", ";", "--decimal-comma"], text);
    assert_eq!(get(&me, "/in/1"), r#"{"n":1,"rate":1.5,"name":"a,b"}"#);
    assert_eq!(get(&me, "/in/2"), r#"{"n":2,"rate":-2.5E-03,"name":"c"}"#);
    load(&me, &["-d", ";", "--strings=rate"], text);
    assert_eq!(get(&me, "/in/1"), r#"{"n":1,"rate":"1,5","name":"a,b"}"#);
}

#[test]
fn a_table_without_names_is_refused_unless_names_are_given() {
    let server = Server::start();
    let me = server.user("me");
    for text in ["1,0.5\n2,0.75\n", "1,adam\n2,sgd\n"] {
        let complaint = refused(&me, &[], text);
        for word in ["line 1", "--no-header", "--columns", "--header"] {
            assert!(complaint.contains(word), "{complaint}");
        }
    }
    load(&me, &["--columns", "n,rate"], "1,0.5\n2,0.75\n");
    assert_eq!(get(&me, "/in/2"), r#"{"n":2,"rate":0.75}"#);
    load(&me, &["--no-header"], "7,adam\n8,sgd\n");
    assert_eq!(get(&me, "/in/1"), r#"{"column1":7,"column2":"adam"}"#);
    load(&me, &["--header"], "region,2023,2024\nx,1,2\ny,3,4\n");
    assert_eq!(get(&me, "/in/1"), r#"{"region":"x","2023":1,"2024":2}"#);
    me.kv(&["delete", "--prefix", "/in/"]).text();
    let complaint = refused(&me, &["--columns", "n"], "1,0.5\n");
    assert!(complaint.contains("2 cells"), "{complaint}");
    let complaint = refused(&me, &["--columns", "n,rate"], "n,rate\n1,0.5\n");
    assert!(complaint.contains("leave --columns out"), "{complaint}");
}

#[test]
fn rows_are_numbered_as_array_tasks_are_unless_padding_is_asked_for() {
    let server = Server::start();
    let me = server.user("me");
    let rows: String = (0..12).map(|n| format!("{n}\n")).collect();
    let text = format!("n\n{rows}");
    load(&me, &["--start", "0"], &text);
    assert_eq!(get(&me, "/in/0"), r#"{"n":0}"#);
    assert_eq!(get(&me, "/in/11"), r#"{"n":11}"#);
    me.kv(&["delete", "--prefix", "/in/"]).text();
    load(&me, &["--start", "95", "--pad"], &text);
    let listed = me.kv(&["list"]).text();
    assert!(
        listed.starts_with("/in/095\n") && listed.ends_with("/in/106\n"),
        "{listed}"
    );
}

#[test]
fn a_key_that_differs_only_in_zeros_is_named() {
    let server = Server::start();
    let me = server.user("me");
    let rows: String = (0..120).map(|n| format!("{n}\n")).collect();
    load(&me, &["--pad"], format!("n\n{rows}"));
    me.kv(&["set", "/out/7", "--string", "x"]).text();
    me.kv(&["set", "/out/folder/7", "--string", "x"]).text();
    for (asked, there) in [
        ("/in/7", "/in/007"),
        ("/in/0007", "/in/007"),
        ("/in/100", ""),
        ("/out/007", "/out/7"),
    ] {
        let ran = me.kv(&["get", asked]);
        if there.is_empty() {
            assert_eq!(ran.status, 0);
            continue;
        }
        let complaint = ran.complaint(1);
        let words = format!("there is no key {asked} (there is {there})");
        assert!(complaint.contains(&words), "{complaint}");
    }
    for other in ["/in/121", "/out/8", "/out/x", "/out/folder/007x", "/none/1"] {
        let complaint = me.kv(&["get", other]).complaint(1);
        assert!(!complaint.contains("(there is"), "{complaint}");
    }
}

#[test]
fn rows_of_an_earlier_table_are_counted_and_replaced_where_that_is_asked_for() {
    let server = Server::start();
    let me = server.user("me");
    let rows: String = (0..130).map(|n| format!("{n}\n")).collect();
    let (long, short) = (format!("n\n{rows}"), "n\n1\n2\n3\n");
    load(&me, &[], &long);
    for other in ["/in/readme", "/in/7/log", "/inside/200", "/in/007"] {
        me.kv(&["set", other, "--string", "x"]).text();
    }
    let ran = me.kv_with_input(&["load", "/in", "-"], short.as_bytes());
    assert_eq!(
        ran.stderr,
        "prominence: 128 rows of an earlier table remain under /in, such as /in/007; --replace \
         removes them\n"
    );
    let ran = me.kv_with_input(
        &["load", "/in", "-", "--replace", "--json"],
        short.as_bytes(),
    );
    let summary: serde_json::Value = serde_json::from_str(&ran.text()).unwrap();
    assert_eq!(summary["removed"], 128);
    assert_eq!(summary["remaining"], 0);
    let listed = me.kv(&["list"]).text();
    assert_eq!(
        listed,
        "/in/1\n/in/2\n/in/3\n/in/7/log\n/in/readme\n/inside/200\n"
    );
}

#[test]
fn rows_named_by_a_column_replace_others_on_their_level() {
    let server = Server::start();
    let me = server.user("me");
    load(&me, &["--key", "name"], "name,n\na,1\nb,2\nc,3\n");
    me.kv(&["set", "/in/c/log", "--string", "x"]).text();
    let ran = me.kv_with_input(&["load", "/in", "-", "--key", "name"], b"name,n\nb,5\n");
    assert!(ran.stderr.contains("2 rows"), "{ran:?}");
    load(&me, &["--key", "name", "--replace"], "name,n\nb,5\nd,6\n");
    assert_eq!(me.kv(&["list"]).text(), "/in/b\n/in/c/log\n/in/d\n");
}

#[test]
fn an_old_row_stays_where_a_new_one_cannot_be_stored() {
    let server = Server::start_with(&["--quota-keys", "4"]);
    let me = server.user("me");
    load(&me, &[], "n\n1\n2\n3\n4\n");
    let load = ["load", "/in", "-", "--replace", "--key", "name"];
    me.kv_with_input(&load, b"name\na\n").complaint(3);
    assert_eq!(me.kv(&["list"]).text(), "/in/1\n/in/2\n/in/3\n/in/4\n");
}

#[test]
fn many_rows_are_stored_a_hundred_at_a_time() {
    let server = Server::start();
    let me = server.user("me");
    let rows: String = (0..2_050).map(|n| format!("{n}\n")).collect();
    load(&me, &["--jobs", "1"], format!("n\n{rows}"));
    assert_eq!(me.kv(&["list", "--count", "/in/"]).text(), "2050\n");
    let last: serde_json::Value =
        serde_json::from_str(&me.kv(&["get", "/in/2050", "--json"]).text()).unwrap();
    assert_eq!(last["revision"], 21, "a revision for each batch");
}

#[test]
fn a_table_separated_by_blanks_is_refused_unless_it_is_said_what_blanks_mean() {
    let server = Server::start();
    let me = server.user("me");
    for text in ["0.1 0.2\n0.3 0.4\n", "# x y\n0.1 0.2\n", "a  b\n1  2\n"] {
        let complaint = refused(&me, &[], text);
        assert!(complaint.contains("--delimiter ' '"), "{complaint}");
    }
    load(&me, &["-d", " "], "a b\n1 2\n");
    assert_eq!(get(&me, "/in/1"), r#"{"a":1,"b":2}"#);
    load(&me, &["-d", "none"], "learning rate\n0.5\n");
    assert_eq!(get(&me, "/in/1"), r#"{"learning rate":0.5}"#);
}

#[test]
fn a_table_without_rows_is_refused_and_replaces_nothing() {
    let server = Server::start();
    let me = server.user("me");
    for text in ["a,b\n", "a,b\n,\n"] {
        let complaint = refused(&me, &[], text);
        assert!(complaint.contains("no rows"), "{complaint}");
    }
    load(&me, &[], "a\n1\n");
    let ran = me.kv_with_input(&["load", "/in", "-", "--replace"], b"a\n");
    ran.complaint(2);
    assert_eq!(get(&me, "/in/1"), r#"{"a":1}"#);
}
