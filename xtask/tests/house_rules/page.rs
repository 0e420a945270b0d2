//! The web page: no text of its own or of others becomes code, one module talks to the server, and nothing comes from
//! elsewhere.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::root;

const WEB: &str = "crates/server/web";

/// The module that sends requests.
const API: &str = "store/api.js";

/// Ways in which text becomes markup or code.
const FORBIDDEN: [&str; 8] = [
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "document.write",
    "unsafeHTML",
    "eval(",
    "new Function",
    "setAttribute(\"style\"",
];

/// The longest file.
const MAX_LINES: usize = 400;

/// The files of the page with their texts.
fn files() -> Vec<(PathBuf, String)> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            WEB,
        ])
        .current_dir(root())
        .output()
        .unwrap();
    let names = String::from_utf8(listed.stdout).unwrap();
    let files: Vec<_> = names
        .lines()
        .map(|name| {
            (
                PathBuf::from(name),
                std::fs::read_to_string(root().join(name)).unwrap(),
            )
        })
        .collect();
    assert!(files.len() > 40, "{files:?}");
    files
}

/// A script without its comments.
fn without_comments(text: &str) -> String {
    let mut code = String::new();
    let mut in_block = false;
    for line in text.lines() {
        let trimmed = line.trim_start();
        in_block = in_block || trimmed.starts_with("/*");
        if !in_block && !trimmed.starts_with("//") {
            code.push_str(line);
            code.push('\n');
        }
        in_block = in_block && !trimmed.contains("*/");
    }
    code
}

fn is_script(file: &Path) -> bool {
    file.extension().is_some_and(|end| end == "js")
}

#[test]
fn no_text_becomes_markup_or_code() {
    for (file, text) in files() {
        for word in FORBIDDEN {
            assert!(!text.contains(word), "{} has {word}", file.display());
        }
        if file.ends_with("index.html") {
            assert!(
                !text.contains("<style") && !text.contains(" style="),
                "{}",
                file.display()
            );
            assert!(!text.contains("<script>"), "{}", file.display());
        }
    }
}

#[test]
fn one_module_sends_requests_and_nothing_comes_from_elsewhere() {
    for (file, text) in files() {
        let code = match is_script(&file) {
            true => without_comments(&text),
            // The name of a language is written as an address.
            false => text.replace("http://www.w3.org/2000/svg", ""),
        };
        let sends = code.contains("fetch(")
            || code.contains("XMLHttpRequest")
            || code.contains("WebSocket");
        assert_eq!(
            sends,
            file.ends_with(API),
            "{} sends requests",
            file.display()
        );
        let code = code.replace("\"http://www.w3.org/2000/svg\"", "");
        assert!(
            !code.contains("http://") && !code.contains("https://"),
            "{} names another server",
            file.display()
        );
    }
}

#[test]
fn every_script_and_style_says_what_it_is_for() {
    for (file, text) in files() {
        let opens = match file.extension().and_then(|end| end.to_str()) {
            Some("js") => "// ",
            Some("css") => "/* ",
            _ => continue,
        };
        assert!(
            text.starts_with(opens),
            "{} does not open with {opens}",
            file.display()
        );
        let lines = text.lines().count();
        let is_style = opens == "/* ";
        assert!(
            is_style || lines <= MAX_LINES,
            "{} has {lines} lines",
            file.display()
        );
    }
}
