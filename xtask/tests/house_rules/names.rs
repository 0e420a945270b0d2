//! The names in the documents: each function, type, file and folder that they name has to exist in the code.

mod code;
mod document;

use std::path::Path;

use self::code::{Code, code_name, snake};
use self::document::{Document, drawn_names};
use crate::root;

/// Documents in which every name is checked, beside those in `docs/internals`.
const DOCUMENTS: [&str; 2] = ["ARCHITECTURE.md", "CONTRIBUTING.md"];

/// A name of the operating system.
const FOREIGN: &str = "RWF_NOWAIT";

/// The folder of files that builds and tests make.
const MADE: &str = "target/";

fn documents() -> Vec<Document> {
    let internals = std::fs::read_dir(root().join("docs/internals")).unwrap();
    let internals = internals.map(|entry| entry.unwrap().file_name());
    let internals = internals.map(|name| format!("docs/internals/{}", name.to_str().unwrap()));
    let names = DOCUMENTS.map(str::to_owned).into_iter().chain(internals);
    let documents: Vec<_> = names.map(|name| Document::read(&name)).collect();
    assert!(documents.len() > DOCUMENTS.len() + 4);
    documents
}

/// Names that the code does not have, each with its document.
fn unknown(document: &Document, code: &Code) -> Vec<String> {
    let mut unknown = Vec::new();
    for span in document.spans().filter(|span| *span != FOREIGN) {
        let is_path = span.contains('/') && !span.starts_with('/') && !span.contains([' ', '{']);
        let is_path = is_path && !span.starts_with(MADE);
        let exists = match code_name(span) {
            Some(name) => code.has(name),
            None => !is_path || root().join(span).exists(),
        };
        if !exists {
            unknown.push(format!("{}: `{span}`", document.name));
        }
    }
    for name in document.diagrams.iter().flat_map(|text| drawn_names(text)) {
        if !code.has(name) {
            unknown.push(format!("{}, in a diagram: {name}", document.name));
        }
    }
    unknown
}

#[test]
fn documents_name_only_code_that_exists() {
    let code = Code::read();
    let unknown: Vec<_> = documents()
        .iter()
        .flat_map(|document| unknown(document, &code))
        .collect();
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

#[test]
fn links_of_documents_lead_to_files_and_names_beside_them_are_defined_there() {
    let code = Code::read();
    let mut wrong = Vec::new();
    let mut checked = 0;
    for document in documents() {
        for (before, target) in document.links() {
            let file = document.resolve(target);
            if !root().join(&file).exists() {
                wrong.push(format!("{} links to {target}", document.name));
                continue;
            }
            let before = before.trim_end_matches(['(', ',', ' ']);
            let before = before.strip_suffix(" in").unwrap_or(before);
            let span = before
                .strip_suffix('`')
                .and_then(|text| text.rsplit('`').next());
            let Some(name) = span.and_then(code_name) else {
                continue;
            };
            checked += 1;
            if !code.is_defined_in(&file, name) {
                wrong.push(format!(
                    "{}: {target} does not define {name}",
                    document.name
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 50, "only {checked} names stand beside a link");
}

#[test]
fn rooms_that_are_drawn_are_folders_or_files() {
    let code = Code::read();
    let architecture = Document::read("ARCHITECTURE.md");
    let rooms = &architecture.diagrams[0];
    assert!(rooms.contains("subgraph embedded"), "{rooms}");
    let ids = rooms.lines().skip(1).flat_map(|line| {
        let line = line.trim().strip_prefix("subgraph ").unwrap_or(line);
        line.split(" --> ").map(str::trim)
    });
    let mut drawn = 0;
    for id in ids.filter(|id| *id != "end") {
        // Rooms with the same name have different ids, and a label.
        let is_labelled_elsewhere = rooms.contains(&format!(" {id}[\""));
        if is_labelled_elsewhere {
            continue;
        }
        let name = id.split('"').nth(1).unwrap_or(id);
        assert!(code.0.iter().any(|source| source.is_in(name)), "{name}");
        drawn += 1;
    }
    assert!(drawn > 50, "{drawn}");
}

#[test]
fn nouns_of_the_glossary_are_used_by_the_code() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (_, glossary) = text.split_once("\n## Glossary\n").unwrap();
    let (glossary, _) = glossary.split_once("\n## ").unwrap();
    let code = Code::read();
    let crates = code.0.iter().filter(|source| source.is_in("crates"));
    let used: Vec<_> = crates
        .flat_map(|source| &source.words)
        .map(|word| snake(word))
        .collect();
    let mut nouns = Vec::new();
    for row in glossary.lines().filter(|line| line.starts_with("| ")) {
        let word = row.split('|').nth(1).unwrap().trim();
        if word == "word" || word == "---" {
            continue;
        }
        nouns.extend(word.split(", "));
        nouns.extend(row.split("**").skip(1).step_by(2));
    }
    assert!(nouns.len() > 60, "{nouns:?}");
    for noun in nouns {
        let name = format!("_{}_", noun.to_lowercase().replace(' ', "_"));
        assert!(
            used.iter().any(|word| word.contains(&name)),
            "no name in the code has the word \"{noun}\" of the glossary"
        );
    }
}

#[test]
fn a_name_that_does_not_exist_is_found() {
    let code = Code::read();
    for name in ["Hub::publish", "rules::plan", "core::listing", "HeadTxn"] {
        assert!(code.has(name), "{name}");
    }
    for name in [
        "Hub::announce",
        "rules::Hub",
        "core::HeadTxn",
        "HeadTransaction",
    ] {
        assert!(!code.has(name), "{name}");
    }
    let file = Path::new("crates/engines/src/hub.rs");
    assert!(code.is_defined_in(file, "Hub::publish"));
    assert!(!code.is_defined_in(file, "HeadTxn::new_head"));
    let document = Document {
        name: "x.md".to_owned(),
        text: "`Hub::publish` `hub::nobody` `crates/engines` `crates/motors` `GET /key`".to_owned(),
        diagrams: vec!["flowchart\n  a --> LogWatcher --> claim_index".to_owned()],
    };
    let expected = [
        "x.md: `hub::nobody`",
        "x.md: `crates/motors`",
        "x.md, in a diagram: LogWatcher",
    ];
    assert_eq!(unknown(&document, &code), expected);
}
