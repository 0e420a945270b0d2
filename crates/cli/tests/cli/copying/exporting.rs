//! `kv export`, and what comes back of it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use prominence_client::SetOptions;
use prominence_core::Key;

use super::{files, folder, text};
use crate::support::{Person, Server, run};

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
        let ran = me.kv(&["export", prefix, &dir]);
        assert_eq!((ran.status, ran.stdout.len()), (0, 0), "{ran:?}");
        let told = ran
            .stderr
            .contains("3 keys outside the folder /in/ were exported as well");
        assert_eq!(told, prefix == "/in", "{ran:?}");
        let found = files(&path);
        assert_eq!(found.len(), count, "{:?}", found.keys());
        let you = server.user(&format!("you{count}{}", prefix.len()));
        let ran = you.kv(&["import", &dir, prefix]);
        assert_eq!((ran.status, ran.stdout.len()), (0, 0), "{ran:?}");
        let told = ran
            .stderr
            .contains("3 keys outside the folder /in/ are imported as well (/in%+x, ");
        assert_eq!(told, prefix == "/in", "{ran:?}");
        let there = |who: &Person<'_>| who.kv(&["gather", prefix, "--bare", "-q"]).bytes();
        assert_eq!(you.kv(&["list"]).text(), me.kv(&["list", prefix]).text());
        assert_eq!(there(&you), there(&me));
        let again = folder(&server, &format!("again{count}{}", prefix.len()));
        you.kv(&["export", prefix, &again.1, "--jobs", "1", "--quiet"])
            .text();
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
    // An interrupted export leaves some files, and one that was being written.
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
fn a_folder_that_is_named_by_a_link_is_written_into() {
    let server = Server::start();
    let me = server.user("me");
    fill(&me, &["/in/a/b".to_owned()]);
    let (real, _) = folder(&server, "real");
    fs::create_dir(&real).unwrap();
    let (link, dir) = folder(&server, "link");
    symlink(&real, &link).unwrap();
    me.kv(&["export", "/in/", &dir]).text();
    assert!(files(&real).contains_key("a/b"));
    // A link that leads nowhere is a link.
    symlink("/no/such/place", real.join("c")).unwrap();
    fill(&me, &["/in/c".to_owned()]);
    let complaint = me.kv(&["export", "/in/", &dir]).complaint(2);
    assert!(
        complaint.contains("link/c is a symbolic link"),
        "{complaint}"
    );
    assert!(complaint.contains("move it away"), "{complaint}");
    fill(&me, &["/in/c/d".to_owned()]);
    me.kv(&["delete", "/in/c"]).text();
    let complaint = me.kv(&["export", "/in/", &dir]).complaint(2);
    assert!(
        complaint.contains("link/c is a symbolic link"),
        "{complaint}"
    );
}

#[test]
fn a_link_that_takes_a_folders_place_meanwhile_is_not_followed() {
    let server = Server::start();
    let me = server.user("me");
    let keys: Vec<_> = (0..300).map(|n| format!("/in/a/{n}")).collect();
    fill(&me, &keys);
    let (outside, _) = folder(&server, "outside");
    fs::create_dir(&outside).unwrap();
    let (path, dir) = folder(&server, "out");
    fs::create_dir_all(path.join("a")).unwrap();
    symlink(&outside, path.join("link")).unwrap();
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let here = fs::File::open(&path).unwrap();
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                // Folder and link change places, each at once.
                let how = rustix::fs::RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(&here, "a", &here, "link", how).unwrap();
            }
        });
        // Whatever happens, the thread above has to end, or the test would not.
        let runs: Vec<_> = (0..5)
            .map(|_| me.kv(&["export", "/in/", &dir, "--quiet"]))
            .collect();
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        for ran in runs {
            // It is refused as soon as it meets the link, or is lucky.
            assert!(
                ran.status == 0 || ran.stderr.contains("symbolic link"),
                "{ran:?}"
            );
        }
    });
    assert_eq!(files(&outside), BTreeMap::new());
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
fn an_export_that_is_killed_leaves_whole_files_and_can_be_finished() {
    let server = Server::start();
    let me = server.user("me");
    let table: String = (0..3_000)
        .map(|n| format!("{n},{}\n", "x".repeat(2_000)))
        .collect();
    let load = ["load", "/in", "-", "--pad"];
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

#[test]
fn a_prefix_and_a_folder_in_the_other_order_are_told() {
    let server = Server::start();
    let me = server.user("me");
    me.kv(&["set", "/res/1", "x"]).text();
    let in_home = |arguments: &[&str]| run(me.command(arguments).current_dir(me.home()));
    let complaint = in_home(&["kv", "export", "out/", "/res/"]).complaint(2);
    assert!(
        complaint.ends_with("the prefix comes first, as in prominence kv export /res/ out/"),
        "{complaint}"
    );
    assert!(!Path::new("/res").exists());
    fs::create_dir(me.home().join("out")).unwrap();
    let complaint = in_home(&["kv", "import", "/res/", "out"]).complaint(2);
    assert!(
        complaint.ends_with("the folder comes first, as in prominence kv import out /res/"),
        "{complaint}"
    );
}

#[test]
fn a_destination_that_is_no_folder_is_described() {
    let server = Server::start();
    let me = server.user("me");
    me.kv(&["set", "/res/1", "x"]).text();
    let (link, link_text) = folder(&server, "e3");
    symlink("nowhere", &link).unwrap();
    let (file, file_text) = folder(&server, "f3");
    fs::write(&file, "x").unwrap();
    for (text, words) in [
        (&link_text, "e3 is a symbolic link to nowhere, "),
        (
            &format!("{link_text}/below"),
            "e3 is a symbolic link to nowhere, ",
        ),
        (&file_text, "f3 is a file, "),
        (&format!("{file_text}/below"), "f3 is a file, "),
    ] {
        let complaint = me.kv(&["export", "/res/", text]).complaint(2);
        assert!(complaint.contains(words), "{complaint}");
    }
}
