//! Prefixes that no key begins with, which are more likely misspelt than meant.

use crate::support::{Person, Server, run};
use crate::terminal::at_a_terminal;

fn fill(me: &Person<'_>, keys: &[&str]) {
    for key in keys {
        me.kv(&["set", key, "--string", "{}"]).text();
    }
}

#[test]
fn a_prefix_without_keys_is_told_with_a_folder_of_a_similar_name() {
    let server = Server::start();
    let me = server.user("me");
    fill(
        &me,
        &["/sweep/input/1", "/sweep/output/1", "/queue/a", "/quark"],
    );
    let folder = server.home.path().join("out");
    let folder = folder.to_str().unwrap();
    for (line, status, told) in [
        (
            &["gather", "/sweep/ouptut/"][..],
            0,
            "there are no keys below /sweep/ouptut/; there is /sweep/output/, if that is meant",
        ),
        (
            &["gather", "/sweep/outputs", "--join", "/sweep/input/"],
            0,
            "there are no keys below /sweep/outputs/; there is /sweep/output/, if that is meant",
        ),
        (
            &["export", "/sweeps/", folder],
            0,
            "there are no keys below /sweeps/; there is /sweep/, if that is meant",
        ),
        (
            &["delete", "--prefix", "/qeue/"],
            0,
            "there are no keys below /qeue/; there is /queue/, if that is meant",
        ),
        (
            &["delete", "--prefix", "/qeue", "--dry-run"],
            0,
            "there are no keys that begin with /qeue; there is /queue/, if that is meant",
        ),
        (
            &["claim", "/quue/", "--until-empty", "--", "true"],
            0,
            "there are no keys below /quue/; there is /queue/, if that is meant",
        ),
        (
            &["claim", "/quue/", "--", "true"],
            1,
            "there is nothing to claim under /quue/: there are no keys; there is /queue/, if that is \
             meant",
        ),
        (
            &["missing", "/sweep/inputs/", "/sweep/output/"],
            1,
            "there are no inputs under /sweep/inputs/; there is /sweep/input/, if that is meant",
        ),
        (
            &["missing", "/sweep/input/", "/sweep/outptu/"],
            1,
            "there are no keys below /sweep/outptu/; there is /sweep/output/, if that is meant",
        ),
        (
            &["wait", "/sweep/inptu/", "--count", "3", "--timeout", "1s"],
            1,
            "after 1s, 0 of 3 keys begin with /sweep/inptu/; there is /sweep/input/, if that is meant; \
             or wait longer with --timeout",
        ),
        (
            &["gather", "/something/else/"],
            0,
            "there are no keys below /something/else/; prominence kv list --dirs /something/ shows what \
             there is",
        ),
    ] {
        let ran = me.kv(line);
        assert_eq!(ran.status, status, "{line:?}: {ran:?}");
        assert_eq!(ran.stderr, format!("prominence: {told}\n"), "{line:?}");
    }
    assert_eq!(me.kv(&["list", "--count"]).text(), "4\n");
}

#[test]
fn an_empty_namespace_says_how_a_first_key_is_stored() {
    let server = Server::start();
    let me = server.user("me");
    let ran = me.kv(&["gather", "/"]);
    assert!(
        ran.stderr
            .contains("there are no keys; prominence kv set KEY VALUE"),
        "{ran:?}"
    );
}

#[test]
fn an_empty_list_is_explained_to_a_person_alone() {
    let server = Server::start();
    let me = server.user("me");
    fill(&me, &["/input/1"]);
    for line in ["kv list /inptu/", "kv tree /inptu/"] {
        let (status, said) = at_a_terminal(&me, line, "");
        assert_eq!(status, 0, "{said}");
        assert!(
            said.contains("there are no keys below /inptu/; there is /input/"),
            "{said}"
        );
    }
    assert_eq!(me.kv(&["list", "/inptu/"]).text(), "");
}

#[test]
fn a_token_that_may_not_list_the_folder_is_told_without_a_name() {
    let server = Server::start();
    let me = server.user("me");
    fill(&me, &["/input/1"]);
    let create = [
        "token",
        "create",
        "--user",
        "me",
        "--scope",
        "storage.read:/inptu",
    ];
    let token = me.run(&create).text();
    let mut gather = me.command(&["kv", "gather", "/inptu/"]);
    let ran = run(gather.env("PROMINENCE_TOKEN", token.trim()));
    assert_eq!(ran.status, 0, "{ran:?}");
    assert_eq!(
        ran.stderr,
        "prominence: there are no keys below /inptu/; prominence kv list --dirs / shows what there is\n"
    );
}
