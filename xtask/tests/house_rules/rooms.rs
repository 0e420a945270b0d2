//! The folders of a crate: the order in which they name each other, and the number of files in each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::sources;

/// The rooms of a crate or module: its folders and files in an order in which each names only those before it.
struct Rooms {
    /// The folder of the sources.
    root: &'static str,
    /// The path of its module.
    module: &'static str,
    order: &'static [&'static str],
    /// Files in `root` that every room may name, and that may name every room.
    shared: &'static [&'static str],
}

const SERVER: Rooms = Rooms {
    root: "crates/server/src",
    module: "crate",
    order: &[
        "failure", "identity", "request", "wait", "metrics", "app", "handler", "http", "net",
        "settings", "admin", "engine", "serve",
    ],
    shared: &["lib", "testing"],
};

const EMBEDDED: Rooms = Rooms {
    root: "crates/engines/src/embedded",
    module: "crate::embedded",
    order: &["files", "storage", "read", "write", "admin"],
    shared: &["error", "options", "panics", "shared"],
};

/// The most files in one folder: more can't be seen at a glance.
const MAX_SIBLINGS: usize = 15;

/// Folders that have more: a file for each item of one list.
const LISTS: [&str; 4] = [
    // The nouns of the trait `Store`, whose modules other crates name.
    "crates/core/src",
    // The groups of conformance cases.
    "crates/core/src/conformance",
    // The endpoints, and what all of them need.
    "crates/client/src",
    // The commands.
    "crates/cli/src/command",
];

/// The sources of programs and libraries, without tests.
pub(super) const SOURCES: [&str; 6] = [
    "crates/api/src",
    "crates/cli/src",
    "crates/client/src",
    "crates/core/src",
    "crates/engines/src",
    "crates/server/src",
];

/// The modules of a file from the root of its rooms on, such as `["wait", "clock"]`.
fn modules<'a>(file: &'a Path, root: &str) -> Vec<&'a str> {
    let below = file.strip_prefix(root).unwrap();
    let folders = below.parent().unwrap().iter();
    let modules = folders.chain(below.file_stem());
    modules.map(|module| module.to_str().unwrap()).collect()
}

/// A file without its unit tests, which may name every room, and without comments.
pub(super) fn without_tests(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines = code.lines();
    let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The word at the beginning of a text.
pub(super) fn first_word(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
    &text[..end.unwrap_or(text.len())]
}

/// The rooms that the code of a file names, by paths from the crate on and by `super`.
fn named_rooms(module: &str, modules: &[&str], code: &str) -> Vec<String> {
    let mut named = Vec::new();
    let mut add = |rest: &str| match rest.strip_prefix('{') {
        None => named.push(first_word(rest).to_owned()),
        // A list of rooms: each of its members stands outside of inner braces.
        Some(list) => {
            let mut depth = 0;
            let mut starts = true;
            for (index, letter) in list.char_indices() {
                match letter {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => starts = true,
                    letter if starts && !letter.is_whitespace() => {
                        named.push(first_word(&list[index..]).to_owned());
                        starts = false;
                    }
                    _ => {}
                }
            }
        }
    };
    let from_root = format!("{module}::");
    for (index, _) in code.match_indices(&from_root) {
        add(&code[index + from_root.len()..]);
    }
    let to_root = "super::".repeat(modules.len());
    for (index, _) in code.match_indices(&to_root) {
        let rest = &code[index + to_root.len()..];
        let is_whole = !code[..index].ends_with("super::");
        if is_whole && !rest.starts_with("super::") {
            add(rest);
        }
    }
    named
}

fn check_order(rooms: &Rooms) {
    let level = |room: &str| rooms.order.iter().position(|other| *other == room);
    let is_shared = |room: &str| rooms.shared.contains(&room);
    let mut found = Vec::new();
    for (file, text) in sources(rooms.root) {
        let modules = modules(&file, rooms.root);
        let Some(own) = level(modules[0]) else {
            let known = is_shared(modules[0]);
            assert!(known, "{} is in no room of the order", file.display());
            continue;
        };
        if modules.last() == Some(&"tests") {
            continue;
        }
        for room in named_rooms(rooms.module, &modules, &without_tests(&text)) {
            match level(&room) {
                Some(other) if other > own => {
                    found.push(format!(
                        "{} names {room}, which is above it",
                        file.display()
                    ));
                }
                _ => {}
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn folders_of_the_server_name_only_folders_below_them() {
    check_order(&SERVER);
}

#[test]
fn folders_of_the_embedded_engine_name_only_folders_below_them() {
    check_order(&EMBEDDED);
}

#[test]
fn every_kind_of_path_to_a_room_is_found() {
    let named = |modules: &[&str], code| named_rooms("crate", modules, code);
    let code = "use crate::wait::clock;\nfn f() { crate::app::g() }";
    assert_eq!(named(&["net", "tls"], code), ["wait", "app"]);
    let list = "use crate::{\n    app::{App, Bounds},\n    http::exchange,\n};";
    assert_eq!(named(&["net"], list), ["app", "http"]);
    let relative = "use super::super::http::Service;\nuse super::tls;";
    assert_eq!(named(&["net", "tls"], relative), ["http"]);
    assert_eq!(named(&["net"], "use super::http;"), ["http"]);
    let inner = "use super::super::limit;";
    assert!(named(&["wait", "long_poll", "deadline"], inner).is_empty());
}

#[test]
fn no_folder_has_more_files_than_can_be_seen_at_a_glance() {
    let mut folders = BTreeMap::<PathBuf, usize>::new();
    for root in SOURCES {
        for (file, _) in sources(root) {
            *folders
                .entry(file.parent().unwrap().to_owned())
                .or_default() += 1;
        }
    }
    assert!(folders.len() > 60, "{folders:?}");
    for (folder, files) in folders {
        let is_list = LISTS.iter().any(|list| folder == Path::new(list));
        assert_eq!(
            files > MAX_SIBLINGS,
            is_list,
            "{} has {files} files; at most {MAX_SIBLINGS}, and more in a list",
            folder.display()
        );
    }
}

/// The folders in a folder, each with those that its files name.
fn named_folders(
    root: &str,
    folder: &Path,
    files: &[(PathBuf, String)],
) -> BTreeMap<String, BTreeSet<String>> {
    let below = folder.strip_prefix(root).unwrap();
    let module = below.iter().fold("crate".to_owned(), |module, part| {
        format!("{module}::{}", part.to_str().unwrap())
    });
    let within = files.iter().filter(|(file, _)| file.starts_with(folder));
    let within: Vec<_> = within
        .map(|(file, code)| (modules(file, folder.to_str().unwrap()), code))
        .collect();
    let deep = within.iter().filter(|(modules, _)| modules.len() > 1);
    let folders: BTreeSet<_> = deep.map(|(modules, _)| modules[0].to_owned()).collect();
    let mut named = BTreeMap::<String, BTreeSet<String>>::new();
    for (modules, code) in &within {
        if folders.contains(modules[0]) {
            let others = named_rooms(&module, modules, code).into_iter();
            let others = others.filter(|other| other != modules[0] && folders.contains(other));
            named
                .entry(modules[0].to_owned())
                .or_default()
                .extend(others);
        }
    }
    named
}

/// The folders that are left after those were taken out, again and again, that name none of the others: those in
/// circles, and those that name them.
fn in_circles(mut named: BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    loop {
        let free: Vec<_> = named
            .iter()
            .filter(|(_, others)| others.iter().all(|other| !named.contains_key(other)))
            .map(|(name, _)| name.clone())
            .collect();
        if free.is_empty() {
            return named.into_keys().collect();
        }
        for name in free {
            named.remove(&name);
        }
    }
}

#[test]
fn no_folders_name_each_other_in_a_circle() {
    let mut checked = 0;
    for root in SOURCES {
        let files: Vec<_> = sources(root)
            .into_iter()
            .filter(|(file, _)| {
                !file
                    .iter()
                    .any(|part| part == "tests" || part == "tests.rs")
            })
            .map(|(file, text)| (file, without_tests(&text)))
            .collect();
        let folders = files.iter().map(|(file, _)| file.parent().unwrap());
        for folder in folders.collect::<BTreeSet<_>>() {
            let named = named_folders(root, folder, &files);
            checked += named.len();
            let circle = in_circles(named);
            assert!(circle.is_empty(), "{}: {circle:?}", folder.display());
        }
    }
    assert!(checked > 40, "{checked}");
}

#[test]
fn circles_are_told_from_chains() {
    let named = |pairs: &[(&str, &[&str])]| {
        let pairs = pairs.iter().map(|(name, others)| {
            let others = others.iter().map(|other| (*other).to_owned());
            ((*name).to_owned(), others.collect())
        });
        pairs.collect()
    };
    assert!(in_circles(named(&[("a", &["b"]), ("b", &["c"]), ("c", &[])])).is_empty());
    let circle = named(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"]), ("d", &[])]);
    assert_eq!(in_circles(circle), ["a", "b", "c"]);
}
