//! docs/security.md names tests that exist, so that no guard loses its test unnoticed.
#![allow(clippy::unwrap_used, reason = "tests say what went wrong by failing")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The workspace's folder.
fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap().to_owned()
}

/// The names in the last column of each table: of lines such as `| attack | guard | test |`.
fn named_tests(page: &str) -> Vec<&str> {
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let tests = rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next());
    let names = tests.flat_map(|tests| tests.split('`').skip(1).step_by(2));
    names.collect()
}

/// The names of all functions below a folder.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().unwrap() != "target" {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let names = text.lines().filter_map(|line| {
                let line = line.trim_start();
                let line = line.strip_prefix("async ").unwrap_or(line);
                let name = line.strip_prefix("fn ")?.split(['(', '<']).next()?;
                Some(name.to_owned())
            });
            found.extend(names);
        }
    }
}

#[test]
fn each_guard_of_the_threat_model_has_a_test_that_exists() {
    let page = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let mut known = BTreeSet::new();
    for folder in ["crates", "tests", "xtask"] {
        functions(&root().join(folder), &mut known);
    }
    let named = named_tests(&page);
    assert!(named.len() > 40, "{}", named.len());
    let missing: Vec<_> = named
        .iter()
        .filter(|name| !known.contains(**name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    let rows = page.lines().filter(|line| line.starts_with("| "));
    for row in rows.filter(|row| !row.ends_with("| test |") && !row.starts_with("| ---")) {
        assert!(row.ends_with("` |"), "without a test: {row}");
    }
}

#[test]
fn names_are_found_in_the_last_column_alone() {
    let page = "| a `b` | c | test |\n| --- | --- | --- |\n| `x`: y | z | `one`, `two` |\n";
    assert_eq!(named_tests(page), ["one", "two"]);
}
