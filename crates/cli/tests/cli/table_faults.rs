//! Tables that `kv load` refuses: each with the likely cause and the next step, before anything is stored.

use crate::support::{Person, Server, run};

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
        // As R writes a table with names of rows.
        (
            &[],
            "\"x\",\"y\"\n\"1\",5,2\n",
            &[
                "if 5,2 is one number",
                "if \"1\" is the name of the row",
                "row.names=FALSE",
            ],
        ),
        (
            &[],
            "\"x\",\"y\"\n\"1\",\"5\",0.5\n",
            &["put quotes around", "row.names=FALSE"],
        ),
        (
            &[],
            "\"x\",\"y\"\n\"1\",0.5,-2\n",
            &[
                "if \"1\" is the name of the row",
                "write.csv(x, 'x.csv', row.names=FALSE)",
            ],
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
        (
            zip("arr_0.npy"),
            "an archive of numpy arrays",
            "['NAME']).to_csv(",
        ),
        (
            b"RDX3\nX\n\0".to_vec(),
            "a file with objects of R",
            "print(load(",
        ),
        (b"X\n\0\0\0\x03".to_vec(), "an object of R", "readRDS("),
        (
            b"MATLAB 5.0 MAT-file, Platform: GLNXA64".to_vec(),
            "a MATLAB file",
            "scipy.io.loadmat(",
        ),
        (
            b"MATLAB 7.3 MAT-file, Platform: GLNXA64".to_vec(),
            "of version 7.3",
            "h5py.File(",
        ),
        (
            b"<stata_dta><header>".to_vec(),
            "a Stata table",
            "read_stata(",
        ),
        (b"\x73\x02\x01\0".to_vec(), "a Stata table", "read_stata("),
        (b"$FL2@(#) SPSS\x02".to_vec(), "an SPSS table", "read_spss("),
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
    let compressed = b"\x1f\x8b\x08\0";
    for (name, next) in [
        ("a.rds", "write.csv(readRDS('"),
        ("a.RData", "write.csv(NAME, '"),
    ] {
        let file = server.home.path().join(name);
        std::fs::write(&file, compressed).unwrap();
        let complaint = me.kv(&["load", "/in", file.to_str().unwrap()]).complaint(2);
        assert!(complaint.contains(next), "{complaint}");
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
            "index=False, R unless told row.names=FALSE); name it or delete the column",
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

#[test]
fn a_nul_character_is_refused_in_any_line() {
    let server = Server::start();
    let me = server.user("me");
    for (arguments, table, line) in [
        (&[][..], "a\0,b\n1,2\n", "line 1"),
        (&[], "a,b\n1,2\n3,x\0\n", "line 3"),
        (&["-d", "none"], "a\n1\n\0\n", "line 3"),
    ] {
        let complaint = refused(&me, arguments, table);
        assert!(complaint.starts_with(line), "{complaint}");
        assert!(complaint.contains("NUL"), "{complaint}");
    }
}

#[test]
fn names_in_a_comment_are_refused_with_the_option_of_numpy() {
    let server = Server::start();
    let me = server.user("me");
    for (arguments, table) in [
        (&[][..], "# x,y\n1,2\n"),
        (&[], "# x y\n1 2\n"),
        (&["-d", " "], "# x y\n1 2\n"),
        (&["-d", "tab"], "# x\ty\n1\t2\n"),
    ] {
        let complaint = refused(&me, arguments, table);
        assert!(
            complaint.contains("comments=''") && complaint.contains("--columns"),
            "{complaint}"
        );
    }
    let complaint = refused(&me, &["--columns", "x,y"], "# x,y\n1,2\n");
    assert!(complaint.contains("delete the line"), "{complaint}");
    let header = ["load", "/in", "-", "--header"];
    me.kv_with_input(&header, b"# x,y\n1,2\n").text();
    assert_eq!(me.kv(&["get", "/in/1"]).text(), r##"{"# x":1,"y":2}"##);
}

#[test]
fn separators_between_thousands_are_refused() {
    let server = Server::start();
    let me = server.user("me");
    for number in [
        "1 234,5",
        "1\u{a0}234,5",
        "1\u{202f}234,5",
        "1'234,5",
        "1\u{2019}234,5",
    ] {
        let table = format!("n;x\n1;{number}\n");
        for arguments in [&["-d", ";", "--decimal-comma"][..], &["-d", ";"]] {
            let complaint = refused(&me, arguments, &table);
            assert!(complaint.contains("between thousands"), "{complaint}");
            assert!(complaint.contains("--strings=x"), "{complaint}");
        }
    }
}

#[test]
fn a_prefix_and_a_table_in_the_other_order_are_told() {
    let server = Server::start();
    let me = server.user("me");
    std::fs::write(me.home().join("p1.csv"), "a\n1\n").unwrap();
    let mut swapped = me.command(&["kv", "load", "p1.csv", "/x/"]);
    let complaint = run(swapped.current_dir(me.home())).complaint(2);
    assert!(
        complaint.ends_with("the prefix comes first, as in prominence kv load /x/ p1.csv"),
        "{complaint}"
    );
}
