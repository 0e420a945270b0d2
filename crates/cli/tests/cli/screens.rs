//! Short help, which fits a screen, and the version.

use crate::support::{PROGRAM, alone, clean, run};

/// The smallest screen in use. One line of it is the next prompt.
const LINES: usize = 24;
const COLUMNS: usize = 80;

/// Every command, from the reference that the program itself prints.
fn commands() -> Vec<String> {
    let reference = alone(&["man", "--markdown"]).text();
    let names = reference
        .lines()
        .filter_map(|line| line.strip_prefix("## prominence "));
    let names: Vec<_> = names.map(str::to_owned).collect();
    assert!(names.len() >= 35, "{names:?}");
    names
}

/// True if the description of the option on this line begins or continues on the next line.
fn is_broken(line: &str, next: &str) -> bool {
    let is_option = line.trim_start().starts_with('-');
    let alone = is_option && !line.trim().contains("  ");
    let goes_on =
        is_option && next.starts_with("          ") && !next.trim_start().starts_with('-');
    alone || goes_on
}

fn help(command: &str, flag: &str) -> String {
    let mut arguments: Vec<_> = command.split_whitespace().collect();
    arguments.push(flag);
    alone(&arguments).text()
}

#[test]
fn short_help_of_every_command_fits_a_screen_with_one_line_for_each_option_and_shows_examples() {
    for command in commands() {
        let short = help(&command, "-h");
        let lines: Vec<_> = short.trim_end().lines().collect();
        assert!(
            lines.len() < LINES,
            "{command} -h has {} lines:\n{short}",
            lines.len()
        );
        let wide = lines.iter().find(|line| line.chars().count() > COLUMNS);
        assert_eq!(wide, None, "{command}");
        let broken = lines.windows(2).find(|pair| is_broken(pair[0], pair[1]));
        assert_eq!(broken, None, "{command} -h breaks a line:\n{short}");
        assert!(
            short.contains(&format!("Usage: prominence {command}")),
            "{short}"
        );
        let examples = short.split_once("Examples:\n").map(|(_, rest)| rest);
        let examples = examples.unwrap_or_else(|| panic!("{command} -h has no examples:\n{short}"));
        let first = examples.lines().next().unwrap_or_default();
        assert!(
            first.contains(&format!("prominence {command}")),
            "{command}: {examples}"
        );
        let full = help(&command, "--help");
        assert!(full.contains("Examples:"), "{full}");
        assert!(
            full.contains("--url") && !short.contains("--url"),
            "{command}"
        );
    }
}

#[test]
fn short_descriptions_are_not_cut_to_a_fragment() {
    for command in commands() {
        let short = help(&command, "-h");
        let texts = short
            .lines()
            .filter(|line| line.starts_with("  ") && line.trim_start().starts_with(['-', '<', '[']))
            .filter_map(|line| line.trim().rsplit_once("  "));
        for (_, text) in texts {
            let fragment = [
                "With ",
                "Where ",
                "What ",
                "Who",
                "Which ",
                "When ",
                "Only where ",
            ]
            .iter()
            .find(|start| text.starts_with(**start));
            assert_eq!(fragment, None, "{command}: {text}");
        }
    }
}

#[test]
fn the_words_after_the_options_fit_the_terminal_and_are_not_broken_by_hand() {
    const NARROW: &str = "60";
    for command in commands().iter().map(String::as_str).chain([""]) {
        let home = tempfile::tempdir().unwrap();
        let print = |columns: &str| {
            let mut program = clean(PROGRAM, home.path());
            program.args(command.split_whitespace()).arg("--help");
            run(program.env("COLUMNS", columns)).text()
        };
        let narrow = print(NARROW);
        // The parser never wraps the usage.
        let lines = narrow.lines().filter(|line| !line.starts_with("Usage: "));
        let wide = lines.into_iter().find(|line| line.chars().count() > 60);
        assert_eq!(wide, None, "{command} --help");
        let tail = |text: &str| text.split_once("Examples:\n").unwrap().1.to_owned();
        // Examples and tables stand as they are written: a terminal of the usual size breaks none of them.
        let usual = tail(&print("80"));
        let widest = tail(&print("1000"));
        let indented = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| line.starts_with(' '));
            lines.map(str::to_owned).collect()
        };
        assert_eq!(indented(&usual), indented(&widest), "{command} --help");
        // In a narrow terminal no line of a paragraph is much shorter than it has to be.
        let prose: Vec<_> = tail(&narrow).lines().map(str::to_owned).collect();
        for pair in prose.windows(2) {
            let [line, next] = [&pair[0], &pair[1]];
            let is_prose = |line: &str| !line.is_empty() && !line.starts_with(' ');
            if is_prose(line) && is_prose(next) {
                let word = next.split(' ').next().unwrap();
                let length = line.chars().count() + 1 + word.chars().count();
                assert!(length > 60, "{command} --help breaks after: {line}");
            }
        }
    }
}

#[test]
fn short_help_shows_the_options_that_matter_most() {
    for (command, options) in [
        ("kv get", &["--output", "--wait", "--json"][..]),
        ("kv set", &["--file", "--string", "--ttl", "--if-absent"]),
        (
            "kv list",
            &["--long", "--json", "--dirs", "--count", "--reverse"],
        ),
        ("kv delete", &["--prefix", "--dry-run", "--yes"]),
        ("kv lock", &["--ttl", "--wait", "--no-wait", "--slots"]),
        (
            "kv claim",
            &[
                "--for",
                "--wait",
                "--workers",
                "--until-empty",
                "--max-attempts",
                "--dead-letter",
            ],
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
        (
            "exec",
            &[
                "--user",
                "--job",
                "--for",
                "--scope",
                "--data-dir",
                "--secret-file",
            ],
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
fn a_command_to_run_is_an_argument_and_no_option_of_the_server() {
    for flag in ["-h", "--help"] {
        let help = help("exec", flag);
        let (arguments, rest) = help.split_once("Options:").unwrap();
        assert!(arguments.contains("Arguments:\n  <CMD>..."), "{help}");
        assert!(!rest.contains("<CMD>"), "{help}");
    }
}

#[test]
fn short_help_of_the_program_and_of_keys_fits_a_screen_and_names_every_command() {
    let commands = commands();
    for above in ["", "kv"] {
        let short = help(above, "-h");
        assert!(short.trim_end().lines().count() < LINES, "{short}");
        let listed: Vec<_> = short
            .lines()
            .filter(|line| line.starts_with("  "))
            .collect();
        let below = commands.iter().filter_map(|path| match above {
            "" => path.split(' ').next(),
            above => path.strip_prefix(above)?.strip_prefix(' '),
        });
        for name in below {
            let mut words = listed.iter().flat_map(|line| line.split([' ', ',']));
            assert!(words.any(|word| word == name), "{name}:\n{short}");
        }
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
