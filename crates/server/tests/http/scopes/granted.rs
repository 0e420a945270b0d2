//! Every action against every scope, held against a rule that knows nothing of how scopes are kept.

use serde_json::json;

use crate::auth::with_claims;
use crate::common::Server;

/// What one scope gives access to, told apart by hand from the words that mean it.
struct Granted {
    words: &'static str,
    read: bool,
    create: bool,
    modify: bool,
    /// The segments of the path.
    path: &'static [&'static str],
    only_below: bool,
}

impl Granted {
    /// True if a key with these segments is covered.
    fn covers(&self, key: &str) -> bool {
        let segments: Vec<_> = key.split('/').skip(1).collect();
        let is_below = segments.len() > self.path.len() && segments.starts_with(self.path);
        is_below || (!self.only_below && segments == self.path)
    }

    /// True if every key that begins with a prefix is covered: its last segment may go on in any way.
    fn covers_all(&self, prefix: &str) -> bool {
        let mut whole: Vec<_> = prefix.split('/').skip(1).collect();
        whole.pop();
        whole.starts_with(self.path)
    }
}

#[rustfmt::skip]
const GRANTED: &[Granted] = &[
    Granted { words: "storage.read:/p", read: true, create: false, modify: false, path: &["p"], only_below: false },
    Granted { words: "storage.stage:/p/", read: true, create: false, modify: false, path: &["p"], only_below: true },
    Granted { words: "read:/p/k openid", read: true, create: false, modify: false, path: &["p", "k"], only_below: false },
    Granted { words: "storage.create:/p/", read: false, create: true, modify: false, path: &["p"], only_below: true },
    Granted { words: "storage.create:/%70", read: false, create: true, modify: false, path: &["p"], only_below: false },
    Granted { words: "storage.modify:/p/", read: false, create: true, modify: true, path: &["p"], only_below: true },
    Granted { words: "write:/p", read: false, create: true, modify: true, path: &["p"], only_below: false },
    Granted { words: "storage.modify://p//k", read: false, create: true, modify: true, path: &["p", "k"], only_below: false },
    Granted { words: "storage.modify:/", read: false, create: true, modify: true, path: &[], only_below: true },
    Granted { words: "storage.read:/ compute.create", read: true, create: false, modify: false, path: &[], only_below: true },
    Granted { words: "storage.poll:/p", read: false, create: false, modify: false, path: &["p"], only_below: false },
    Granted { words: "prominence.revoke", read: false, create: false, modify: false, path: &[], only_below: true },
];

#[test]
fn every_action_is_allowed_exactly_where_a_scope_covers_it() {
    let server = Server::start();
    let owner = server.user("alice");
    let exists = ["/p", "/p/k", "/p/k/x", "/pq", "/q"];
    let prepare = || {
        let sets: Vec<_> = exists
            .iter()
            .map(|key| json!({"set": key, "value": "1"}))
            .collect();
        assert_eq!(owner.delete("/kv?prefix").status, 200);
        let body = json!({"do": sets}).to_string();
        let json = [("content-type", "application/json")];
        assert_eq!(
            owner.send("POST", "/kv", &json, body.as_bytes()).status,
            200
        );
    };
    prepare();
    let mut wrong = Vec::new();
    for granted in GRANTED {
        let client = with_claims(&server, &json!({"scope": granted.words}));
        let mut check = |method: &str, path: &str, allowed: bool| {
            let status = client.send(method, path, &[], b"").status;
            if (status != 403) != allowed || (allowed && status >= 300) {
                wrong.push(format!("{} {method} {path}: {status}", granted.words));
            }
            if allowed && method != "GET" {
                prepare();
            }
        };
        for key in exists {
            let covers = granted.covers(key);
            check("GET", &format!("/kv{key}"), covers && granted.read);
            check("PUT", &format!("/kv{key}"), covers && granted.modify);
            check("DELETE", &format!("/kv{key}"), covers && granted.modify);
        }
        for key in ["/p/new", "/p/k/new", "/pq/new", "/new"] {
            let covers = granted.covers(key);
            check("PUT", &format!("/kv{key}"), covers && granted.create);
        }
        for prefix in ["/p", "/p/", "/p/k", "/p/k/", "/pq/", "/"] {
            let covers = granted.covers_all(prefix);
            check("GET", &format!("/kv{prefix}?list"), covers && granted.read);
            check(
                "DELETE",
                &format!("/kv{prefix}?prefix"),
                covers && granted.modify,
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
