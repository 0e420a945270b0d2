//! Deletions of prefixes that demand a number of keys.

use crate::support::Server;

#[test]
fn a_prefix_is_deleted_only_with_the_number_of_keys_that_is_named() {
    let server = Server::start();
    let me = server.user("me");
    for key in ["/in/a", "/in/b", "/out"] {
        me.kv(&["set", key, "--string", "1"]).text();
    }
    let delete = |count| me.kv(&["delete", "--prefix", "/in/", "--if-count", count]);
    let complaint = delete("3").complaint(1);
    assert!(
        complaint.contains("there are 2 keys, and not 3") && complaint.contains("kv list"),
        "{complaint}"
    );
    assert_eq!(me.kv(&["list", "--count"]).text(), "3\n");
    delete("2").text();
    assert_eq!(me.kv(&["list"]).text(), "/out\n");
    me.kv(&["delete", "/out", "--if-count", "1"]).complaint(2);
    me.kv(&["delete", "--prefix", "/out", "--if-count", "1", "--dry-run"])
        .complaint(2);
    delete("-1").complaint(2);
}
