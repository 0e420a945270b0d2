//! `--json` of every command that prints.

use serde_json::{Value, json};

use crate::support::{Person, Server};

fn shown(me: &Person<'_>, arguments: &[&str]) -> Value {
    serde_json::from_str(&me.run(arguments).text()).unwrap()
}

#[test]
fn commands_that_change_something_say_what_in_json() {
    let server = Server::start();
    let me = server.user("me");
    let first = shown(&me, &["kv", "set", "/a", "1", "--json"]);
    assert_eq!(
        (&first["key"], &first["created"]),
        (&json!("/a"), &json!(true))
    );
    let second = shown(&me, &["kv", "set", "a", "--string", "2", "--json"]);
    assert_eq!(second["created"], false);
    assert!(
        second["revision"].as_u64() > first["revision"].as_u64(),
        "{first} {second}"
    );
    assert_eq!(
        shown(&me, &["kv", "get", "/a", "--json"])["revision"],
        second["revision"]
    );

    let sum = shown(&me, &["kv", "add", "/a", "-5", "--json"]);
    assert_eq!((&sum["key"], &sum["value"]), (&json!("/a"), &json!(-3)));
    assert!(sum["revision"].is_u64(), "{sum}");
    let copied = shown(&me, &["kv", "cp", "/a", "/b", "--json"]);
    assert_eq!(
        (&copied["from"], &copied["key"]),
        (&json!("/a"), &json!("/b"))
    );
    assert_eq!(
        shown(&me, &["kv", "get", "/b", "--json"])["revision"],
        copied["revision"]
    );
    assert_eq!(
        shown(&me, &["kv", "list", "--count", "--json"]),
        json!({"count": 2})
    );
    for (line, expected) in [
        (
            &["kv", "delete", "/a", "/none", "--dry-run", "--json"][..],
            json!({"would_delete": 1}),
        ),
        (
            &["kv", "delete", "/a", "/none", "--json"],
            json!({"deleted": 1}),
        ),
        (
            &["kv", "delete", "--prefix", "/", "--dry-run", "--json"],
            json!({"would_delete": 1}),
        ),
        (
            &["kv", "delete", "--prefix", "/", "--json"],
            json!({"deleted": 1}),
        ),
    ] {
        assert_eq!(shown(&me, line), expected, "{line:?}");
    }
}

#[test]
fn copies_of_folders_are_counted_in_json() {
    let server = Server::start();
    let me = server.user("me");
    for key in ["/in/a", "/in/b"] {
        me.kv(&["set", key, "--string", "1"]).text();
    }
    let folder = server.home.path().join("out");
    let folder = folder.to_str().unwrap();
    let export = ["kv", "export", "/in/", folder, "--json"];
    assert_eq!(shown(&me, &export), json!({"written": 2, "unchanged": 0}));
    assert_eq!(shown(&me, &export), json!({"written": 0, "unchanged": 2}));
    me.kv(&["delete", "/in/b"]).text();
    let dry = ["kv", "import", folder, "/in/", "--dry-run", "--json"];
    assert_eq!(me.run(&dry).text(), "{\"key\":\"/in/b\"}\n");
    let import = ["kv", "import", folder, "/in/", "--json", "--quiet"];
    assert_eq!(shown(&me, &import), json!({"stored": 1, "unchanged": 1}));
}

#[test]
fn a_tree_and_a_token_are_json_as_well() {
    let server = Server::start();
    let me = server.user("me");
    for key in ["/a", "/b/x", "/b/y/z"] {
        me.kv(&["set", key, "--string", "1"]).text();
    }
    let tree = shown(&me, &["kv", "tree", "--json"]);
    assert_eq!(
        tree,
        json!({"folder": "/", "keys": 3, "contents": [
            {"key": "/a"},
            {"folder": "/b/", "contents": [
                {"key": "/b/x"},
                {"folder": "/b/y/", "contents": [{"key": "/b/y/z"}]},
            ]},
        ]})
    );
    let none = shown(&me, &["kv", "tree", "--json", "/none/"]);
    assert_eq!(none, json!({"folder": "/none/", "keys": 0, "contents": []}));

    let create = [
        "token",
        "create",
        "--user",
        "eve",
        "--job",
        "7",
        "--scope",
        "storage.read:/in",
        "--json",
    ];
    let token = shown(&me, &create);
    assert_eq!(
        (&token["user"], &token["job"]),
        (&json!("eve"), &json!("7"))
    );
    assert_eq!(token["scopes"], json!(["storage.read:/in"]));
    let who = shown(
        &me,
        &[
            "whoami",
            "--json",
            "--token",
            token["token"].as_str().unwrap(),
        ],
    );
    assert_eq!(
        (&who["user"], &who["expires"]),
        (&token["user"], &token["expires"])
    );
}

#[test]
fn backups_are_described_in_json() {
    let server = Server::start();
    let me = server.user("me");
    me.kv(&["set", "/a", "--string", "12345"]).text();
    let folder = server.home.path();
    let data = folder.join(".local/share/prominence/kv");
    let backup = folder.join("backup");
    let (data, backup) = (data.to_str().unwrap(), backup.to_str().unwrap());
    let made = shown(
        &me,
        &["admin", "backup", backup, "--data-dir", data, "--json"],
    );
    assert_eq!(
        (&made["file"], &made["entries"], &made["namespaces"]),
        (&json!(backup), &json!(1), &json!(1))
    );
    let streamed = me.run(&["admin", "backup", "-", "--data-dir", data, "--json"]);
    let told: Value = serde_json::from_str(&streamed.stderr).unwrap();
    assert_eq!(told["entries"], 1);
    let new = folder.join("new");
    let new = new.to_str().unwrap();
    let restored = shown(
        &me,
        &["admin", "restore", backup, "--data-dir", new, "--json"],
    );
    assert_eq!(
        (&restored["data_dir"], &restored["made"], &restored["bytes"]),
        (&json!(new), &made["made"], &made["bytes"])
    );
}
