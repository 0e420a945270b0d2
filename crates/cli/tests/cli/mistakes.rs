//! Mistyped commands and options, and the hints that they get.

use crate::support::{PROGRAM, alone, clean, run};

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
}

#[test]
fn a_command_of_another_program_is_told_the_command_line_that_does_it() {
    for (word, line) in [
        ("incr", "kv add KEY 1"),
        ("decr", "kv add KEY -1"),
        ("count", "kv list --count PREFIX"),
        ("find", "kv list PREFIX | grep TEXT"),
        ("search", "kv list PREFIX | grep TEXT"),
        ("head", "kv list --limit 10 PREFIX"),
        ("tail", "kv list --reverse --limit 10 PREFIX"),
        ("stat", "kv get --json KEY"),
        ("ttl", "kv get --json KEY"),
        ("exists", "kv get KEY"),
        ("clear", "kv delete --prefix PREFIX"),
        ("flushall", "kv delete --prefix PREFIX"),
        ("keys", "kv list"),
        ("scan", "kv list --after KEY --limit 100"),
        ("touch", "kv set KEY --string ''"),
        ("expire", "kv set KEY VALUE --ttl 1h"),
        ("append", "kv set /log/1 TEXT"),
        ("txn", "kv batch FILE"),
        ("sync", "kv import DIR PREFIX"),
        ("subscribe", "kv watch PREFIX"),
        ("pop", "kv claim PREFIX -- CMD"),
        ("status", "whoami"),
    ] {
        let line = format!(" prominence {line}");
        hinted(&["kv", word, "/a"], &line);
        hinted(&[word], &line);
    }
    hinted(&["kv", "compact"], "without a command");
}

#[test]
fn an_option_from_another_program_is_told_what_it_is_here() {
    for (line, words) in [
        (
            "kv wait /a/ --wait=10",
            "use --timeout 10 to wait for at most 10s",
        ),
        (
            "kv get /a --timeout 10s",
            "use --wait 10s to wait for at most 10s",
        ),
        (
            "kv get /a --timeout",
            "use --wait 10m to wait for at most 10 minutes",
        ),
        ("kv get /a -n", "byte for byte already"),
        ("kv list --prefix /a", "without an option"),
        ("kv list --recursive", "is included already"),
        ("kv list -la", "every key is listed already"),
        ("kv list -n 3", "use --limit 3 to see at most 3"),
        ("kv list -n", "use --limit 10 to see at most 10"),
        ("kv list --n 3", "use --limit 3"),
        ("kv list -3", "use --limit 3"),
        ("kv list --tail", "use --reverse --limit 10"),
        ("kv list --start -1", "use --after KEY"),
        ("kv delete -rf /a/", "use --prefix"),
        ("kv delete --prefix / -f", "use --yes"),
        ("kv delete --all", "use prominence kv delete --prefix /"),
        (
            "kv set /a 1 --expire 10",
            "use --ttl 10 to let the value expire after 10s",
        ),
        ("kv lock /a --for 1m -- true", "use --ttl 1m"),
        ("kv watch --from 3", "use --since 3"),
        ("kv watch --after 3", "use --since 3"),
        ("kv watch --initial", "use --existing"),
        (
            "kv claim /a/ --jobs 3 -- true",
            "use --workers 3 to run 3 commands",
        ),
        ("kv claim /a/ --parallel 3 -- true", "use --workers 3"),
        ("kv gather /a/ -f json", "use --format json"),
        ("kv gather /a/ --output-format csv", "use --format csv"),
        ("kv list --output-format json", "use --json"),
        ("kv list -u redis://x", "use --url URL to name the server"),
        ("kv list -u alice", "use prominence whoami"),
        ("kv list --header", "a line of headings"),
        ("kv list --header Authorization:x", "use --token-file FILE"),
        ("kv load /a/ b --sep ;", "use --delimiter ';' to load"),
        ("kv load /a/ b -F|", "use --delimiter '|' to load"),
        ("kv load /a/ b --sep", "use --delimiter tab to load"),
        (
            "kv --limit 3 list /a",
            "write --limit after the command, as in prominence kv list --limit 3;",
        ),
        ("kv -l list", "as in prominence kv list -l;"),
        ("--json kv list --long", "as in prominence kv list --json;"),
        ("kv import a /b/ --parallel 2", "use --jobs 2"),
        ("kv get /a -H Authorization:x", "use --token-file FILE"),
        ("kv get /a --endpoints http://a", "use --url URL"),
        ("kv get /a --context site", "use --profile PROFILE"),
        ("kv set /a 1 --namespace b", "group keys by a folder"),
        ("serve --port 80", "use --listen 127.0.0.1:8080"),
        ("serve --host ::1", "use --listen 127.0.0.1:8080"),
        ("serve --bind ::1", "use --listen 127.0.0.1:8080"),
        ("serve -p 80", "use --listen 127.0.0.1:8080"),
        ("token create --ttl 1h", "use --for 1h"),
    ] {
        let line: Vec<_> = line.split(' ').collect();
        hinted(&line, words);
    }
}

#[test]
fn a_word_after_a_group_is_told_what_the_group_does_and_no_command_for_keys() {
    for (line, words) in [
        ("config set url x", "the client file, /"),
        ("config list", "use prominence config to see"),
        ("config get url", "use prominence config to see"),
        ("config show", "use prominence config to see"),
        ("token ls", "use prominence token list to see"),
        ("token show", "use prominence token inspect to see"),
        ("token delete x", "use prominence token revoke --id ID"),
        ("token renew", "use prominence token create --user USER"),
        ("admin list", "use prominence admin usage"),
        ("admin import", "use prominence admin restore FILE"),
        ("admin serve", "the command is prominence serve"),
        ("token whoami", "the command is prominence whoami"),
        ("kv sadd /a b", "use prominence kv set /set/MEMBER VALUE"),
        (
            "help kv lod",
            "a similar subcommand exists: 'load'; see prominence kv --help",
        ),
        ("help kv incr", "use prominence kv add KEY 1"),
        ("help lod", "see prominence --help"),
    ] {
        let line: Vec<_> = line.split(' ').collect();
        hinted(&line, words);
    }
    for line in [
        ["config", "tree"],
        ["config", "mget"],
        ["token", "watch"],
        ["admin", "cp"],
    ] {
        let complaint = alone(&line).complaint(2);
        assert!(!complaint.contains(" kv "), "{line:?}: {complaint}");
    }
}

#[test]
fn a_value_that_a_variable_has_is_refused_with_the_name_of_the_variable() {
    let told = |name: &str, value: &str, line: &[&str]| {
        let home = tempfile::tempdir().unwrap();
        run(clean(PROGRAM, home.path()).env(name, value).args(line)).complaint(2)
    };
    for (name, value, rule) in [
        (
            "PROMINENCE_SERVE_QUOTA_KEYS",
            "abc",
            "write a whole number from 0",
        ),
        (
            "PROMINENCE_SERVE_ENGINE",
            "abc",
            "[possible values: embedded, etcd]",
        ),
        (
            "PROMINENCE_SERVE_INSECURE",
            "maybe",
            "write true, yes, on or 1, or false",
        ),
    ] {
        let complaint = told(name, value, &["serve"]);
        let refused = format!("invalid value '{value}' for '{name}'");
        assert!(
            complaint.contains(&refused) && complaint.contains(rule),
            "{complaint}"
        );
    }
    let complaint = told(
        "PROMINENCE_SERVE_QUOTA_KEYS",
        "7",
        &["serve", "--quota-keys=x"],
    );
    assert!(
        complaint.contains("'x' for '--quota-keys <N>'"),
        "{complaint}"
    );
    // The next complaint is about the certificate, so that the switch was understood.
    let switch = told(
        "PROMINENCE_SERVE_INSECURE",
        "yes",
        &["serve", "--listen", "x"],
    );
    assert!(switch.contains("'x' for '--listen"), "{switch}");
}

#[test]
fn an_argument_that_is_one_too_many_is_told_which_there_are() {
    hinted(&["kv", "set", "/a", "b", "EX", "10"], "use --ttl 10 to let");
    hinted(&["kv", "set", "/a", "b", "nx"], "use --if-absent");
    hinted(&["kv", "wait", "/a/", "9"], "use --count 9 to wait");
    hinted(&["kv", "list", "/a", "/b"], "takes only PREFIX");
    hinted(&["kv", "set", "/a", "two", "words"], "in quotes");
    hinted(&["kv", "lock", "/a", "./work.sh", "-x"], "write -- before");
    hinted(&["exec", "./work.sh"], "write -- before");
    hinted(&["kv", "usage", "/a"], "takes options only");
}

/// The complaint about a value that an option or an argument can't have.
#[track_caller]
fn refused(line: &str, right: &str) {
    let words: Vec<_> = line.split(' ').collect();
    let complaint = alone(&words).complaint(2);
    let command: Vec<_> = words
        .iter()
        .take_while(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()))
        .copied()
        .collect();
    let see = format!("; see prominence {} --help", command.join(" "));
    assert!(
        complaint.contains(right) && complaint.ends_with(&see),
        "{line}: {complaint}"
    );
    for raw in ["digit", "syntax", "parse", "not in ", "found in"] {
        assert!(!complaint.contains(raw), "{line}: {complaint}");
    }
}

#[test]
fn a_number_that_is_none_is_refused_with_its_range() {
    const WHOLE: &str = "write a whole number from";
    for (line, range) in [
        ("kv list --limit", "1 to 18446744073709551615"),
        ("kv load /a/ b --start", "0 to 1000000000000000"),
        ("kv load /a/ b --jobs", "1 to 64"),
        ("kv export /a/ b --jobs", "1 to 64"),
        ("kv import ./b /a/ --jobs", "1 to 64"),
        ("kv wait /a/ --count", "1 to 18446744073709551615"),
        ("kv watch --since", "0 to 18446744073709551615"),
        ("kv set /a b --if-revision", "0 to 18446744073709551615"),
        ("kv delete /a --if-revision", "0 to 18446744073709551615"),
        ("kv lock /a --slots", "1 to 1000"),
        ("kv claim /a/ --workers", "1 to 1024"),
        ("kv claim /a/ --max-failures", "1 to 18446744073709551615"),
        ("kv claim /a/ --max-attempts", "1 to 18446744073709551615"),
        ("admin usage --limit", "1 to 100000"),
        ("serve --quota-keys", "0 to 18446744073709551615"),
        ("serve --rate-limit", "0 to 4294967295"),
        ("serve --max-connections", "0 to 4294967295"),
        ("serve --max-held", "0 to 4294967295"),
        ("serve --log-changes", "0 to 18446744073709551615"),
    ] {
        for wrong in ["abc", "-1", "1.5", "18446744073709551616"] {
            refused(&format!("{line} {wrong}"), &format!("{WHOLE} {range}"));
        }
    }
}

#[test]
fn a_duration_a_size_or_an_address_that_is_none_is_refused_with_what_to_write() {
    for line in [
        "kv get /a --wait",
        "kv set /a b --ttl",
        "kv wait /a/ --timeout",
        "kv lock /a --wait",
        "kv lock /a --ttl",
        "kv claim /a/ --for",
        "kv list --retry-for",
        "token create --for",
        "serve --read-timeout",
        "serve --log-age",
        "serve --token-leeway",
    ] {
        for wrong in ["abc", "-1", "1.5h", "3w"] {
            refused(&format!("{line} {wrong}"), "90s, 15m, 12h, 7d, 1h30m");
        }
    }
    for line in [
        "serve --value-limit",
        "serve --quota-bytes",
        "serve --cache-size",
        "serve --min-free-disk",
    ] {
        for wrong in ["abc", "-1", "1x"] {
            refused(&format!("{line} {wrong}"), "write a size such as 64KiB");
        }
    }
    for wrong in [
        "8080",
        ":8080",
        "localhost:8080",
        "::1",
        "127.0.0.1:70000",
        "-1",
    ] {
        refused(
            &format!("serve --listen {wrong}"),
            "write an IP address and a port, as in 127.0.0.1:8080",
        );
    }
    refused(
        "kv load /a/ b --delimiter ab",
        "write one character such as",
    );
    refused(
        "kv gather /a/ --format xml",
        "[possible values: csv, json, ndjson]",
    );
    refused("token create --scope read:/a", "storage.read:/PATH");
}

#[test]
fn a_name_that_is_none_is_refused_with_what_a_name_is() {
    for option in ["--user", "--job"] {
        let complaint = alone(&["token", "create", &format!("{option}=a\tb")]).complaint(2);
        assert!(
            complaint.contains("write 1 to 256 bytes without control characters"),
            "{complaint}"
        );
    }
}
