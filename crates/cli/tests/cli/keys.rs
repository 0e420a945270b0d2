//! `kv get`, `set`, `delete` and `add`.

use prominence_api::time::parse_rfc3339;

use crate::support::{PROGRAM, Script, Server, answer, clean, run};

#[test]
fn a_value_comes_back_byte_for_byte_from_every_source() {
    let server = Server::start();
    let me = server.user("me");
    let every_byte: Vec<u8> = (0..=255).collect();
    let file = server.home.path().join("bytes.bin");
    std::fs::write(&file, &every_byte).unwrap();
    let path = file.to_str().unwrap();

    assert_eq!(me.kv(&["set", "/by-name", path]).text(), "");
    assert_eq!(me.kv(&["get", "/by-name"]).bytes(), every_byte);
    assert_eq!(me.kv(&["set", "/by-flag", "--file", path]).text(), "");
    assert_eq!(me.kv(&["get", "/by-flag"]).bytes(), every_byte);
    me.kv_with_input(&["set", "/by-stdin", "-"], &every_byte)
        .text();
    assert_eq!(me.kv(&["get", "/by-stdin"]).bytes(), every_byte);
    me.kv_with_input(&["set", "/by-file-stdin", "--file", "-"], b"x\n")
        .text();
    assert_eq!(me.kv(&["get", "/by-file-stdin"]).bytes(), b"x\n");
    me.kv(&["set", "/by-text", "no such file"]).text();
    assert_eq!(me.kv(&["get", "/by-text"]).text(), "no such file");
    me.kv(&["set", "/empty", ""]).text();
    assert_eq!(me.kv(&["get", "/empty"]).bytes(), b"");
}

#[test]
fn a_string_is_never_taken_for_a_file_and_a_folder_never_for_a_value() {
    let server = Server::start();
    let me = server.user("me");
    std::fs::write(server.home.path().join("name"), "content").unwrap();
    let set = |arguments: &[&str]| {
        let mut command = me.command(&["kv", "set"]);
        run(command.args(arguments).current_dir(server.home.path())).text();
        me.kv(&["get", arguments[0]]).text()
    };
    assert_eq!(set(&["/a", "name"]), "content");
    assert_eq!(set(&["/a", "--string", "name"]), "name");
    assert_eq!(set(&["/a", "--string", "-"]), "-");
    assert_eq!(set(&["/a", "--string", "--file"]), "--file");
    assert_eq!(set(&["/a", "."]), ".", "a folder's name is a text");
    assert_eq!(set(&["/a", "-5"]), "-5", "a negative number is a text");
}

#[test]
fn any_legal_key_works_with_or_without_its_leading_slash() {
    let server = Server::start();
    let me = server.user("me");
    for key in [
        "a?b#c",
        "100%",
        "%2F",
        "two words",
        "é/🦀",
        "a//b",
        "&=+",
        "\"'\\",
    ] {
        me.kv(&["set", key, "--string", key]).text();
        assert_eq!(me.kv(&["get", key]).text(), key);
        let slashed = format!("/{key}");
        assert_eq!(me.kv(&["get", &slashed]).text(), key);
        assert_eq!(me.kv(&["delete", key]).text(), "");
        assert_eq!(me.kv(&["get", key]).status, 1, "{key}");
    }
}

#[test]
fn a_value_can_be_written_to_a_file_and_a_missing_key_leaves_the_file_alone() {
    let server = Server::start();
    let me = server.user("me");
    me.kv(&["set", "/a", "--string", "new"]).text();
    let file = server.home.path().join("out");
    std::fs::write(&file, "old").unwrap();
    let path = file.to_str().unwrap();
    assert_eq!(me.kv(&["get", "/none", "-o", path]).status, 1);
    assert_eq!(std::fs::read(&file).unwrap(), b"old");
    assert_eq!(me.kv(&["get", "/a", "-o", path]).text(), "");
    assert_eq!(std::fs::read(&file).unwrap(), b"new");
    assert_eq!(me.kv(&["get", "/a", "-o", "-"]).text(), "new");
    let complaint = me
        .kv(&["get", "/a", "-o", "/no/such/folder/x"])
        .complaint(2);
    assert!(complaint.contains("/no/such/folder/x"), "{complaint}");
}

#[test]
fn json_shows_a_value_with_all_that_is_known_about_it() {
    let server = Server::start();
    let me = server.user("me");
    me.kv(&["set", "/a", "--string", "42", "--ttl", "1h"])
        .text();
    let json = |key: &str| -> serde_json::Value {
        serde_json::from_str(&me.kv(&["get", "--json", key]).text()).unwrap()
    };
    let shown = json("/a");
    assert_eq!(shown["key"], "/a");
    assert_eq!(shown["value"], "42");
    assert_eq!(shown["size"], 2);
    assert!(shown["revision"].is_u64(), "{shown}");
    assert!(
        shown["modified"].as_str().unwrap().ends_with('Z'),
        "{shown}"
    );
    assert!(shown["expires"].is_string(), "{shown}");
    assert!(shown["created"].as_str().unwrap().ends_with('Z'), "{shown}");
    assert!(shown.get("job").is_none(), "{shown}");
    let created = shown["created"].clone();
    me.run(&[
        "exec", "--job", "j 1", "--", PROGRAM, "kv", "set", "/a", "--string", "43",
    ])
    .text();
    let shown = json("/a");
    assert_eq!(
        (&shown["created"], &shown["job"]),
        (&created, &"j 1".into())
    );
    let listed: Vec<serde_json::Value> =
        serde_json::from_str(&me.kv(&["list", "--json"]).text()).unwrap();
    assert_eq!(
        (&listed[0]["created"], &listed[0]["job"]),
        (&created, &"j 1".into())
    );
    // The same to the millisecond in every output.
    let modified = shown["modified"].as_str().unwrap();
    assert_eq!(listed[0]["modified"], modified);
    let long = me.kv(&["list", "--long"]).text();
    assert_eq!(long.split('\t').nth(1), Some(modified), "{long}");
    let gathered = me.kv(&["gather", "/a", "--format", "ndjson", "-q"]).text();
    assert!(gathered.contains(modified), "{gathered}");
    me.kv_with_input(&["set", "/b", "-"], b"\xff\x00").text();
    assert_eq!(json("/b")["value_base64"], "/wA=");
    assert!(json("/b").get("expires").is_none());
}

#[test]
fn a_condition_that_does_not_hold_changes_nothing_and_exits_with_1() {
    let server = Server::start();
    let me = server.user("me");
    me.kv(&["set", "/a", "--string", "1", "--if-absent"]).text();
    let complaint = me
        .kv(&["set", "/a", "--string", "2", "--if-absent"])
        .complaint(1);
    assert!(complaint.contains("exists"), "{complaint}");
    assert_eq!(me.kv(&["get", "/a"]).text(), "1");

    let shown: serde_json::Value =
        serde_json::from_str(&me.kv(&["get", "--json", "/a"]).text()).unwrap();
    let revision = shown["revision"].to_string();
    let replace = ["set", "/a", "--string", "3", "--if-revision", &revision];
    me.kv(&replace).text();
    let complaint = me.kv(&replace).complaint(1);
    assert!(complaint.contains("nothing was changed"), "{complaint}");
    assert_eq!(me.kv(&["get", "/a"]).text(), "3");
}

#[test]
fn a_lifetime_is_a_duration_or_that_of_the_token() {
    let server = Server::start();
    let me = server.user("me");
    let expires = |ttl: &str| {
        me.kv(&["set", "/a", "--string", "1", "--ttl", ttl]).text();
        let shown: serde_json::Value =
            serde_json::from_str(&me.kv(&["get", "--json", "/a"]).text()).unwrap();
        shown["expires"].as_str().unwrap().to_owned()
    };
    let token: serde_json::Value =
        serde_json::from_str(&me.run(&["whoami", "--json"]).text()).unwrap();
    assert_eq!(expires("job"), token["expires"].as_str().unwrap());
    assert!(expires("7d") > expires("90s"));
    let instant = |text: String| parse_rfc3339(&text).unwrap().as_millis();
    let created = instant(expires("1h"));
    let later = instant(expires("1h30m")) - created;
    assert!((1_800_000..1_860_000).contains(&later), "{later} ms");
    let complaint = me
        .kv(&["set", "/a", "--string", "1", "--ttl", "30m1h"])
        .complaint(2);
    assert!(complaint.contains("1h30m"), "{complaint}");
    let complaint = me
        .kv(&["set", "/a", "--string", "1", "--ttl", "soon"])
        .complaint(2);
    assert!(complaint.contains("soon"), "{complaint}");
}

#[test]
fn numbers_are_added_up_and_down_and_the_sum_is_printed() {
    let server = Server::start();
    let me = server.user("me");
    assert_eq!(me.kv(&["add", "/n"]).text(), "1\n");
    assert_eq!(me.kv(&["add", "/n", "41"]).text(), "42\n");
    assert_eq!(me.kv(&["add", "/n", "-50"]).text(), "-8\n");
    me.kv(&["set", "/word", "--string", "many"]).text();
    let complaint = me.kv(&["add", "/word"]).complaint(1);
    assert!(complaint.contains("/word"), "{complaint}");
    let complaint = me.kv(&["add", "/n", "1.5"]).complaint(2);
    assert!(complaint.contains("1.5"), "{complaint}");
}

#[test]
fn deleting_takes_one_key_or_all_that_begin_with_a_prefix() {
    let server = Server::start();
    let me = server.user("me");
    for key in ["/in/a", "/in/b", "/inside", "/out"] {
        me.kv(&["set", key, "--string", "x"]).text();
    }
    assert_eq!(me.kv(&["delete", "--dry-run", "/out"]).text(), "1\n");
    assert_eq!(me.kv(&["delete", "--dry-run", "/none"]).text(), "0\n");
    assert_eq!(me.kv(&["delete", "/in/a"]).text(), "");
    assert_eq!(me.kv(&["delete", "/in/a"]).text(), "", "gone is gone");
    assert_eq!(
        me.kv(&["delete", "--prefix", "/in/", "--dry-run"]).text(),
        "1\n"
    );
    assert_eq!(me.kv(&["list"]).text(), "/in/b\n/inside\n/out\n");
    assert_eq!(me.kv(&["delete", "/in/", "--prefix"]).text(), "");
    assert_eq!(me.kv(&["list"]).text(), "/inside\n/out\n");
    assert_eq!(
        me.kv(&["delete", "--prefix", "/"]).text(),
        "",
        "nobody to ask"
    );
    assert_eq!(me.kv(&["list"]).text(), "");
}

#[test]
fn a_deletion_that_looks_like_a_mistake_deletes_nothing() {
    let server = Server::start();
    let me = server.user("me");
    me.kv(&["set", "/in/a", "--string", "x"]).text();
    for (arguments, word) in [
        (&["delete", "--prefix", ""][..], "/ to delete every key"),
        (&["delete", "--prefix"], "KEY"),
        (&["delete", "/in/"], "--prefix"),
        (&["delete", ""], "empty"),
        (&["delete", "/in/a", "/in/"], "--prefix"),
    ] {
        let complaint = me.kv(arguments).complaint(2);
        assert!(complaint.contains(word), "{arguments:?}: {complaint}");
    }
    assert_eq!(me.kv(&["list"]).text(), "/in/a\n");
}

#[test]
fn usage_shows_what_is_stored_and_what_may_be() {
    let server = Server::start_with(&["--quota-keys", "7"]);
    let me = server.user("me");
    me.kv(&["set", "/ab", "--string", "123"]).text();
    let usage = me.kv(&["usage"]).text();
    assert!(usage.starts_with("keys: 1 of 7\nbytes: 6 of "), "{usage}");
    let json: serde_json::Value =
        serde_json::from_str(&me.kv(&["usage", "--json"]).text()).unwrap();
    assert_eq!(json["bytes"], 6);
    assert_eq!(json["limits"]["value_bytes"], 16_384);
}

#[test]
fn a_claim_is_shown_wherever_a_key_is_shown_in_detail() {
    let until = "2030-01-02T03:04:05.678Z";
    let headers = format!(
        "ETag: \"7\"\r\nProminence-Claimed-Until: {until}\r\nProminence-Claimed-By: worker-3\r\n\
         Prominence-Claims: 2\r\n"
    );
    let script = Script::new(vec![answer("200 OK", &headers, "42")]);
    let shown = script.run(&["kv", "get", "--json", "/a"]).text();
    for words in [
        &format!("\"claimed_until\": \"{until}\""),
        "\"claimed_by\": \"worker-3\"",
        "\"claims\": 2",
    ] {
        assert!(shown.contains(words), "{shown}");
    }
    script.played();
    let detail = format!(
        "[{{\"key\": \"/a\", \"size\": 2, \"revision\": 7, \"created\": \"{until}\", \
         \"modified\": \"{until}\", \"claimed_until\": \"{until}\", \
         \"claimed_by\": \"worker-3\", \"claims\": 2}}]"
    );
    for (flag, words) in [
        (
            "--json",
            "\"claimed_until\":\"2030-01-02T03:04:05.678Z\",\"claimed_by\":\"worker-3\",\"claims\":2",
        ),
        ("--long", "\t2030-01-02T03:04:05.678Z\tworker-3\t2\t-\t/a\n"),
    ] {
        let script = Script::new(vec![answer("200 OK", "", &detail)]);
        let listed = script.run(&["kv", "list", flag]).text();
        assert!(listed.contains(words), "{flag}: {listed}");
        script.played();
    }
}

#[test]
fn a_value_that_lives_as_long_as_its_token_is_gone_with_it() {
    let server = Server::start();
    let me = server.user("me");
    me.kv(&["set", "/stays", "--string", "x"]).text();
    // A token of a few seconds may be over before a busy machine has used it.
    let stored = (0..10).any(|_| {
        let mint = ["token", "create", "--user", "me", "--for", "3s"];
        let token = run(clean(PROGRAM, me.home()).args(mint)).text();
        let set = [
            "kv",
            "set",
            "/a",
            "--string",
            "1",
            "--ttl",
            "job",
            "--token",
            token.trim(),
        ];
        run(&mut me.command(&set)).status == 0
    });
    assert!(stored);
    let client = me.client();
    let key = prominence_core::Key::parse("/a").unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while client.get(&key).unwrap().is_some() {
        assert!(
            std::time::Instant::now() < deadline,
            "it outlived its token"
        );
    }
    assert_eq!(me.kv(&["get", "/a"]).status, 1);
    assert_eq!(me.kv(&["list"]).text(), "/stays\n");
}
