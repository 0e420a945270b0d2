//! `kv cp` and `kv mv`.

use prominence_client::SetOptions;
use prominence_core::Key;

use crate::support::{Script, Server, answer};

#[test]
fn a_copy_has_the_bytes_and_the_end_of_the_original() {
    let server = Server::start();
    let me = server.user("me");
    let every_byte: Vec<u8> = (0..=255).collect();
    me.kv_with_input(&["set", "/a", "-", "--ttl", "1h"], &every_byte)
        .text();
    assert_eq!(me.kv(&["cp", "/a", "/b"]).text(), "");
    assert_eq!(me.kv(&["get", "/b"]).bytes(), every_byte);
    assert_eq!(me.kv(&["mv", "/b", "/c"]).text(), "");
    assert_eq!(me.kv(&["get", "/c"]).bytes(), every_byte);
    assert_eq!(me.kv(&["list"]).text(), "/a\n/c\n");
    let expires = |key: &str| {
        let shown = me.kv(&["get", "--json", key]).text();
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        let expires = shown["expires"].as_str().unwrap();
        prominence_api::time::parse_rfc3339(expires)
            .unwrap()
            .as_secs()
    };
    assert!(
        expires("/c").abs_diff(expires("/a")) <= 120,
        "the time between a read and its write is added"
    );
    me.kv(&["set", "/a", ""]).text();
    me.kv(&["cp", "/a", "/c"]).text();
    let shown = me.kv(&["get", "--json", "/c"]).text();
    assert!(
        !shown.contains("expires") && shown.contains("\"value\": \"\""),
        "{shown}"
    );
}

#[test]
fn what_cannot_be_copied_changes_nothing() {
    let server = Server::start();
    let me = server.user("me");
    me.kv(&["set", "/a", "1"]).text();
    me.kv(&["set", "/b", "2"]).text();
    for command in ["cp", "mv"] {
        let complaint = me.kv(&[command, "/a", "/b", "--if-absent"]).complaint(1);
        assert!(
            complaint.contains("/b exists already, and nothing was changed"),
            "{complaint}"
        );
        let complaint = me.kv(&[command, "/none", "/b"]).complaint(1);
        assert!(complaint.contains("no key /none"), "{complaint}");
        let complaint = me.kv(&[command, "/a", "a"]).complaint(2);
        assert!(complaint.contains("FROM and TO are both /a"), "{complaint}");
        me.kv(&[command, "/a", "/folder/"]).complaint(2);
    }
    assert_eq!(me.kv(&["list", "--values"]).text(), "/a\t1\n/b\t2\n");
    me.kv(&["mv", "/a", "/c", "--if-absent"]).text();
    assert_eq!(me.kv(&["list", "--values"]).text(), "/b\t2\n/c\t1\n");
}

#[test]
fn an_original_that_is_written_meanwhile_is_read_again() {
    let value =
        |revision: u32, body: &str| answer("200 OK", &format!("ETag: \"{revision}\"\r\n"), body);
    let refused = answer(
        "412 Precondition Failed",
        "",
        "{\"error\": \"no\", \"code\": \"precondition_failed\"}",
    );
    let done = "{\"revision\": 9, \"results\": []}";
    let script = Script::new(vec![
        value(1, "old"),
        refused,
        value(2, "new"),
        answer("200 OK", "", done),
    ]);
    let shown = script.run(&["kv", "mv", "/a", "/b", "--json"]).text();
    assert_eq!(shown, "{\"from\":\"/a\",\"key\":\"/b\",\"revision\":9}\n");
    script.played();
}

#[test]
fn a_move_under_writers_loses_no_write() {
    let server = Server::start();
    let me = server.user("me");
    let client = me.client();
    let key = Key::parse("/a").unwrap();
    client.set(&key, b"0", &SetOptions::default()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..200 {
                client.add(&key, 1).unwrap();
            }
        });
        for number in 0..20 {
            // Where there is nothing to move yet, the next one moves it.
            let ran = me.kv(&["mv", "/a", &format!("/moved/{number:02}")]);
            assert!(ran.status <= 1, "{ran:?}");
        }
    });
    let mut sum = 0;
    for line in me.kv(&["list", "--values"]).text().lines() {
        let (_, value) = line.split_once('\t').unwrap();
        sum += value.parse::<i64>().unwrap();
    }
    assert_eq!(sum, 200);
}
