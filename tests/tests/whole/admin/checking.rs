//! Checks and usage, with a server and without, of what is whole and what is damaged.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use prominence_tests::{Server, succeed, text};

use super::{admin, complaint, fill, json, refused};

#[test]
fn check_and_usage_answer_the_same_with_a_server_and_without() {
    let mut server = Server::start(&[]);
    fill(&server.client("alice"), 5, "value");
    fill(&server.client("bob"), 2, &"x".repeat(1_000));
    let ask = |arguments: &[&str]| {
        let done = succeed(&mut admin(server.home(), arguments, server.data()));
        text(done)
    };
    let questions: [&[&str]; 5] = [
        &["check"],
        &["check", "--json"],
        &["usage"],
        &["usage", "--json", "--sort", "keys"],
        &["usage", "--limit", "1", "--sort", "name"],
    ];
    let live: Vec<_> = questions.iter().map(|words| ask(words)).collect();
    assert!(live[0].contains("checked 7 keys of 2 users"), "{}", live[0]);
    assert!(live[0].contains("nothing is damaged"), "{}", live[0]);
    let check: serde_json::Value = serde_json::from_str(&live[1]).unwrap();
    assert_eq!(
        (&check["clean"], &check["entries"]),
        (&true.into(), &7.into())
    );
    let lines: Vec<_> = live[2]
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let lines: Vec<Vec<&str>> = lines;
    assert_eq!(lines[0], ["BYTES", "KEYS", "USER"]);
    assert_eq!(lines[1], ["2006", "2", "bob"]);
    assert_eq!(lines[2], ["40", "5", "alice"]);
    assert_eq!(lines[3], ["2046", "7", "2", "users,", "2", "shown"]);
    let usage: serde_json::Value = serde_json::from_str(&live[3]).unwrap();
    assert_eq!(usage["namespaces"][0]["namespace"], "alice");
    assert_eq!(usage["total_bytes"], 2_046);
    assert!(
        live[4].contains("alice") && !live[4].contains("bob"),
        "{}",
        live[4]
    );

    assert!(server.terminate().success());
    assert!(!server.data().join("admin.sock").exists());
    let ask = |arguments: &[&str]| {
        let done = succeed(&mut admin(server.home(), arguments, server.data()));
        text(done)
    };
    let offline: Vec<_> = questions.iter().map(|words| ask(words)).collect();
    assert_eq!(live, offline);
}

#[test]
fn damage_to_stored_data_is_found_without_a_server() {
    let mut server = Server::start(&[]);
    fill(&server.client("alice"), 20, &"x".repeat(10_000));
    let file = server.home().join("backup");
    succeed(&mut admin(
        server.home(),
        &["backup", file.to_str().unwrap()],
        server.data(),
    ));
    server.kill();
    let new = server.home().join("new");
    succeed(&mut admin(
        server.home(),
        &["restore", file.to_str().unwrap()],
        &new,
    ));
    let table = largest_file(&new.join("store"));
    let mut bytes = fs::read(&table).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&table, bytes).unwrap();
    let output = admin(server.home(), &["check", "--json"], &new)
        .output()
        .unwrap();
    complaint(&output, 1);
    let report = json(output);
    assert_eq!(report["clean"], false);
    assert!(
        !report["findings"].as_array().unwrap().is_empty(),
        "{report}"
    );
    refused(
        &mut admin(server.home(), &["backup", "/tmp/never-made"], &new),
        1,
    );
    assert!(!Path::new("/tmp/never-made").exists());
}

fn largest_file(folder: &Path) -> PathBuf {
    let mut largest = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                largest.insert(path.metadata().unwrap().len(), path);
            }
        }
    }
    largest.pop_last().unwrap().1
}
