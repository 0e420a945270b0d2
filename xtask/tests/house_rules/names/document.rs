//! A document: its text, its links and its diagrams.

use std::path::{Path, PathBuf};

use super::code::is_word;
use crate::root;

/// A document without its fenced blocks, and its diagrams.
pub(super) struct Document {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) diagrams: Vec<String>,
}

impl Document {
    pub(super) fn read(name: &str) -> Self {
        let (mut text, mut diagrams) = (String::new(), Vec::new());
        let mut fence: Option<&str> = None;
        for line in std::fs::read_to_string(root().join(name)).unwrap().lines() {
            match (line.strip_prefix("```"), fence) {
                (Some(language), None) => {
                    fence = Some(if language == "mermaid" { "mermaid" } else { "" });
                    diagrams.extend((language == "mermaid").then(String::new));
                }
                (Some(_), Some(_)) => fence = None,
                (None, Some("mermaid")) => {
                    let diagram = diagrams.last_mut().unwrap();
                    diagram.push_str(line);
                    diagram.push('\n');
                }
                (None, Some(_)) => {}
                (None, None) => {
                    text.push_str(line.trim());
                    // A span may go on in the next line; a row of a table never does.
                    text.push(if line.starts_with('|') { '\n' } else { ' ' });
                }
            }
        }
        // Otherwise all spans after the one that is left open would be taken for text, and text for spans.
        assert!(
            text.matches('`').count().is_multiple_of(2),
            "{name}: a span is left open"
        );
        Self {
            name: name.to_owned(),
            text,
            diagrams,
        }
    }

    /// The spans between backticks.
    pub(super) fn spans(&self) -> impl Iterator<Item = &str> {
        self.text.split('`').skip(1).step_by(2)
    }

    /// The links to files, each with the text before it.
    pub(super) fn links(&self) -> impl Iterator<Item = (&str, &str)> {
        let found = self.text.match_indices("](");
        found.filter_map(|(at, _)| {
            let target = self.text[at + 2..].split([')', '#']).next()?;
            let is_file = !target.is_empty() && !target.starts_with("http");
            let before = self.text[..at].rsplit_once('[')?.0;
            is_file.then_some((before, target))
        })
    }

    /// A link as a path from the root of the project.
    pub(super) fn resolve(&self, target: &str) -> PathBuf {
        let mut path = Path::new(&self.name).parent().unwrap().to_owned();
        for part in Path::new(target) {
            if part == ".." {
                path.pop();
            } else {
                path.push(part);
            }
        }
        path
    }
}

/// The words of a diagram that are names of code: with `::` or `_`, or in the case of a type.
pub(super) fn drawn_names(diagram: &str) -> impl Iterator<Item = &str> {
    let lines = diagram.lines().skip(1);
    let words = lines.flat_map(|line| line.split(|c: char| !is_word(c) && c != ':'));
    let names = words.map(|word| word.trim_matches(':'));
    names.filter(|name| {
        let is_camel = name.as_bytes().windows(2).any(|pair| {
            let [first, second] = pair else { return false };
            first.is_ascii_lowercase() && second.is_ascii_uppercase()
        });
        is_camel || name.contains('_') || name.contains("::")
    })
}
