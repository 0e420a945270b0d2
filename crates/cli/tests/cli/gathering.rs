//! Files that `kv gather -o` writes: their forms, and their errors.

use std::fs;

use crate::support::{PROGRAM, Person, Server, clean, run};

/// The text of a file that was gathered into.
fn gathered(me: &Person<'_>, name: &str, arguments: &[&str]) -> String {
    let file = me.home().join(name);
    let path = file.to_str().unwrap();
    let arguments = [&["gather", "/out", "-q", "--bare", "-o", path], arguments].concat();
    assert_eq!(me.kv(&arguments).text(), "");
    fs::read_to_string(file).unwrap()
}

#[test]
fn the_form_of_a_gathered_file_is_that_of_its_name_unless_one_is_asked_for() {
    let server = Server::start();
    let me = server.user("me");
    me.kv(&["set", "/out/1", "{\"x\":1}"]).text();
    let (csv, ndjson) = ("x\n1\n", "{\"value\":{\"x\":1}}\n");
    let json = format!("[\n{}\n]\n", ndjson.trim_end());
    for (name, text) in [
        ("a.csv", csv),
        ("a.txt", csv),
        ("a", csv),
        ("a.json", json.as_str()),
        ("a.JSON", json.as_str()),
        ("a.ndjson", ndjson),
        ("a.jsonl", ndjson),
    ] {
        assert_eq!(gathered(&me, name, &[]), text, "{name}");
    }
    assert_eq!(gathered(&me, "b.json", &["--format", "csv"]), csv);
    assert_eq!(gathered(&me, "b.csv", &["--json"]), json);
    assert_eq!(gathered(&me, "b.xlsx", &["--format", "ndjson"]), ndjson);
}

#[test]
fn a_file_of_a_form_that_is_not_written_is_refused_by_name() {
    let server = Server::start();
    let me = server.user("me");
    me.kv(&["set", "/out/1", "{\"x\":1}"]).text();
    for (name, words) in [
        (
            "a.tsv",
            "does not write .tsv files; name a file that ends in .csv, .json",
        ),
        ("a.xlsx", "does not write .xlsx files"),
        ("a.parquet", "add --format csv to write CSV into"),
        ("a.ods", "does not write .ods files"),
        ("a.csv.gz", "kv gather /out --format csv | gzip > "),
        ("a.json.zst", "kv gather /out --format json | zstd > "),
    ] {
        let file = me.home().join(name);
        let path = file.to_str().unwrap();
        let complaint = me.kv(&["gather", "/out", "-o", path]).complaint(2);
        assert!(complaint.contains(words), "{complaint}");
        assert!(!file.exists());
    }
}

#[test]
fn an_error_of_a_gathered_file_names_that_file() {
    let server = Server::start();
    let me = server.user("me");
    me.kv(&["set", "/out/1", &"x".repeat(10_000)]).text();
    let gather = |file: &str| me.kv(&["gather", "/out", "-q", "-o", file]).complaint(2);
    let complaint = gather("/nodir/f.csv");
    assert_eq!(
        complaint,
        "cannot write /nodir/f.csv: No such file or directory (os error 2); check its name"
    );
    let complaint = gather("/dev/full");
    assert!(
        complaint.contains("cannot write /dev/full: "),
        "{complaint}"
    );
    // A file that may not grow.
    let file = me.home().join("f.csv");
    let mut limited = clean("sh", me.home());
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$@\"";
    me.equip(&mut limited);
    let path = file.to_str().unwrap();
    limited.args([
        "-c", script, "sh", PROGRAM, "kv", "gather", "/out", "-q", "-o", path,
    ]);
    let complaint = run(&mut limited).complaint(2);
    assert!(
        complaint.contains(&format!("cannot write {path}: ")),
        "{complaint}"
    );
    assert!(!complaint.contains(".part"), "{complaint}");
}
