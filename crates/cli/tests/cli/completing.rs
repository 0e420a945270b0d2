//! Completion of keys, in the shells that people use.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{PROGRAM, Person, Ran, Server, alone, clean, run, run_with_input};

/// Keys that a shell would take apart if they were not quoted.
const ODD: &[&str] = &[
    "/in/my key",
    "/in/it's $5",
    "/in/\"quoted\"",
    "/in/host:80=a@b",
    "/in/*?[x]",
    "/in/über~#!",
    "/in/back\\slash",
];

/// On a busy machine an answer can take longer than a completion waits for it.
const ATTEMPTS: usize = 10;

/// The command that starts a shell and names the script, which it reads from standard input's first line.
const SHELLS: &[(&str, &str)] = &[
    ("bash --norc --noprofile -i", "source ./completion.bash"),
    (
        "zsh -f -i",
        "autoload -U compinit; compinit -u -D; source ./completion.zsh",
    ),
    // As the file of a folder in fpath.
    (
        "zsh -f -i",
        "fpath=($PWD/functions $fpath); autoload -U compinit; compinit -u -D",
    ),
    ("fish --no-config -i", "source ./completion.fish"),
];

/// The words that the program offers after these, the last of which is being typed.
fn offered(me: &Person<'_>, words: &[&str]) -> Vec<String> {
    for _ in 0..ATTEMPTS {
        let mut command = me.command(&["__complete", "zsh"]);
        let text = run(command.args(words)).text();
        if !text.is_empty() {
            return text.lines().map(str::to_owned).collect();
        }
    }
    Vec::new()
}

/// Types a line at a shell's prompt; answers what the command that it became has printed.
fn typed(me: &Person<'_>, (shell, setup): (&str, &str), line: &str) -> Vec<u8> {
    let name = shell.split(' ').next().unwrap();
    let script = alone(&["completions", name]).text();
    let file = match setup.contains("fpath") {
        true => "functions/_prominence".to_owned(),
        false => format!("completion.{name}"),
    };
    std::fs::create_dir_all(me.home().join("functions")).unwrap();
    std::fs::write(me.home().join(file), script).unwrap();
    let out = me.home().join("out");
    let _ = std::fs::remove_file(&out);
    // util-linux's script gives a command a terminal.
    let mut terminal = clean("script", me.home());
    me.equip(&mut terminal);
    let programs = Path::new(PROGRAM).parent().unwrap().display();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
    terminal.args(["-qec", shell, "/dev/null"]);
    terminal.current_dir(me.home()).env("PATH", path);
    terminal.env("LC_ALL", "C.UTF-8");
    let keys = format!("{setup}\n{line} >out\nexit\n");
    run_with_input(&mut terminal, keys.as_bytes());
    std::fs::read(out).unwrap_or_default()
}

#[track_caller]
fn becomes(me: &Person<'_>, shell: (&str, &str), line: &str, printed: &str) {
    let attempts = (0..ATTEMPTS).map(|_| typed(me, shell, line));
    let last = attempts.map(|bytes| String::from_utf8(bytes).unwrap());
    let mut last = last.skip_while(|text| text != printed);
    assert!(
        last.next().is_some(),
        "{}: {line:?} did not print {printed:?}",
        shell.0
    );
}

fn fill(me: &Person<'_>) {
    for key in ["/in/param1", "/in/deep/er", "/inside/x"].iter().chain(ODD) {
        me.kv(&["set", key, "--string", &format!("value of {key}")])
            .text();
    }
}

#[test]
fn every_shell_completes_keys_in_any_quotes() {
    let server = Server::start();
    let me = server.user("me");
    fill(&me);
    for &shell in SHELLS {
        becomes(
            &me,
            shell,
            "prominence kv get /in/p\t",
            "value of /in/param1",
        );
        becomes(
            &me,
            shell,
            "prominence kv get in/p\t",
            "value of /in/param1",
        );
        // A folder is no end: what is typed next goes on from it.
        becomes(
            &me,
            shell,
            "prominence kv get /insi\tx",
            "value of /inside/x",
        );
        becomes(
            &me,
            shell,
            "prominence kv get /in/d\t\t",
            "value of /in/deep/er",
        );
        for key in ODD {
            let start: String = key.chars().take("/in/m".len()).collect();
            for quote in ["", "\"", "'"] {
                // A wildcard without quotes is a wildcard, and a quote would end the quotes.
                let is_special = start.ends_with(['*', '"', '\\']);
                if is_special && quote != "'" {
                    continue;
                }
                // fish completes no word with a wildcard in it, quoted or not.
                if start.ends_with('*') && shell.0.starts_with("fish") {
                    continue;
                }
                let line = format!("prominence kv get {quote}{start}\t");
                becomes(&me, shell, &line, &format!("value of {key}"));
            }
        }
        becomes(
            &me,
            shell,
            "prominence kv get /in/host:\t",
            "value of /in/host:80=a@b",
        );
    }
}

#[test]
fn every_shell_completes_commands_options_and_files() {
    let server = Server::start();
    let me = server.user("me");
    std::fs::write(me.home().join("a-file"), "content").unwrap();
    for &shell in SHELLS {
        becomes(&me, shell, "prominence kv us\t --js\t | head -c 1", "{");
        becomes(
            &me,
            shell,
            "prominence kv set /k --file a-fi\t; prominence kv get /k",
            "content",
        );
        becomes(
            &me,
            shell,
            "prominence kv set /k --file=a-fi\t; prominence kv get /k",
            "content",
        );
        me.kv(&["delete", "/k"]).text();
    }
}

#[test]
fn keys_are_offered_one_level_at_a_time_wherever_a_command_takes_one() {
    let server = Server::start();
    let me = server.user("me");
    fill(&me);
    assert_eq!(offered(&me, &["kv", "get", "/i"]), ["/in/", "/inside/"]);
    assert_eq!(offered(&me, &["kv", "mv", "/i"]), ["/in/", "/inside/"]);
    assert_eq!(
        offered(&me, &["kv", "cp", "/a", "/i"]),
        ["/in/", "/inside/"]
    );
    assert_eq!(offered(&me, &["kv", "get", "/in/p"]), ["/in/param1"]);
    assert_eq!(offered(&me, &["kv", "get", "//in//p"]), ["//in//param1"]);
    for command in [
        "list", "get", "set", "delete", "add", "tree", "load", "gather", "export", "wait", "watch",
        "lock", "claim",
    ] {
        let keys = offered(&me, &["kv", command, "/ins"]);
        assert_eq!(keys, ["/inside/"], "{command}");
    }
    assert_eq!(
        offered(&me, &["kv", "import", "folder", "/ins"]),
        ["/inside/"]
    );
    assert_eq!(
        offered(&me, &["kv", "delete", "--prefix", "/ins"]),
        ["/inside/"]
    );
    assert_eq!(offered(&me, &["kv", "claim", "/in/", "--", ""]), [":files"]);
    assert_eq!(offered(&me, &["kv", "get", "/a", "-o", ""]), [":files"]);
}

#[test]
fn the_server_that_the_line_names_is_asked() {
    let server = Server::start();
    let me = server.user("me");
    fill(&me);
    let token = me.home().join("token");
    std::fs::write(&token, &me.token).unwrap();
    let folder = me.home().join(".config/prominence");
    std::fs::create_dir_all(&folder).unwrap();
    let profile = format!(
        "[profile.here]\nurl = {:?}\ntoken-file = {token:?}\n",
        server.url
    );
    std::fs::write(folder.join("config.toml"), profile).unwrap();
    let ask = |words: &[&str]| {
        let attempts = (0..ATTEMPTS).map(|_| {
            let mut command = clean(PROGRAM, me.home());
            run(command.args(["__complete", "zsh"]).args(words)).stdout
        });
        attempts
            .map(|bytes| String::from_utf8(bytes).unwrap())
            .find(|text| !text.is_empty())
    };
    let found = Some("/in/param1\n".to_owned());
    assert_eq!(ask(&["--profile", "here", "kv", "get", "/in/p"]), found);
    assert_eq!(ask(&["kv", "get", "--profile=here", "/in/p"]), found);
    let token = token.to_str().unwrap();
    let named = [
        "kv",
        "get",
        "--url",
        &server.url,
        "--token-file",
        token,
        "/in/p",
    ];
    assert_eq!(ask(&named), found);
    assert_eq!(ask(&["--profile", "h"]), Some("here\n".to_owned()));
}

#[test]
fn of_too_many_keys_the_first_are_offered_and_the_rest_is_told() {
    let server = Server::start();
    let me = server.user("me");
    let rows: String = (0..1_001).map(|row| format!("a{row:04}\n")).collect();
    std::fs::write(me.home().join("t.csv"), format!("name\n{rows}")).unwrap();
    let table = me.home().join("t.csv");
    let table = table.to_str().unwrap();
    me.kv(&["load", "/many", table, "--key", "name"]).text();
    let keys = offered(&me, &["kv", "get", "/many/"]);
    assert_eq!(keys.len(), 1_001);
    assert_eq!(keys[999], "/many/a0999");
    // It keeps a shell from completing what only the first have in common.
    assert_eq!(keys[1_000], "/many/…");
}

#[test]
fn completion_that_fails_says_nothing_and_ends_in_time() {
    let silent = |ran: Ran| {
        assert_eq!(
            (ran.status, ran.stdout, ran.stderr),
            (0, Vec::new(), String::new())
        );
    };
    silent(alone(&["__complete", "zsh", "kv", "get", "/"]));
    silent(alone(&["__complete", "zsh", "kv", "get", "/a/../"]));
    silent(alone(&["__complete", "fish"]));
    silent(alone(&["__complete", "sh", "x"]));
    silent(alone(&["__complete"]));
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/prominence/v1", mute.local_addr().unwrap());
    let words = ["--url", &url, "--token", "t", "kv", "get", "/"];
    let began = Instant::now();
    silent(alone(&[&["__complete", "zsh"], &words[..]].concat()));
    // Two seconds, and time for a busy machine; a request waits for much longer.
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn keys_that_a_terminal_would_obey_are_not_offered() {
    let server = Server::start();
    let me = server.user("me");
    for key in ["/in/\u{202e}txt", "/in/a\u{9d}b", "/in/plain"] {
        me.kv(&["set", key, "--string", "x"]).text();
    }
    assert_eq!(offered(&me, &["kv", "get", "/in/"]), ["/in/plain"]);
}
