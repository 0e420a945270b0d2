//! `prominence kv tree`: keys as tree(1) draws files.

use std::io::Write as _;

use prominence_api::Listed;
use prominence_client::{Client, ListOptions};
use prominence_core::Prefix;
use serde::Serialize;

use super::absent::Absent;
use super::list::unexpected;
use crate::args::kv::Tree;
use crate::failure::Failure;
use crate::output::{Look, Output};

/// Keys in one picture. Whether a branch is the last one is known only after all that follow, so
/// they are kept in memory, and no person reads more.
const MAX_KEYS: usize = 100_000;

/// The output of `--json`.
#[derive(Serialize)]
struct Shown<'a> {
    /// The folder that all of them are in, which ends in `/`.
    folder: &'a str,
    /// The number of all keys.
    keys: usize,
    contents: Vec<Branch>,
}

/// A key, or a folder with what is in it.
#[derive(Serialize)]
#[serde(untagged)]
enum Branch {
    Key {
        key: String,
    },
    Folder {
        folder: String,
        contents: Vec<Branch>,
    },
}

pub(super) fn run(options: &Tree, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let prefix = options.prefix.clone().unwrap_or(Prefix::everything());
    let mut names = Vec::new();
    for item in client.list(&prefix, ListOptions::default()) {
        let Listed::Name(name) = item? else {
            return Err(unexpected());
        };
        if names.len() == MAX_KEYS {
            return Err(Failure::Usage(format!(
                "more than {MAX_KEYS} keys begin with {prefix}; name a longer prefix, or use \
                 prominence kv list --dirs"
            )));
        }
        names.push(name);
    }
    if names.is_empty() {
        Absent::hint(client, &prefix);
    }
    // The picture hangs from the last folder that all of them share.
    let root = folder_part(prefix.as_str());
    let paths: Vec<_> = names
        .iter()
        .filter_map(|name| name.strip_prefix(root))
        .collect();
    if options.json {
        let contents = branches(root, &paths);
        return Ok(output.json(&Shown {
            folder: root,
            keys: paths.len(),
            contents,
        })?);
    }
    output.styled(Look::Folder, root)?;
    writeln!(output)?;
    let mut drawing = Drawing {
        output,
        folders: 0,
        lead: String::new(),
    };
    drawing.branches(&paths)?;
    let folders = drawing.folders;
    let noun = |number: usize, one: &'static str, more: &'static str| {
        if number == 1 { one } else { more }
    };
    let summary = format!(
        "\n{folders} {}, {} {}",
        noun(folders, "folder", "folders"),
        paths.len(),
        noun(paths.len(), "key", "keys")
    );
    output.styled(Look::Faint, &summary)?;
    writeln!(output)?;
    Ok(())
}

struct Drawing<'a> {
    output: &'a mut Output,
    folders: usize,
    /// The lines in front of each branch of this level.
    lead: String,
}

impl Drawing<'_> {
    /// Draws one level. The paths are in byte order, so that those of one folder stand together.
    ///
    /// The depth of the recursion is bounded by the length of a key.
    fn branches(&mut self, paths: &[&str]) -> Result<(), Failure> {
        let mut rest = paths;
        while let Some((name, branch)) = first_branch(&mut rest) {
            let inside = name.ends_with('/');
            let (fork, lead) = if rest.is_empty() {
                ("└── ", "    ")
            } else {
                ("├── ", "│   ")
            };
            write!(self.output, "{}{fork}", self.lead)?;
            let look = if inside { Look::Folder } else { Look::Plain };
            self.output.styled(look, name)?;
            writeln!(self.output)?;
            if inside {
                self.folders += 1;
                let below: Vec<_> = branch.iter().map(|path| &path[name.len()..]).collect();
                let outer = self.lead.len();
                self.lead.push_str(lead);
                self.branches(&below)?;
                self.lead.truncate(outer);
            }
        }
        Ok(())
    }
}

/// The content of a folder, level by level. The depth of the recursion is bounded by the length of a key.
fn branches(folder: &str, paths: &[&str]) -> Vec<Branch> {
    let mut contents = Vec::new();
    let mut rest = paths;
    while let Some((name, branch)) = first_branch(&mut rest) {
        let path = format!("{folder}{name}");
        contents.push(if name.ends_with('/') {
            let below: Vec<_> = branch.iter().map(|path| &path[name.len()..]).collect();
            Branch::Folder {
                contents: branches(&path, &below),
                folder: path,
            }
        } else {
            Branch::Key { key: path }
        });
    }
    contents
}

/// Takes the first key or folder of a level, with the paths of what is in it.
fn first_branch<'a, 'p>(rest: &mut &'p [&'a str]) -> Option<(&'a str, &'p [&'a str])> {
    let first = *rest.first()?;
    let (name, size) = match first.find('/') {
        Some(at) => {
            let name = &first[..=at];
            (name, rest.partition_point(|path| path.starts_with(name)))
        }
        None => (first, 1),
    };
    let (branch, others) = rest.split_at(size);
    *rest = others;
    Some((name, branch))
}

/// A prefix up to and including its last `/`.
fn folder_part(prefix: &str) -> &str {
    match prefix.rfind('/') {
        Some(at) => &prefix[..=at],
        None => prefix,
    }
}
