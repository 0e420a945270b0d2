//! `kv export` and `kv import`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use prominence_client::SetOptions;
use prominence_core::Key;

use crate::support::{Person, Server, run};

/// Keys that no file could simply be called after.
fn odd_keys() -> Vec<String> {
    let long = "é".repeat(200);
    let percents = "%".repeat(150);
    [
        "/in/a",
        "/in/a/b",
        "/in/a/b/c",
        "/in/a.b",
        "/in/.hidden",
        "/in/...",
        "/in/100%",
        "/in/%",
        "/in/%25",
        "/in/%=",
        "/in/%~/lock",
        "/in/a b?#*\"\\",
        "/in/A",
        "/in/-rf",
        "/in",
        "/inside",
        "/inside/x",
        "/in%+x",
        &format!("/in/{long}"),
        &format!("/in/{long}/{long}"),
        &format!("/in/{percents}"),
    ]
    .map(str::to_owned)
    .to_vec()
}

fn fill(me: &Person<'_>, keys: &[String]) {
    let client = me.client();
    for (at, key) in keys.iter().enumerate() {
        let value = match at {
            0 => Vec::new(),
            1 => (0..16_384)
                .map(|byte| u8::try_from(byte % 256).unwrap())
                .collect(),
            _ => key.clone().into_bytes(),
        };
        let key = Key::parse(key).unwrap();
        client.set(&key, &value, &SetOptions::default()).unwrap();
    }
}

/// Every file below a folder, with its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
                found.insert(name.to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn folder(server: &Server, name: &str) -> (PathBuf, String) {
    let path = server.home.path().join(name);
    let text = path.to_str().unwrap().to_owned();
    (path, text)
}

fn text(folder: &Path, names: &[(&str, &str)]) {
    for (name, content) in names {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }
}

#[test]
fn every_key_comes_back_from_its_file_byte_for_byte() {
    let server = Server::start();
    let me = server.user("me");
    let keys = odd_keys();
    fill(&me, &keys);
    for (prefix, count) in [
        ("/in", keys.len()),
        ("/", keys.len()),
        ("/in/", keys.len() - 4),
    ] {
        let (path, dir) = folder(&server, &format!("out{}", prefix.replace('/', "-")));
        assert_eq!(me.kv(&["export", prefix, &dir]).text(), "");
        let found = files(&path);
        assert_eq!(found.len(), count, "{:?}", found.keys());
        let you = server.user(&format!("you{count}{}", prefix.len()));
        assert_eq!(you.kv(&["import", &dir, prefix]).text(), "");
        let there = |who: &Person<'_>| who.kv(&["gather", prefix, "--bare"]).bytes();
        assert_eq!(you.kv(&["list"]).text(), me.kv(&["list", prefix]).text());
        assert_eq!(there(&you), there(&me));
        let again = folder(&server, &format!("again{count}{}", prefix.len()));
        you.kv(&["export", prefix, &again.1, "--jobs", "1"]).text();
        assert_eq!(files(&again.0), found);
    }
    let (path, dir) = folder(&server, "plain");
    me.kv(&["export", "/in/", &dir]).text();
    let found = files(&path);
    assert_eq!(found["a/b/%="].len(), 16_384);
    assert_eq!(found["a/b/c"], b"/in/a/b/c");
    assert_eq!(found["100%25"], b"/in/100%");
    assert!(found.contains_key("a/%=") && found.contains_key(".hidden"));
}

#[test]
fn an_export_goes_on_where_it_was_and_repairs_what_differs() {
    let server = Server::start();
    let me = server.user("me");
    let keys: Vec<_> = (0..50).map(|n| format!("/in/{n}")).collect();
    fill(&me, &keys);
    let (path, dir) = folder(&server, "out");
    // What an interrupted export leaves: some files, and one that was being written.
    text(
        &path,
        &[
            ("%~/3", "half"),
            ("%~/4/%=", "half"),
            ("7", "/in/7"),
            ("8", "other"),
            ("mine", "m"),
        ],
    );
    let untouched = fs::metadata(path.join("7")).unwrap().modified().unwrap();
    assert_eq!(me.kv(&["export", "/in/", &dir]).text(), "");
    let found = files(&path);
    assert_eq!(found.len(), 51, "{:?}", found.keys());
    assert_eq!(found["8"], b"/in/8");
    assert_eq!(found["mine"], b"m", "what has no key is left alone");
    assert_eq!(
        fs::metadata(path.join("7")).unwrap().modified().unwrap(),
        untouched
    );
    // A key that gets keys below it makes room for them.
    me.kv(&["set", "/in/9/below", "--string", "x"]).text();
    me.kv(&["export", "/in/", &dir]).text();
    let found = files(&path);
    assert_eq!(
        (found["9/%="].as_slice(), found["9/below"].as_slice()),
        (&b"/in/9"[..], &b"x"[..])
    );
}

#[test]
fn an_export_never_leaves_its_folder() {
    let server = Server::start();
    let me = server.user("me");
    fill(&me, &["/in/a/b".to_owned(), "/in/c".to_owned()]);
    let (outside, _) = folder(&server, "outside");
    text(&outside, &[("c", "untouched")]);
    for name in ["a", "c", "%~"] {
        let (path, dir) = folder(&server, &format!("out-{name}"));
        fs::create_dir(&path).unwrap();
        let target = if name == "c" {
            outside.join("c")
        } else {
            outside.clone()
        };
        symlink(&target, path.join(name)).unwrap();
        let ran = me.kv(&["export", "/in", &dir]);
        let complaint = ran.complaint(2);
        assert!(
            complaint.contains(&format!("out-{name}/{name}")),
            "{complaint}"
        );
        assert_eq!(
            files(&outside),
            BTreeMap::from([("c".to_owned(), b"untouched".to_vec())])
        );
        assert!(path.join(name).symlink_metadata().unwrap().is_symlink());
    }
    let file = server.home.path().join("file");
    fs::write(&file, "x").unwrap();
    let complaint = me
        .kv(&["export", "/in", file.to_str().unwrap()])
        .complaint(2);
    assert!(complaint.contains("file"), "{complaint}");
}

#[test]
fn two_exports_into_one_folder_do_not_meet() {
    let server = Server::start();
    let me = server.user("me");
    fill(&me, &["/in/a".to_owned()]);
    let (path, dir) = folder(&server, "out");
    text(&path, &[("%~/lock", "")]);
    let lock = fs::File::open(path.join("%~/lock")).unwrap();
    lock.lock().unwrap();
    let complaint = me.kv(&["export", "/in", &dir]).complaint(2);
    assert!(complaint.contains("another export"), "{complaint}");
    drop(lock);
    assert_eq!(me.kv(&["export", "/in", &dir]).text(), "");
    assert!(!path.join("%~").exists());
}

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
fn an_export_that_is_killed_leaves_whole_files_and_can_be_finished() {
    let server = Server::start();
    let me = server.user("me");
    let table: String = (0..3_000)
        .map(|n| format!("{n},{}\n", "x".repeat(2_000)))
        .collect();
    let load = ["load", "/in", "-", "--jobs", "64"];
    me.kv_with_input(&load, format!("n,x\n{table}").as_bytes())
        .text();
    let (path, dir) = folder(&server, "out");
    let export = ["kv", "export", "/in/", &dir, "--jobs", "2"];
    let mut child = me.command(&export).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !path.join("0001").exists() {
        assert!(Instant::now() < deadline, "nothing was exported");
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended without an export"
        );
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let mut left = files(&path);
    left.retain(|name, _| !name.starts_with("%~"));
    assert!(left.len() < 3_000, "it was over before it was killed");
    for (name, bytes) in &left {
        let n: u32 = name.parse().unwrap();
        assert_eq!(
            bytes.len(),
            format!("{{\"n\":{},\"x\":\"\"}}", n - 1).len() + 2_000
        );
    }
    // A folder that is still in the making is no part of an import either.
    let you = server.user("you");
    you.kv(&["import", &dir, "/in"]).text();
    assert_eq!(
        you.kv(&["list", "--count"]).text(),
        format!("{}\n", left.len())
    );
    me.kv(&["export", "/in/", &dir]).text();
    assert_eq!(files(&path).len(), 3_000);
}
