//! Help, manual, completions and the reference, all from one definition.

use std::path::Path;

use crate::support::alone;

#[test]
fn the_program_alone_prints_its_help() {
    let help = alone(&[]).text();
    assert!(
        help.contains("Usage: prominence") && help.contains("Examples:"),
        "{help}"
    );
    assert_eq!(alone(&["-h"]).text(), help);
}

#[test]
fn every_command_that_does_something_shows_examples() {
    for command in [
        "kv list",
        "kv get",
        "kv set",
        "kv delete",
        "kv add",
        "kv tree",
        "kv usage",
        "kv lock",
        "kv claim",
        "kv wait",
        "kv watch",
        "whoami",
        "token create",
        "token inspect",
        "exec",
        "serve",
        "admin backup",
        "admin restore",
        "admin check",
        "admin usage",
        "completions",
        "man",
    ] {
        let mut arguments: Vec<_> = command.split(' ').collect();
        arguments.push("--help");
        let help = alone(&arguments).text();
        assert!(help.contains("Examples:\n  "), "{command}: {help}");
        assert!(
            help.lines().all(|line| line.chars().count() <= 100),
            "{help}"
        );
    }
}

#[test]
fn the_reference_in_the_documents_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let written = std::fs::read_to_string(file).unwrap();
    let current = alone(&["man", "--markdown"]).text();
    assert!(
        written == current,
        "docs/cli.md has drifted; write it again: cargo run -- man --markdown > docs/cli.md"
    );
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let manual = alone(&["man"]).text();
    for title in [
        "prominence 1",
        "prominence-kv 1",
        "prominence-kv-get 1",
        "prominence-serve 1",
    ] {
        assert!(manual.contains(&format!(".TH {title}")), "{title}");
    }
    let page = alone(&["man", "kv", "get"]).text();
    assert_eq!(page.matches(".TH ").count(), 1);
    assert!(page.contains("byte for byte"), "{page}");
    assert_eq!(alone(&["man", "kv get"]).text(), page);
}

#[test]
fn there_is_a_completion_script_for_each_shell() {
    for (shell, words) in [
        ("bash", "complete -o nospace"),
        ("zsh", "#compdef prominence"),
        ("fish", "complete -c prominence"),
        ("elvish", "if-absent"),
        ("powershell", "if-absent"),
    ] {
        let script = alone(&["completions", shell]).text();
        assert!(script.contains(words), "{shell}");
    }
}
