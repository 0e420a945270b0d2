//! docs/troubleshooting.md has an entry for every error.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests say what went wrong by failing"
)]

use std::path::Path;

/// The name of a failure of the program in the page, for each variant of its type.
const FAILURES: &[(&str, &str)] = &[
    ("Arguments", "unexpected argument"),
    ("Usage", "cannot read FILE"),
    ("No", "the claim was lost"),
    ("Login", "there is no token to log in with"),
    ("Request", "cannot reach"),
    ("Output", "cannot write the output"),
    ("Stopped", "the change may or may not have happened"),
    ("Command", "the command ended with status"),
    ("Start", "cannot run"),
    ("Serve", "without TLS"),
    ("Store", "is in use by"),
];

/// The same for the errors of the client library.
const CLIENT_ERRORS: &[(&str, &str)] = &[
    ("NoSuchKey", "`no_such_key`"),
    ("PreconditionFailed", "`precondition_failed`"),
    ("NotANumber", "`not_a_number`"),
    ("TooLarge", "`value_too_large`"),
    ("QuotaExceeded", "`quota_exceeded`"),
    ("BadRequest", "`bad_request`"),
    ("Unauthenticated", "`unauthenticated`"),
    ("Forbidden", "`forbidden`"),
    ("RateLimited", "`rate_limited`"),
    ("Unavailable", "`unavailable`"),
    ("Failed", "`internal`"),
    ("Unreachable", "cannot reach"),
    ("Foreign", "is not from a Prominence server"),
    ("BadAnswer", "gave an answer that makes no sense"),
    (
        "NoAuthorities",
        "there are no certificate authorities on this machine",
    ),
    ("CaFile", "the file of certificate authorities"),
    ("Proxy", "does not name a proxy"),
];

fn read(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    std::fs::read_to_string(root.join(name)).unwrap()
}

/// The rows of the page's tables, as their cells.
fn rows() -> Vec<Vec<String>> {
    let page = read("docs/troubleshooting.md");
    let rows = page.lines().filter(|line| line.starts_with("| "));
    rows.map(|row| {
        let cells = row.trim_matches('|').split(" | ");
        cells.map(|cell| cell.trim().to_owned()).collect()
    })
    .collect()
}

/// The variants of an enum in a source file, which are indented by four.
fn variants(file: &str, declaration: &str) -> Vec<String> {
    let text = read(file);
    let (_, body) = text.split_once(&format!("{declaration} {{\n")).unwrap();
    let (body, _) = body.split_once("\n}\n").unwrap();
    let named = body.lines().filter_map(|line| line.strip_prefix("    "));
    let named = named.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    let name = |line: &str| {
        line.split(|c: char| !c.is_ascii_alphanumeric())
            .next()
            .map(str::to_owned)
    };
    named.filter_map(name).collect()
}

fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(character.to_ascii_lowercase());
    }
    text
}

#[test]
fn every_code_of_the_interface_has_its_status_meaning_and_next_step() {
    let rows = rows();
    let codes = variants("crates/api/src/error.rs", "pub enum ErrorCode");
    assert!(codes.len() >= 16, "{codes:?}");
    for code in codes {
        let code = format!("`{}`", snake_case(&code));
        let row = rows.iter().find(|row| row[0] == code);
        let row = row.unwrap_or_else(|| panic!("docs/troubleshooting.md lacks a row for {code}"));
        assert_eq!(row.len(), 4, "{row:?}");
        assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
}

#[test]
fn every_kind_of_failure_of_the_program_has_an_entry() {
    let rows = rows();
    for (file, declaration, entries) in [
        (
            "crates/cli/src/failure.rs",
            "pub(crate) enum Failure",
            FAILURES,
        ),
        (
            "crates/client/src/error.rs",
            "pub enum Error",
            CLIENT_ERRORS,
        ),
    ] {
        let found = variants(file, declaration);
        assert!(found.len() >= 10, "{found:?}");
        for variant in found {
            let entry = entries.iter().find(|(name, _)| *name == variant);
            let (_, words) = entry.unwrap_or_else(|| {
                panic!("{variant} of {file} is new: give it an entry in docs/troubleshooting.md")
            });
            let is_there = rows
                .iter()
                .any(|row| row[0].contains(words) && row.len() >= 3);
            assert!(
                is_there,
                "docs/troubleshooting.md lacks an entry with {words:?}"
            );
        }
    }
}

#[test]
fn its_links_lead_to_pages_and_sections_that_exist() {
    let page = read("docs/troubleshooting.md");
    let targets = page
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    for target in targets {
        let (file, section) = target.split_once('#').unwrap_or((target, ""));
        let file = if file.is_empty() {
            "troubleshooting.md"
        } else {
            file
        };
        let text = read(&format!("docs/{file}"));
        let anchor = |heading: &str| {
            let kept = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = kept
                .chars()
                .filter(|c| c.is_alphanumeric() || " -".contains(*c));
            kept.collect::<String>().replace(' ', "-")
        };
        let mut headings = text.lines().filter(|line| line.starts_with('#'));
        let is_there = section.is_empty() || headings.any(|heading| anchor(heading) == section);
        assert!(is_there, "{target}");
    }
}
