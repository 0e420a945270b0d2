//! `kv import`.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::process::Command;

use super::{folder, text};
use crate::support::{PROGRAM, Server, clean, run};

#[test]
fn an_import_stores_only_what_is_not_there_already() {
    let server = Server::start();
    let me = server.user("me");
    let (path, dir) = folder(&server, "in");
    text(
        &path,
        &[
            ("a", "1"),
            ("b/c", "2"),
            ("d", "3"),
            ("e", "4"),
            ("%~/5", "half"),
        ],
    );
    for (key, value) in [("/in/a", "1"), ("/in/d", "other")] {
        me.kv(&["set", key, "--string", value]).text();
    }
    me.kv(&["set", "/in/e", "--string", "4", "--ttl", "1h"])
        .text();
    let json = |key: &str| me.kv(&["get", "--json", key]).text();
    let before = json("/in/a");
    let dry = me.kv(&["import", &dir, "/in", "--dry-run"]).text();
    assert_eq!(dry, "/in/b/c\n/in/d\n/in/e\n");
    assert_eq!(me.kv(&["list", "--count"]).text(), "3\n");
    assert_eq!(me.kv(&["import", &dir, "/in/"]).text(), "");
    assert_eq!(json("/in/a"), before, "not even its revision changed");
    assert_eq!(me.kv(&["get", "/in/d"]).text(), "3");
    assert!(!json("/in/e").contains("expires"), "what is imported stays");
    assert_eq!(me.kv(&["list"]).text(), "/in/a\n/in/b/c\n/in/d\n/in/e\n");
    assert_eq!(me.kv(&["import", &dir, "/in", "--dry-run"]).text(), "");
}

#[test]
fn an_import_of_what_cannot_be_stored_is_refused_before_anything_is() {
    let server = Server::start();
    let me = server.user("me");
    let (path, dir) = folder(&server, "in");
    text(&path, &[("fine", "1")]);
    for n in 10..22 {
        fs::write(path.join(n.to_string()), vec![0; 16_385]).unwrap();
    }
    let complaint = me.kv(&["import", &dir, "/in"]).complaint(2);
    assert!(
        complaint.contains("12 files")
            && complaint.contains("16384")
            && complaint.contains("/in/10 has 16385 bytes")
            && complaint.contains("/in/19 has")
            && !complaint.contains("/in/20 has")
            && complaint.contains("and 2 more"),
        "{complaint}"
    );
    for n in 10..22 {
        fs::remove_file(path.join(n.to_string())).unwrap();
    }
    for (name, word) in [
        ("100%", "%25"),
        (
            "a\nb",
            "a\\nb stands for no key: the key contains a control",
        ),
        ("x%-", "%25"),
        ("%~~", "%25"),
    ] {
        fs::write(path.join(name), "x").unwrap();
        let complaint = me.kv(&["import", &dir, "/in"]).complaint(2);
        assert!(
            complaint.contains(word) && complaint.contains("1 file"),
            "{complaint}"
        );
        fs::remove_file(path.join(name)).unwrap();
    }
    assert_eq!(me.kv(&["list"]).text(), "");
    let complaint = me.kv(&["import", "/no/such/folder", "/in"]).complaint(2);
    assert!(complaint.contains("/no/such/folder"), "{complaint}");
}

#[test]
fn links_and_special_files_are_left_out_and_named() {
    let server = Server::start();
    let me = server.user("me");
    let (path, dir) = folder(&server, "in");
    text(&path, &[("a", "1")]);
    symlink(path.join("a"), path.join("link")).unwrap();
    symlink(&path, path.join("loop")).unwrap();
    run(Command::new("mkfifo").arg(path.join("pipe"))).text();
    assert!(path.join("pipe").metadata().unwrap().file_type().is_fifo());
    let ran = me.kv(&["import", &dir, "/in"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    for words in [
        "in/link is a symbolic link",
        "in/loop is a sym",
        "in/pipe is a special file",
    ] {
        assert!(ran.stderr.contains(words), "{ran:?}");
    }
    assert_eq!(me.kv(&["list"]).text(), "/in/a\n");
}

#[test]
fn an_import_that_a_full_namespace_stops_goes_on_later() {
    let server = Server::start_with(&["--quota-keys", "10"]);
    let me = server.user("me");
    let (path, dir) = folder(&server, "in");
    let names: Vec<_> = (0..20).map(|n| n.to_string()).collect();
    let pairs: Vec<_> = names.iter().map(|n| (n.as_str(), n.as_str())).collect();
    text(&path, &pairs);
    let complaint = me.kv(&["import", &dir, "/in"]).complaint(3);
    assert!(
        complaint.contains("10 keys stored, 0 there already; run it again"),
        "{complaint}"
    );
    let complaint = me.kv(&["import", &dir, "/in", "--jobs", "1"]).complaint(3);
    assert!(
        complaint.contains("there already") && complaint.contains("0 keys"),
        "{complaint}"
    );
    assert_eq!(me.kv(&["list", "--count"]).text(), "10\n");
}

#[test]
fn a_token_for_a_part_of_the_keys_is_enough_for_that_part() {
    let server = Server::start();
    let me = server.user("me");
    let (path, dir) = folder(&server, "in");
    text(&path, &[("t.csv", "n\n1\n2\n")]);
    let token = |scopes: &[&str]| {
        let mut mint = clean(PROGRAM, me.home());
        mint.args(["token", "create", "--user", "me"]);
        for scope in scopes {
            mint.args(["--scope", scope]);
        }
        run(&mut mint).text().trim().to_owned()
    };
    let writer = token(&["storage.modify:/part"]);
    let table = path.join("t.csv");
    me.kv(&[
        "load",
        "/part/rows",
        table.to_str().unwrap(),
        "--token",
        &writer,
    ])
    .text();
    me.kv(&["import", &dir, "/part/files", "--token", &writer])
        .text();
    let reader = token(&["storage.read:/part"]);
    let keys = "/part/files/t.csv\n/part/rows/1\n/part/rows/2\n";
    assert_eq!(me.kv(&["list", "/part/", "--token", &reader]).text(), keys);
    let gathered = me
        .kv(&["gather", "/part/rows/", "--bare", "--token", &reader])
        .text();
    assert_eq!(gathered, "n\n1\n2\n");
    let complaint = me
        .kv(&["import", &dir, "/other", "--token", &writer])
        .complaint(3);
    assert!(complaint.contains("scope"), "{complaint}");
}
