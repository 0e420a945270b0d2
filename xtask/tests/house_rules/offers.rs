//! Public functions and constants: each has a user outside of its module, or it would be private.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::rooms::{SOURCES, first_word, without_tests};
use crate::sources;

/// Names for users of the client library, and beside other public names of tokens, that this project has no use for
/// itself.
const OFFERED: [&str; 2] = ["count_at", "ISSUER"];

/// The functions and constants that a file offers to others.
fn offered(code: &str) -> impl Iterator<Item = &str> {
    code.lines().filter_map(|line| {
        let line = line.trim_start();
        let rest = line.strip_prefix("pub")?;
        let rest = match rest.strip_prefix('(') {
            Some(rest) => rest.split_once(')')?.1,
            None => rest,
        };
        let mut words = rest.split_whitespace();
        let mut word = words.next()?;
        while ["async", "unsafe"].contains(&word) {
            word = words.next()?;
        }
        let name = match word {
            "fn" | "static" => words.next()?,
            "const" => words.next().filter(|word| *word != "fn").or(words.next())?,
            _ => return None,
        };
        Some(first_word(name))
    })
}

#[test]
fn everything_that_is_offered_has_a_user_outside_its_module() {
    let files = sources(".");
    let mut users = BTreeMap::<&str, BTreeSet<&Path>>::new();
    for (file, text) in &files {
        for line in text.lines() {
            let code = line.split("//").next().unwrap();
            for word in code.split(|letter: char| !letter.is_alphanumeric() && letter != '_') {
                users.entry(word).or_default().insert(file.as_path());
            }
        }
    }
    let mut unused = Vec::new();
    let mut checked = 0;
    for (file, text) in &files {
        let is_source = SOURCES.iter().any(|root| file.starts_with(root));
        if !is_source
            || file
                .iter()
                .any(|part| part == "tests" || part == "tests.rs")
        {
            continue;
        }
        let own = file.with_extension("");
        let code = without_tests(text);
        for name in offered(&code).filter(|name| !OFFERED.contains(name)) {
            checked += 1;
            let mut users = users.get(name).into_iter().flatten();
            if !users.any(|user| *user != file.as_path() && !user.starts_with(&own)) {
                unused.push(format!("{}: {name}", file.display()));
            }
        }
    }
    assert!(checked > 1_000, "{checked}");
    assert!(unused.is_empty(), "{}", unused.join("\n"));
}

#[test]
fn functions_and_constants_that_are_offered_are_found() {
    let code = "pub fn one() {}\n    pub(crate) async fn two() {}\npub(in crate::a) const THREE: u8 = 3;\n\
        pub const fn four() {}\nfn five() {}\npub struct Six;\npub(super) static SEVEN: u8 = 7;";
    let found: Vec<_> = offered(code).collect();
    assert_eq!(found, ["one", "two", "THREE", "four", "SEVEN"]);
}
