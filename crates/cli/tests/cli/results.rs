//! `kv gather` of values as programs write them and beside their inputs, `kv missing`, and fields of
//! values in a shell.

use std::io::Read as _;
use std::process::Stdio;

use crate::support::{Person, Server};

fn set(me: &Person<'_>, key: &str, value: &[u8]) {
    me.kv_with_input(&["set", key, "-"], value).text();
}

#[test]
fn numbers_that_are_not_finite_and_byte_order_marks_are_understood() {
    let server = Server::start();
    let me = server.user("me");
    // As Python's json.dumps writes them.
    set(
        &me,
        "/out/1",
        b"{\"loss\": NaN, \"best\": [Infinity, 1.50], \"s\": \"NaN\"}",
    );
    // As Notepad and PowerShell write them.
    set(
        &me,
        "/out/2",
        b"\xef\xbb\xbf{\"loss\": 0.5, \"best\": -Infinity}\r\n",
    );
    let text = "\u{feff}{\"loss\": 7}\r\n";
    let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    set(&me, "/out/3", &utf_16);
    assert_eq!(
        me.kv(&["gather", "/out/", "--bare"]).text(),
        "loss,best,s\nNaN,\"[\"\"Infinity\"\",1.50]\",NaN\n0.5,-Infinity,\n7,,\n"
    );
    let ndjson = |nan: &str| {
        me.kv(&[
            "gather", "/out/", "--bare", "--format", "ndjson", "--nan", nan,
        ])
        .text()
    };
    assert_eq!(
        ndjson("string"),
        "{\"value\":{\"loss\":\"NaN\",\"best\":[\"Infinity\",1.50],\"s\":\"NaN\"}}\n\
         {\"value\":{\"loss\":0.5,\"best\":\"-Infinity\"}}\n{\"value\":{\"loss\":7}}\n"
    );
    assert_eq!(
        ndjson("null"),
        "{\"value\":{\"loss\":null,\"best\":[null,1.50],\"s\":\"NaN\"}}\n\
         {\"value\":{\"loss\":0.5,\"best\":null}}\n{\"value\":{\"loss\":7}}\n"
    );
    assert_eq!(
        me.kv(&["get", "/out/2", "--field", "best"]).text(),
        "-Infinity\n"
    );
    assert_eq!(me.kv(&["get", "/out/3", "--field", "loss"]).text(), "7\n");
}

#[test]
fn values_that_are_not_objects_are_counted() {
    let server = Server::start();
    let me = server.user("me");
    set(&me, "/out/1", b"{\"a\":1}");
    set(&me, "/out/2", b"\xef\xbb\xbf42");
    let one = "prominence: 1 of 2 values is not a JSON object: /out/2\n";
    for form in ["csv", "json", "ndjson"] {
        let ran = me.kv(&["gather", "/out/", "--format", form]);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, one), "{form}");
    }
    set(&me, "/out/3", b"{\"a\":NaNs}");
    let ran = me.kv(&["gather", "/out/", "--bare"]);
    assert_eq!(
        ran.stderr,
        "prominence: 2 of 3 values are not JSON objects, such as /out/2\n"
    );
    assert_eq!(
        String::from_utf8(ran.stdout).unwrap(),
        "a,value\n1,\n,42\n,\"{\"\"a\"\":NaNs}\"\n"
    );
}

#[test]
fn a_reader_that_goes_away_ends_gather_without_a_word() {
    let server = Server::start();
    let me = server.user("me");
    let row = "x".repeat(1_000);
    let rows: String = (0..600).map(|_| format!("{row}\n")).collect();
    me.kv_with_input(&["load", "/in", "-"], format!("x\n{rows}").as_bytes())
        .text();
    for form in ["csv", "json", "ndjson"] {
        let mut gather = me
            .command(&["kv", "gather", "/in/", "--format", form])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = [0; 100];
        let mut output = gather.stdout.take().unwrap();
        output.read_exact(&mut first).unwrap();
        drop(output);
        let ended = gather.wait_with_output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(
            (ended.status.code(), said.as_str()),
            (Some(0), ""),
            "{form}"
        );
    }
}

#[test]
fn inputs_stand_beside_the_results_of_the_same_name() {
    let server = Server::start();
    let me = server.user("me");
    me.kv_with_input(
        &["load", "/in", "-"],
        b"n,rate,input_n\n1,0.5,x\n2,0.25,y\n10,7,z\n",
    )
    .text();
    set(&me, "/in/3.5/a", b"{\"n\":3}");
    set(&me, "/inside/1", b"{\"no\":1}");
    set(&me, "/out/1", b"{\"n\": 1, \"loss\": 0.125}");
    set(&me, "/out/3.5/a", b"{\"loss\": 9}");
    set(&me, "/out/3", b"{\"n\":2, \"loss\":NaN}");
    set(&me, "/outside/1", b"{\"no\":1}");
    set(&me, "/out/4", b"done");
    let ran = me.kv(&["gather", "/out", "--join", "/in", "--bare"]);
    assert_eq!(
        String::from_utf8(ran.stdout).unwrap(),
        "input_input_n,rate,input_n,n,loss,value\n1,0.5,x,1,0.125,\n10,7,z,2,NaN,\n3,,,,9,\n,,,,,done\n"
    );
    assert_eq!(
        ran.stderr,
        "prominence: 1 of 4 values is not a JSON object: /out/4\n\
         prominence: 1 of 4 values is without an input of the same name: /out/4\n"
    );
    let ran = me.kv(&[
        "gather", "/out/", "--join", "/in/", "--bare", "--format", "ndjson", "-q",
    ]);
    let lines = ran.text();
    assert_eq!(
        lines.lines().next().unwrap(),
        "{\"input\":{\"n\":1,\"rate\":0.5,\"input_n\":\"x\"},\"value\":{\"n\":1,\"loss\":0.125}}"
    );
    assert_eq!(lines.lines().last().unwrap(), "{\"value\":\"done\"}");
}

#[test]
fn inputs_without_a_result_are_listed() {
    let server = Server::start();
    let me = server.user("me");
    me.kv_with_input(&["load", "/in", "-"], b"n\n1\n2\n3\n4\n")
        .text();
    set(&me, "/out/2", b"x");
    set(&me, "/out/4/log", b"x");
    set(&me, "/outside/1", b"x");
    let ran = me.kv(&["missing", "/in", "/out"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (1, ""));
    assert_eq!(ran.stdout, b"/in/1\n/in/3\n");
    let ran = me.kv(&["missing", "/in/", "/out/", "--names"]);
    assert_eq!((ran.status, ran.stdout.as_slice()), (1, &b"1\n3\n"[..]));
    let ran = me.kv(&["missing", "/in/", "/out/", "--json"]);
    assert_eq!(ran.status, 1);
    let report: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(report["inputs"], 4);
    assert_eq!(report["missing"][1]["key"], "/in/3");
    assert_eq!(report["missing"][1]["name"], "3");
    set(&me, "/out/1", b"x");
    set(&me, "/out/3", b"x");
    assert_eq!(me.kv(&["missing", "/in", "/out"]).text(), "");
    let complaint = me.kv(&["missing", "/inn", "/out"]).complaint(1);
    assert_eq!(
        complaint,
        "there are no inputs under /inn/; there is /in/, if that is meant"
    );
}

#[test]
fn a_field_of_a_value_is_printed_as_it_is_written() {
    let server = Server::start();
    let me = server.user("me");
    me.kv_with_input(
        &["load", "/in", "-"],
        b"radius,shift,name\n1.5e-3,-2,a \"b\"\n",
    )
    .text();
    let field = |name| me.kv(&["get", "/in/1", "--field", name]);
    assert_eq!(field("radius").text(), "1.5e-3\n");
    assert_eq!(field("shift").text(), "-2\n");
    assert_eq!(field("name").text(), "a \"b\"\n");
    let complaint = field("rate").complaint(1);
    assert!(
        complaint.contains("no field \"rate\"; it has \"radius\", \"shift\", \"name\""),
        "{complaint}"
    );
    set(&me, "/plain", b"42");
    let complaint = me.kv(&["get", "/plain", "--field", "x"]).complaint(1);
    assert!(complaint.contains("not a JSON object"), "{complaint}");
}

#[test]
fn a_claimed_rows_fields_are_in_the_environment_of_its_command() {
    let server = Server::start();
    let me = server.user("me");
    me.kv_with_input(
        &["load", "/in", "-"],
        b"learning-rate,n,N,name\n1.5e-3,1,2,a b\n",
    )
    .text();
    let script = "echo \"$PROMINENCE_FIELD_LEARNING_RATE|$PROMINENCE_FIELD_NAME|\
                  ${PROMINENCE_FIELD_N-none}|${PROMINENCE_FIELD_OLD-none}\"";
    let mut claim = me.command(&[
        "kv", "claim", "/in/", "--for", "1m", "--", "sh", "-c", script,
    ]);
    let ran = crate::support::run(claim.env("PROMINENCE_FIELD_OLD", "of another piece"));
    assert_eq!(ran.status, 0, "{ran:?}");
    assert_eq!(ran.stdout, b"1.5e-3|a b|none|none\n");
    assert!(
        ran.stderr.contains("2 fields of /in/1") && ran.stderr.contains("\"n\", \"N\""),
        "{ran:?}"
    );
}
