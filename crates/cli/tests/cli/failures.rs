//! Every exit status, and the sentence that comes with it.

use crate::support::{PROGRAM, Script, Server, alone, answer, clean, page, run, run_with_input};

fn refusal(status: &str, code: &str) -> String {
    answer(
        status,
        "",
        &format!("{{\"error\": \"no\", \"code\": \"{code}\"}}"),
    )
}

#[test]
fn a_missing_key_is_1_and_says_how_to_see_what_there_is() {
    let server = Server::start();
    let complaint = server.user("me").kv(&["get", "/none"]).complaint(1);
    assert!(
        complaint.contains("/none") && complaint.contains("kv list"),
        "{complaint}"
    );
}

#[test]
fn wrong_usage_is_2_and_names_what_is_wrong() {
    for (arguments, word) in [
        (&["kv", "gte"][..], "gte"),
        (&["kv", "get"], "KEY"),
        (&["kv", "get", "/a/"], "only a prefix may"),
        (&["kv", "get", "/a/../b"], "\"..\""),
        (&["kv", "get", "/a\nb"], "control character"),
        (&["kv", "list", "--lnog"], "--lnog"),
        (&["kv", "list", "--long", "--count"], "--count"),
        (&["kv", "set", "/a"], "VALUE"),
        (&["kv", "set", "/a", "b", "--string", "c"], "--string"),
        (
            &["kv", "set", "/a", "b", "--if-absent", "--if-revision", "1"],
            "--if-revision",
        ),
        (&["kv", "set", "/a", "b", "--ttl", "0"], "longer than 0"),
        (&["exec"], "CMD"),
        (&["completions", "tcl"], "tcl"),
        (&["man", "kv", "gte"], "gte"),
    ] {
        let mut all = vec!["--url", "http://127.0.0.1:1/prominence/v1", "--token", "t"];
        all.extend(arguments);
        let complaint = alone(&all).complaint(2);
        assert!(complaint.contains(word), "{arguments:?}: {complaint}");
    }
}

#[test]
fn a_file_that_cannot_be_read_and_a_value_beyond_all_limits_are_2() {
    let server = Server::start();
    let me = server.user("me");
    let complaint = me
        .kv(&["set", "/a", "--file", "/no/such/file"])
        .complaint(2);
    assert!(complaint.contains("/no/such/file"), "{complaint}");
    let complaint = me
        .kv_with_input(&["set", "/a", "-"], &vec![0; 16_385])
        .complaint(2);
    assert!(
        complaint.contains("16384"),
        "the server's own limit: {complaint}"
    );
    let huge = vec![0; (1 << 20) + 1];
    let complaint = me.kv_with_input(&["set", "/a", "-"], &huge).complaint(2);
    assert!(complaint.contains("1048576"), "{complaint}");
    assert_eq!(me.kv(&["list"]).text(), "");
}

#[test]
fn without_an_address_or_with_nonsense_for_one_it_says_how_to_set_it() {
    let complaint = alone(&["kv", "list"]).complaint(2);
    assert!(
        complaint.contains("export PROMINENCE_URL=http://"),
        "{complaint}"
    );
    let complaint = alone(&["kv", "list", "--url", "localhost:8080"]).complaint(2);
    assert!(complaint.contains("localhost:8080"), "{complaint}");
}

#[test]
fn an_address_that_goes_on_after_the_interface_is_refused_and_another_path_is_told_its_setting() {
    let server = Server::start();
    let me = server.user("me");
    for rest in ["/kv", "/kv/output/"] {
        let url = format!("{}{rest}", server.url);
        let mut set = me.command(&["kv", "set", "/u1", "1"]);
        let complaint = run(set.env("PROMINENCE_URL", &url)).complaint(2);
        for words in [
            format!("goes on after /prominence/v1; write {};", server.url),
            "correct PROMINENCE_URL".to_owned(),
        ] {
            assert!(complaint.contains(&words), "{complaint}");
        }
    }
    assert_eq!(me.kv(&["list"]).text(), "");
    let origin = server.url.strip_suffix("/prominence/v1").unwrap();
    for path in ["/kv", "/prominence", "/prominence/v2"] {
        let url = format!("{origin}{path}");
        let right = format!("write {} there", server.url);
        let mut get = me.command(&["kv", "get", "/c"]);
        let complaint = run(get.env("PROMINENCE_URL", &url)).complaint(3);
        let named = format!("the URL {url} comes from PROMINENCE_URL; {right}");
        assert!(complaint.contains(&named), "{complaint}");
        let complaint = run(&mut me.command(&["kv", "list", "--url", &url])).complaint(3);
        assert!(complaint.contains("comes from --url"), "{complaint}");
    }
}

#[test]
fn without_a_token_or_with_a_bad_one_it_is_3() {
    let server = Server::start();
    let complaint = alone(&["kv", "list", "--url", &server.url]).complaint(3);
    assert!(complaint.contains("PROMINENCE_TOKEN"), "{complaint}");
    let complaint = alone(&["kv", "list", "--url", &server.url, "--token", "x"]).complaint(3);
    assert!(complaint.contains("token"), "{complaint}");
    let complaint = alone(&["kv", "list", "--url", &server.url, "--token", "a b"]).complaint(3);
    assert!(
        complaint.contains("--token") && !complaint.contains("a b"),
        "{complaint}"
    );
}

#[test]
fn a_token_that_does_not_cover_the_key_is_3() {
    let server = Server::start();
    let home = server.home.path();
    let mint = ["token", "create", "--scope", "storage.read:/mine"];
    let token = run(clean(PROGRAM, home).args(mint)).text();
    let mut set = clean(PROGRAM, home);
    set.args(["kv", "set", "/mine/a", "x", "--url", &server.url]);
    let complaint = run(set.args(["--token", token.trim()])).complaint(3);
    assert!(complaint.contains("scope"), "{complaint}");
}

#[test]
fn a_server_that_is_not_there_is_3_and_says_so() {
    // Nothing listens on a port that was free a moment ago.
    let gone = Script::new(vec![]);
    let url = gone.url.clone();
    gone.played();
    let complaint = alone(&[
        "kv",
        "get",
        "/a",
        "--url",
        &url,
        "--token",
        "t",
        "--retry-for",
        "0",
    ])
    .complaint(3);
    assert!(
        complaint.contains("connection refused") && complaint.contains("PROMINENCE_URL"),
        "{complaint}"
    );
    let nowhere = "http://no-such-host.invalid/prominence/v1";
    let complaint = alone(&[
        "whoami",
        "--url",
        nowhere,
        "--token",
        "t",
        "--retry-for",
        "0",
    ])
    .complaint(3);
    assert!(complaint.contains("no-such-host.invalid"), "{complaint}");
}

#[test]
fn what_the_server_refuses_has_the_status_of_its_kind() {
    for (status, code, expected) in [
        ("400 Bad Request", "bad_request", 2),
        ("409 Conflict", "not_a_number", 1),
        ("412 Precondition Failed", "precondition_failed", 1),
        ("413 Content Too Large", "value_too_large", 2),
        ("404 Not Found", "not_found", 3),
        ("500 Internal Server Error", "internal", 3),
        ("501 Not Implemented", "not_implemented", 3),
        ("507 Insufficient Storage", "quota_exceeded", 3),
    ] {
        let script = Script::new(vec![refusal(status, code)]);
        script.run(&["kv", "add", "/a"]).complaint(expected);
        script.played();
    }
}

#[test]
fn another_web_server_is_recognised_as_another() {
    let html = "Server: Apache/2.4\r\nContent-Type: text/html\r\n";
    for (status, body, words) in [
        (
            "200 OK",
            "<html>It works!</html>",
            "200 OK from Apache/2.4, \"It works!\"",
        ),
        ("200 OK", "", "200 OK from Apache/2.4, without text"),
        ("401 Unauthorized", "<title>Sign in</title>", "\"Sign in\""),
        (
            "403 Forbidden",
            "<title>403</title>",
            "403 Forbidden from Apache/2.4",
        ),
        (
            "404 Not Found",
            "<title>404 Not Found</title>",
            "\"404 Not Found\"",
        ),
        ("405 Method Not Allowed", "", "405 Method Not Allowed"),
        ("400 Bad Request", "\nno\n", "\"no\""),
        ("302 Found", "", "302 Found"),
        (
            "429 Too Many Requests",
            "slow \u{1b}[31m down",
            "\"slow [31m down\"",
        ),
    ] {
        for arguments in [&["kv", "list"][..], &["kv", "get", "/a"], &["whoami"]] {
            let script = Script::new(vec![page(status, html, body)]);
            let mut line = vec!["--retry-for", "0"];
            line.extend(arguments);
            let complaint = script.run(&line).complaint(3);
            let expected = "is not from a Prominence server: ";
            assert!(complaint.contains(expected), "{status}: {complaint}");
            assert!(complaint.contains(words), "{status}: {complaint}");
            assert!(complaint.contains("ask who runs the proxy"), "{complaint}");
            assert!(
                !complaint.contains("to log in"),
                "the token may be good: {complaint}"
            );
            script.played();
        }
    }
}

#[test]
fn an_addition_that_may_have_happened_is_sent_once_and_says_so() {
    let script = Script::new(vec![refusal("503 Service Unavailable", "unavailable")]);
    let complaint = script.run(&["kv", "add", "/a"]).complaint(3);
    assert!(
        complaint.contains("may or may not have happened"),
        "{complaint}"
    );
    script.played();
}

#[test]
fn a_read_outlives_a_server_that_is_busy_for_a_moment() {
    let busy = refusal("503 Service Unavailable", "unavailable");
    let value = answer("200 OK", "ETag: \"1\"\r\n", "42");
    let script = Script::new(vec![busy, String::new(), value]);
    let ran = script.run(&["kv", "get", "/a"]);
    assert_eq!(
        (ran.status, ran.stdout.as_slice()),
        (0, &b"42"[..]),
        "{ran:?}"
    );
    // It is told once what the matter is, and not with every try.
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    assert!(ran.stderr.contains("trying again for up to"), "{ran:?}");
    script.played();
}

#[test]
fn a_folder_is_no_file() {
    let server = Server::start();
    let me = server.user("me");
    let mut set = me.command(&["kv", "set", "/a", "--file", "/"]);
    let complaint = run_with_input(&mut set, b"").complaint(2);
    assert!(complaint.contains("directory"), "{complaint}");
    assert_eq!(me.kv(&["list"]).text(), "");
}

#[test]
fn a_value_that_is_too_large_is_refused_with_what_people_do_instead() {
    let server = Server::start();
    let me = server.user("me");
    for bytes in [20_000, (1 << 20) + 1] {
        let complaint = me
            .kv_with_input(&["set", "/a", "--file", "-"], &vec![b'x'; bytes])
            .complaint(2);
        for words in ["path of a file", "compress it", "value-limit"] {
            assert!(complaint.contains(words), "{bytes}: {complaint}");
        }
        assert_eq!(complaint.matches("compress").count(), 1, "{complaint}");
    }
    let folder = server.home.path().join("in");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("large"), vec![b'x'; 20_000]).unwrap();
    let complaint = me
        .kv(&["import", folder.to_str().unwrap(), "/in/"])
        .complaint(2);
    assert!(complaint.contains("compress them"), "{complaint}");
}

#[test]
fn every_refusal_ends_in_what_to_do_next() {
    let server = Server::start_with(&["--quota-keys", "2"]);
    let me = server.user("me");
    let home = server.home.path().display().to_string();
    me.kv(&["set", "/a", "x"]).text();
    let scoped = [
        "token",
        "create",
        "--user",
        "me",
        "--scope",
        "storage.read:/b",
    ];
    let reader = run(clean(PROGRAM, server.home.path()).args(scoped)).text();
    let folder = format!("{home}/folder");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(format!("{home}/batch"), "{}").unwrap();
    me.kv(&["set", "/b", "x"]).text();
    for (line, next) in [
        (&["kv", "get", "/none"][..], "prominence kv list"),
        (&["kv", "get", "/a/"], "leave the \"/\" out"),
        (&["kv", "get", "/a/../b"], "use another name"),
        (&["kv", "get", ""], "write a path such as"),
        (&["kv", "set", "/a", "--file", "/none"], "check its name"),
        (&["kv", "set", "/a", "--file", &folder], "name a file in it"),
        (
            &["kv", "set", "/a", "1", "--if-absent"],
            "read the key again",
        ),
        (
            &["kv", "set", "/a", "1", "--if-revision", "9"],
            "read the key again",
        ),
        (&["kv", "set", "/c", "1"], "raise the quota"),
        (
            &["kv", "set", "/a", "1", "--token", reader.trim()],
            "use a token whose scopes do",
        ),
        (&["kv", "add", "/a"], "set it to one"),
        (&["kv", "batch", "/none"], "check its name"),
        (
            &["kv", "batch", &format!("{home}/batch")],
            "add the operations, as in",
        ),
        (
            &["kv", "import", &format!("{home}/none"), "/in/"],
            "check its name",
        ),
        (
            &["kv", "export", "/", &format!("{home}/batch")],
            "name another place",
        ),
        (&["kv", "get", "/a", "-o", "/none/x"], "check its name"),
        (&["kv", "list", "--token", "x"], "PROMINENCE_TOKEN"),
        (&["kv", "lock", "/l", "--", "/none"], "raise the quota"),
        (&["exec", "--", "/none"], "check its name"),
        (&["exec", "--", &folder], "chmod +x"),
        (&["token", "inspect", "x"], "whoami"),
        (&["token", "inspect", "x y"], "copy it again"),
        (
            &["kv", "claim", "/none/", "--", "true"],
            "prominence kv list",
        ),
        (&["kv", "load", "/in", "/none"], "check its name"),
        (&["kv", "missing", "/none/", "/out/"], "prominence kv list"),
        (&["admin", "check", "--backup", "/none"], "check its name"),
        (&["kv", "list", "--url", "http://h/p?q"], "leave that out"),
        (&["kv", "list", "--lng"], "--help"),
    ] {
        let ran = me.run(line);
        assert_ne!(ran.status, 0, "{line:?}");
        let last = ran
            .stderr
            .trim_end()
            .rsplit("; ")
            .next()
            .unwrap_or_default();
        assert!(
            ran.stderr.contains("; ") && ran.stderr.contains(next),
            "{line:?}: {}",
            ran.stderr
        );
        assert!(!last.is_empty(), "{line:?}");
    }
}
