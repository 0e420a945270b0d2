//! `kv batch`: many changes, all of them or none.

use crate::support::Server;

#[test]
fn a_batch_is_done_whole_and_says_what_it_did() {
    let server = Server::start();
    let me = server.user("me");
    me.kv(&["set", "/b", "old"]).text();
    let file = server.home.path().join("batch.json");
    let batch = r#"{"if": [{"key": "/b", "value": "old"}],
        "do": [{"set": "/a", "value": "1"}, {"set": "/c", "value_base64": "AP8="},
               {"delete": "/b"}, {"delete": "/none"}, {"add": "/n", "by": -2}]}"#;
    std::fs::write(&file, batch).unwrap();
    let done = me.kv(&["batch", file.to_str().unwrap()]);
    let lines = "created /a\ncreated /c\ndeleted /b\nabsent /none\nadded /n -2\n";
    assert_eq!(done.text(), lines);
    assert_eq!(me.kv(&["get", "/c"]).bytes(), [0, 255]);

    let again = me.kv(&["batch", file.to_str().unwrap()]);
    assert_eq!(again.status, 1, "{}", again.stderr);
    assert!(again.stderr.contains("/b"), "{}", again.stderr);
    assert_eq!(me.kv(&["get", "/n"]).text(), "-2");

    let json = me.kv_with_input(
        &["batch", "-", "--json"],
        br#"{"do": [{"add": "/n", "by": 2}]}"#,
    );
    let json: serde_json::Value = serde_json::from_str(&json.text()).unwrap();
    assert_eq!(json["results"][0]["value"], 0);
}

#[test]
fn what_is_no_batch_is_a_usage_error_that_names_the_place() {
    let server = Server::start();
    let me = server.user("me");
    for (batch, words) in [
        ("", "standard input is empty; write a batch such as {"),
        ("{", "is not JSON (line 1, column 1)"),
        (
            r#"[{"delete": "/a"}]"#,
            r#"put the operations into its member "do", as in {"do": ["#,
        ),
        (
            r#"{"do": [{"st": "/a"}]}"#,
            r#"unknown member "st" at do[0]; write "set""#,
        ),
        (
            r#"{"do": [{"set": "/a", "value": 1}]}"#,
            r#"a text in double quotes, such as "1""#,
        ),
        (r#"{"do": [{"set": "/a"}]}"#, "do[0]"),
        (
            r#"{"do": [{"set": "/a"}]}"#,
            "; nothing was changed; prominence kv batch --help shows",
        ),
    ] {
        let complaint = me
            .kv_with_input(&["batch", "-"], batch.as_bytes())
            .complaint(2);
        assert!(complaint.contains(words), "{complaint}");
        assert!(complaint.contains("; "), "{complaint}");
        assert!(!complaint.contains("expected"), "{complaint}");
    }
    let large = me.kv_with_input(&["batch", "-"], &vec![b' '; (1 << 20) + 1]);
    assert_eq!(large.status, 2, "{}", large.stderr);
    assert!(large.stderr.contains("1048576"), "{}", large.stderr);
    assert_eq!(me.kv(&["list"]).text(), "");
}
