//! The sources of the project as words and definitions.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::sources;

/// The file with names that nothing has.
const TEST_OF_WRONG_NAMES: &str = "xtask/tests/house_rules/names.rs";

/// The words that stand before a name where it is defined.
const DEFINING: [&str; 9] = [
    "fn",
    "struct",
    "enum",
    "trait",
    "type",
    "const",
    "static",
    "mod",
    "macro_rules!",
];

/// One source file.
pub(super) struct Source {
    file: PathBuf,
    /// Its words, without those of comments.
    pub(super) words: HashSet<String>,
    /// The names that it defines: functions, types, fields, variants and so on.
    defined: HashSet<String>,
    /// The types that it defines or implements.
    types: HashSet<String>,
}

impl Source {
    fn read(file: PathBuf, text: &str) -> Self {
        let mut source = Self {
            file,
            words: HashSet::new(),
            defined: HashSet::new(),
            types: HashSet::new(),
        };
        for line in text.lines() {
            let code = line.split("//").next().unwrap();
            source.words.extend(words(code).map(str::to_owned));
            source.read_definitions(code.trim());
        }
        source
    }

    fn read_definitions(&mut self, line: &str) {
        let mut before = "";
        for word in line.split_whitespace() {
            let name = first_word(word);
            if DEFINING.contains(&before) {
                self.defined.insert(name.to_owned());
                if name.starts_with(|first: char| first.is_uppercase()) {
                    self.types.insert(name.to_owned());
                }
            }
            before = word;
        }
        if line.starts_with("impl") {
            self.types.extend(words(line).map(str::to_owned));
        }
        // A field or a variant stands at the start of its line, behind its visibility.
        let member = match line.strip_prefix("pub") {
            Some(rest) if rest.starts_with('(') => rest.split_once(") ").map_or("", |rest| rest.1),
            Some(rest) => rest.trim_start(),
            None => line,
        };
        let name = first_word(member);
        let rest = &member[name.len()..];
        if rest.is_empty() || rest.starts_with([',', ':', '(', ' ']) {
            self.defined.insert(name.to_owned());
        }
    }

    /// The folders and the name of the file, such as `["crates", "server", "src", "wait", "clock"]`.
    pub(super) fn is_in(&self, module: &str) -> bool {
        let path = self.file.with_extension("");
        path.iter().any(|part| part == module)
    }

    fn has_module(&self, module: &str) -> bool {
        self.is_in(module) || self.defined.contains(module)
    }
}

/// All sources of the project.
pub(super) struct Code(pub(super) Vec<Source>);

impl Code {
    pub(super) fn read() -> Self {
        let files = sources(".").into_iter();
        // The test for wrong names has them as literals.
        let files = files.filter(|(file, _)| file != Path::new(TEST_OF_WRONG_NAMES));
        Self(
            files
                .map(|(file, text)| Source::read(file, &text))
                .collect(),
        )
    }

    /// True if a path such as `Type::function`, `module::Type` or `name` leads to something.
    pub(super) fn has(&self, path: &str) -> bool {
        let parts: Vec<_> = path.split("::").collect();
        match parts.as_slice() {
            [name] => {
                let mut sources = self.0.iter();
                sources.any(|source| source.words.contains(*name) || source.is_in(name))
            }
            parts => parts
                .windows(2)
                .all(|pair| self.has_member(pair[0], pair[1])),
        }
    }

    fn has_member(&self, outer: &str, inner: &str) -> bool {
        let is_type = outer.starts_with(|first: char| first.is_uppercase());
        // The name of a crate in a path of Rust, and the folder that it is in.
        let module = outer.strip_prefix("prominence_").unwrap_or(outer);
        self.0.iter().any(|source| match is_type {
            true => source.types.contains(outer) && source.defined.contains(inner),
            false => source.is_in(module) && source.has_module(inner),
        })
    }

    /// True if a file defines the last name of a path such as `Type::function`.
    pub(super) fn is_defined_in(&self, file: &Path, path: &str) -> bool {
        let name = path.rsplit("::").next().unwrap();
        let source = self.0.iter().find(|source| source.file == file);
        source.is_some_and(|source| source.defined.contains(name))
    }
}

pub(super) fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter| !is_word(letter))
        .filter(|word| !word.is_empty())
}

fn first_word(text: &str) -> &str {
    let end = text.find(|letter| !is_word(letter));
    &text[..end.unwrap_or(text.len())]
}

/// The name of a function, a type or a module: words between `::`, with or without brackets.
pub(super) fn code_name(text: &str) -> Option<&str> {
    let name = text.strip_suffix("()").unwrap_or(text);
    let is_name = |part: &str| {
        part.chars().all(is_word) && part.starts_with(|first: char| first.is_alphabetic())
    };
    name.split("::").all(is_name).then_some(name)
}

/// The words of an identifier in lower case, between underscores at both ends.
pub(super) fn snake(identifier: &str) -> String {
    let mut text = "_".to_owned();
    let mut is_after_lower = false;
    for letter in identifier.chars() {
        if letter.is_ascii_uppercase() && is_after_lower {
            text.push('_');
        }
        is_after_lower = !letter.is_ascii_uppercase();
        text.push(letter.to_ascii_lowercase());
    }
    text.push('_');
    text
}
