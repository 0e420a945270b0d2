//! Mistyped commands and options, and the hints that they get.

use crate::support::alone;

#[track_caller]
fn hinted(arguments: &[&str], words: &str) {
    let complaint = alone(arguments).complaint(2);
    assert!(complaint.contains(words), "{arguments:?}: {complaint}");
    assert!(complaint.ends_with(" --help"), "{arguments:?}: {complaint}");
    assert!(
        !complaint.contains("as a value"),
        "{arguments:?}: {complaint}"
    );
}

#[test]
fn a_misspelt_option_is_told_the_one_that_was_meant() {
    hinted(&["kv", "list", "--lnog"], "'--long'");
    hinted(&["kv", "set", "/a", "1", "--if-absnt"], "'--if-absent'");
    hinted(&["kv", "delte", "/a"], "'delete'");
    hinted(&["serv"], "'serve'");
}

#[test]
fn a_command_in_the_wrong_place_is_told_its_place() {
    hinted(&["get", "/a"], "the command is prominence kv get");
    hinted(&["set", "/a", "1"], "the command is prominence kv set");
    hinted(&["ls"], "the command is prominence kv list");
    hinted(&["put", "/a", "1"], "the command is prominence kv set");
    hinted(&["start"], "the command is prominence serve");
    hinted(&["kv", "serve"], "the command is prominence serve");
    hinted(&["kv", "incr", "/n"], "the command is prominence kv add");
}

#[test]
fn an_option_from_another_program_is_told_what_it_is_here() {
    hinted(&["kv", "wait", "/a/", "--wait=10"], "is --timeout");
    hinted(&["kv", "get", "/a", "--timeout", "10s"], "is --wait");
    hinted(&["kv", "get", "/a", "-n"], "byte for byte already");
    hinted(&["kv", "list", "--prefix", "/a"], "without an option");
    hinted(&["kv", "list", "--recursive"], "is included already");
    hinted(&["kv", "delete", "-rf", "/a/"], "with --prefix");
    hinted(&["kv", "delete", "--prefix", "/", "-f"], "with --yes");
    hinted(&["kv", "set", "/a", "1", "--expire", "10"], "with --ttl");
    hinted(
        &["kv", "get", "/a", "-H", "Authorization: x"],
        "--token-file",
    );
    hinted(
        &["kv", "get", "/a", "--endpoints", "http://a"],
        "with --url",
    );
    hinted(&["kv", "get", "/a", "--context", "site"], "with --profile");
}
