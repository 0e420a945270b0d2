//! Users side by side, whatever their names.

use serde_json::json;

use crate::common::Server;

const USERS: [&str; 10] = [
    "alice", "alice2", "alic", "a/b", "a", "alice/in", "al ice", "..", "🦀", "🦀🦀",
];

#[test]
fn nobody_sees_counts_changes_or_deletes_what_is_another_users() {
    let server = Server::start();
    let clients: Vec<_> = USERS.iter().map(|user| server.user(user)).collect();
    for (client, user) in clients.iter().zip(USERS) {
        client.set("/kv/in/x", user);
        client.set("/kv/b/in", user);
        client.set("/kv/2/in", user);
    }
    for (client, user) in clients.iter().zip(USERS) {
        assert_eq!(client.get("/kv/in/x").text(), user);
        assert_eq!(
            client.list("/kv?list"),
            json!(["/2/in", "/b/in", "/in/x"]),
            "{user}"
        );
        assert_eq!(client.list("/kv?list&count"), json!({"count": 3}));
        assert_eq!(client.get("/kv?usage").json()["keys"], 3);
    }
    for (at, client) in clients.iter().enumerate() {
        assert_eq!(
            client.delete("/kv?prefix&dry_run").json(),
            json!({"deleted": 3})
        );
        assert_eq!(client.delete("/kv?prefix").json(), json!({"deleted": 3}));
        for (other, user) in clients.iter().zip(USERS).skip(at + 1) {
            assert_eq!(other.get("/kv/in/x").text(), user);
        }
    }
}

#[test]
fn revisions_and_etags_are_each_users_own() {
    let server = Server::start();
    let (alice, bob) = (server.user("alice"), server.user("bob"));
    let before = alice.post("/kv/a", "1").json()["revision"]
        .as_u64()
        .unwrap();
    for _ in 0..5 {
        bob.set("/kv/a", "1");
    }
    let after = alice.post("/kv/a", "2").json()["revision"]
        .as_u64()
        .unwrap();
    assert_eq!(
        after,
        before + 1,
        "how much another user writes can't be told"
    );
}
