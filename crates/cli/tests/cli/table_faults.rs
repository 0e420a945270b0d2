//! Tables that `kv load` refuses: each with the likely cause and the next step, before anything is stored.

use crate::support::{Person, Server};

/// The complaint about a table, of which nothing was stored.
#[track_caller]
fn refused(me: &Person<'_>, arguments: &[&str], table: impl AsRef<[u8]>) -> String {
    let ran = me.kv_with_input(&[&["load", "/in", "-"], arguments].concat(), table.as_ref());
    let complaint = ran.complaint(2);
    assert_eq!(me.kv(&["list"]).text(), "", "{complaint}");
    complaint
}

#[test]
fn a_row_of_another_width_names_its_cause_and_the_option() {
    let server = Server::start();
    let me = server.user("me");
    for (arguments, table, words) in [
        (
            &[][..],
            "x,y\n1,5,2,5\n",
            &[
                "line 2",
                "4 cells",
                "2 columns",
                "if 1,5 is one number",
                "--delimiter ';' --decimal-comma",
            ][..],
        ),
        (&[], "x\n1,5\n", &["--delimiter none --decimal-comma"]),
        (
            &[],
            "name\nSmith, John\n",
            &["add --delimiter none", "quotes"],
        ),
        (&[], "x,y\n1;2\n", &["it has ';'", "--delimiter"]),
        (
            &[],
            "x,y\na,b,\n",
            &["remove the separator at its end (',')"],
        ),
        (
            &[],
            "x,y\na,b,c\n",
            &["put quotes around a cell", "row.names=FALSE"],
        ),
        (
            &["-d", "tab"],
            "x\ty\na\n",
            &["write every cell", "a tab between two"],
        ),
    ] {
        let complaint = refused(&me, arguments, table);
        for word in words {
            assert!(complaint.contains(word), "{table:?} {word}: {complaint}");
        }
        assert!(complaint.ends_with("; nothing was stored"), "{complaint}");
    }
    // The remedies hold.
    for (arguments, table, value) in [
        (
            &["-d", ";", "--decimal-comma"][..],
            "x;y\n1,5;2,5\n",
            r#"{"x":1.5,"y":2.5}"#,
        ),
        (
            &["-d", "none", "--decimal-comma"],
            "x\n1,5\n",
            r#"{"x":1.5}"#,
        ),
        (
            &["-d", "none"],
            "name\nSmith, John\n",
            r#"{"name":"Smith, John"}"#,
        ),
    ] {
        let arguments = [&["load", "/in", "-"], arguments].concat();
        assert_eq!(me.kv_with_input(&arguments, table.as_bytes()).text(), "");
        assert_eq!(me.kv(&["get", "/in/1"]).text(), value);
    }
}

#[test]
fn a_file_of_another_kind_is_refused_by_the_name_of_its_kind() {
    let server = Server::start();
    let me = server.user("me");
    let zip = |name: &str| {
        let mut bytes = b"PK\x03\x04".to_vec();
        bytes.resize(30, 0);
        bytes.extend_from_slice(name.as_bytes());
        bytes
    };
    let file = server.home.path().join("params.bin");
    let path = file.to_str().unwrap();
    for (bytes, kind, next) in [
        (
            zip("xl/workbook.xml"),
            "an Excel workbook (.xlsx)",
            "pandas.read_excel(",
        ),
        (
            zip("mimetypeapplication/vnd.oasis.opendocument.spreadsheet"),
            "an OpenDocument spreadsheet (.ods)",
            "save it as CSV in LibreOffice",
        ),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec(),
            "an Excel workbook",
            "save it as CSV",
        ),
        (zip("table.csv"), "a zip archive", "unzip"),
        (
            b"\x1f\x8b\x08\0".to_vec(),
            "compressed with gzip",
            "gunzip -c",
        ),
        (
            b"BZh91AY&SY\x01".to_vec(),
            "compressed with bzip2",
            "bunzip2 -c",
        ),
        (
            b"\x28\xb5\x2f\xfd\0".to_vec(),
            "compressed with zstd",
            "zstd -dc",
        ),
        (b"\xfd7zXZ\0".to_vec(), "compressed with xz", "xz -dc"),
        (
            b"PAR1\x15\x04".to_vec(),
            "a Parquet file",
            "pandas.read_parquet(",
        ),
        (b"\x93NUMPY\x01\0".to_vec(), "a numpy array", "numpy.load("),
        (b"%PDF-1.7\n".to_vec(), "a PDF document", "as CSV"),
        (b"[{\"a\": 1}]".to_vec(), "JSON", "pandas.read_json("),
        (b"<!DOCTYPE html>\n".to_vec(), "a web page (HTML)", "as CSV"),
    ] {
        let complaint = refused(&me, &[], &bytes);
        assert!(
            complaint.starts_with("standard input is ")
                && complaint.contains(kind)
                && complaint.contains(next),
            "{complaint}"
        );
        assert!(!complaint.contains("UTF-8"), "{complaint}");
        std::fs::write(&file, &bytes).unwrap();
        let complaint = me.kv(&["load", "/in", path]).complaint(2);
        assert!(complaint.starts_with(path), "{complaint}");
    }
    // Names of columns that begin as such files do.
    me.kv_with_input(&["load", "/in", "-"], b"PAR1,BZh1\n1,2\n")
        .text();
}

#[test]
fn every_refusal_of_a_table_ends_in_what_to_do_next() {
    let server = Server::start();
    let me = server.user("me");
    let large = format!("a,b\n1,{}\n", "x".repeat(16_384));
    for (arguments, table, next) in [
        (
            &[][..],
            ",,\nx,y,z\n1,2,3\n",
            "delete the rows above the names",
        ),
        (
            &[],
            "x,y,\n1,2,\n",
            "(the row ends in a separator); name it or delete the column",
        ),
        (
            &[],
            ",x\n0,1\n",
            "index=False); name it or delete the column",
        ),
        (&[], large.as_str(), "compress it"),
        (
            &["--key", "nope"],
            "a,b\n1,2\n",
            "name one that it has: a, b",
        ),
        (
            &["--strings=nope"],
            "a,b\n1,2\n",
            "name one that it has: a, b",
        ),
        (&[], "", "load a table whose first row names the columns"),
        (&[], "a,b\n", "check that it is the right table"),
    ] {
        let complaint = refused(&me, arguments, table);
        assert!(
            complaint.contains("; ") || complaint.contains(", so"),
            "{complaint}"
        );
        assert!(complaint.contains(next), "{complaint}");
        let blames_pandas = complaint.contains("pandas");
        assert_eq!(blames_pandas, table.starts_with(",x"), "{complaint}");
    }
    for (file, next) in [("/none.csv", "check its name"), ("/", "name a file in it")] {
        let complaint = me.kv(&["load", "/in", file]).complaint(2);
        assert!(complaint.contains(next), "{complaint}");
    }
}

#[test]
fn a_dry_run_prints_json_where_that_is_asked_for() {
    let server = Server::start();
    let me = server.user("me");
    let dry = ["load", "/in", "-", "--dry-run", "--json"];
    let printed = me.kv_with_input(&dry, b"n,name\n1,a \"b\"\n1.50,\n").text();
    assert_eq!(
        printed,
        "{\"key\":\"/in/1\",\"value\":{\"n\":1,\"name\":\"a \\\"b\\\"\"}}\n\
         {\"key\":\"/in/2\",\"value\":{\"n\":1.50,\"name\":\"\"}}\n"
    );
    assert_eq!(me.kv(&["list"]).text(), "");
}
