//! Short help, which fits a screen, and the version.

use crate::support::alone;

/// The smallest screen in use. One line of it is the next prompt.
const LINES: usize = 24;
const COLUMNS: usize = 80;

/// The commands that people use most; all below `kv` come on top.
const COMMON: &[&str] = &[
    "serve",
    "token create",
    "token inspect",
    "exec",
    "whoami",
    "completions",
    "version",
    "config",
    "man",
];

/// The commands below `kv`, from the list that the program itself completes.
fn kv_commands() -> Vec<String> {
    let commands = alone(&["__complete", "zsh", "kv", ""]).text();
    let names = commands.lines().filter_map(|line| line.split('\t').next());
    let names: Vec<_> = names.filter(|name| *name != "help").collect();
    assert!(names.len() >= 16 && names.contains(&"get"), "{names:?}");
    names.iter().map(|name| format!("kv {name}")).collect()
}

fn help(command: &str, flag: &str) -> String {
    let mut arguments: Vec<_> = command.split_whitespace().collect();
    arguments.push(flag);
    alone(&arguments).text()
}

#[test]
fn short_help_of_the_common_commands_fits_a_screen_and_shows_examples() {
    let common = COMMON.iter().map(ToString::to_string);
    for command in common.chain(kv_commands()) {
        let short = help(&command, "-h");
        let lines = short.trim_end().lines().count();
        assert!(lines < LINES, "{command} -h has {lines} lines:\n{short}");
        let wide = short.lines().find(|line| line.chars().count() > COLUMNS);
        assert_eq!(wide, None, "{command}");
        assert!(
            short.contains(&format!("Usage: prominence {command}")),
            "{short}"
        );
        let examples = short.split_once("Examples:\n").map(|(_, rest)| rest);
        let examples = examples.unwrap_or_else(|| panic!("{command} -h has no examples:\n{short}"));
        let first = examples.lines().next().unwrap_or_default();
        assert!(first.contains("prominence"), "{command}: {examples}");
        let full = help(&command, "--help");
        assert!(full.contains("Examples:"), "{full}");
        assert!(
            full.contains("--url") && !short.contains("--url"),
            "{command}"
        );
    }
}

#[test]
fn short_help_shows_the_options_that_matter_most() {
    for (command, options) in [
        ("kv get", &["--output", "--wait", "--json"][..]),
        ("kv set", &["--file", "--string", "--ttl", "--if-absent"]),
        ("kv list", &["--long", "--json", "--dirs", "--count"]),
        ("kv delete", &["--prefix", "--dry-run", "--yes"]),
        ("kv lock", &["--ttl", "--wait", "--no-wait", "--slots"]),
        (
            "kv claim",
            &["--for", "--wait", "--workers", "--until-empty"],
        ),
        ("kv load", &["--key", "--delimiter", "--dry-run"]),
        (
            "serve",
            &[
                "--config",
                "--dev",
                "--listen",
                "--data-dir",
                "--tls-cert",
                "--tls-key",
            ],
        ),
        (
            "token create",
            &["--user", "--job", "--for", "--scope", "--export"],
        ),
    ] {
        let short = help(command, "-h");
        for option in options {
            assert!(
                short.contains(option),
                "{command} -h lacks {option}:\n{short}"
            );
        }
    }
}

#[test]
fn short_help_of_the_program_fits_a_screen_and_names_every_command() {
    let short = help("", "-h");
    assert!(short.trim_end().lines().count() < LINES, "{short}");
    for command in ["kv", "serve", "config", "version", "completions", "man"] {
        assert!(short.contains(&format!("\n  {command} ")), "{short}");
    }
}

#[test]
fn the_version_says_what_was_built_in() {
    let version = env!("CARGO_PKG_VERSION");
    let text = alone(&["version"]).text();
    assert!(
        text.starts_with(&format!("prominence {version}\n")),
        "{text}"
    );
    assert!(text.contains("\nfeatures: server"), "{text}");
    for arguments in [["version", "--json"], ["--version", "--json"]] {
        let json = alone(&arguments).text();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["version"], version);
        let etcd = cfg!(feature = "etcd");
        let features = json["features"].as_array().unwrap();
        assert_eq!(features[0], "server");
        assert_eq!(features.iter().any(|one| one == "etcd"), etcd);
        assert!(
            json["commit"].is_null() || json["commit"].is_string(),
            "{json}"
        );
    }
    assert_eq!(alone(&["--version"]).text(), text);
    assert_eq!(alone(&["-V"]).text(), text);
    let complaint = alone(&["--json"]).complaint(2);
    assert!(complaint.contains("--version"), "{complaint}");
}
