//! Commands that read standard input, at a terminal on which nothing else would tell that they wait.

use crate::support::Server;
use crate::terminal::at_a_terminal;

/// Ends the input of a terminal.
const END: &str = "\u{4}";

#[test]
fn a_command_that_waits_for_input_at_a_terminal_says_for_what_and_how_it_ends() {
    let server = Server::start();
    let me = server.user("me");
    for (line, typed, what) in [
        ("kv set /value -", "42\n", "the value"),
        ("kv set /value --file -", "42\n", "the value"),
        ("kv load /in -", "n\n1\n", "a table"),
        (
            "kv batch -",
            "{\"do\": [{\"delete\": \"/none\"}]}\n",
            "a batch",
        ),
        ("token inspect -", &format!("{}\n", me.token), "a token"),
    ] {
        let (status, said) = at_a_terminal(&me, line, &format!("{typed}{END}"));
        assert_eq!(status, 0, "{line}: {said}");
        let told = format!("prominence: waiting for {what} on standard input; press Ctrl-D");
        assert!(said.contains(&told), "{line}: {said}");
    }
    assert_eq!(me.kv(&["get", "/value"]).text(), "42\n");
    assert_eq!(me.kv(&["get", "/in/1"]).text(), "{\"n\":1}");
    // Nobody waits where a program sends the input.
    me.kv_with_input(&["set", "/value", "-"], b"42").text();
    me.kv_with_input(&["load", "/in", "-"], b"n\n1\n").text();
}

#[test]
fn a_backup_is_not_read_from_a_terminal() {
    let server = Server::start();
    let me = server.user("me");
    for line in ["admin restore - --data-dir new", "admin check --backup -"] {
        let (status, said) = at_a_terminal(&me, line, "");
        assert_eq!(status, 2, "{line}: {said}");
        assert!(said.contains("cannot be typed; name a file"), "{said}");
    }
}
