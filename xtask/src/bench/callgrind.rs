//! What callgrind counted: instructions, by the part of the program that they were spent in.
//!
//! The format is that of Valgrind's manual, "Callgrind Format Specification".

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context as _;

/// A part of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// Connections, requests and routes.
    Http,
    /// Tasks, timers and wake-ups.
    Runtime,
    /// The storage engine's library.
    Storage,
    /// Memory that is taken and given back.
    Allocator,
    /// This project's own code, with what was inlined into it.
    Own,
    /// The system's library, the standard library, and all else.
    Rest,
}

/// Crates, and what else the names of functions begin with, by the part that they belong to.
const PARTS: &[(Part, &[&str])] = &[
    (
        Part::Http,
        &[
            "hyper", "http", "axum", "tower", "matchit", "mime", "serde", "itoa", "ryu",
        ],
    ),
    (
        Part::Runtime,
        &["tokio", "mio", "futures", "parking_lot", "oneshot"],
    ),
    (
        Part::Storage,
        &[
            "lsm_tree",
            "crossbeam",
            "xxhash",
            "quick_cache",
            "byteview",
            "self_cell",
            "value_log",
        ],
    ),
    (Part::Allocator, &["mi_", "_mi_", "mimalloc"]),
    (Part::Own, &["prominence"]),
];

/// Instructions by part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Profile(HashMap<Part, u64>);

impl Profile {
    /// Reads the file that callgrind has written.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read(file).with_context(|| format!("cannot read {file:?}"))?;
        Self::parse(&String::from_utf8_lossy(&text))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut profile = Self::default();
        let mut parts: HashMap<&str, Part> = HashMap::new();
        let mut part = Part::Rest;
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(name) = line.strip_prefix("fn=") {
                part = named(&mut parts, name);
            } else if let Some(name) = line.strip_prefix("cfn=") {
                // It may be the first that tells the name.
                named(&mut parts, name);
            } else if line.starts_with("calls=") {
                // What the call cost in all, which the other function has to its name.
                lines.next();
            } else if line
                .starts_with(|first: char| "+-*".contains(first) || first.is_ascii_digit())
            {
                let cost = line.split_ascii_whitespace().nth(1).unwrap_or("0");
                let cost: u64 = cost.parse().with_context(|| format!("\"{line}\""))?;
                *profile.0.entry(part).or_default() += cost;
            }
        }
        Ok(profile)
    }

    /// Instructions in all.
    pub(crate) fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Instructions in one part.
    pub(crate) fn of(&self, part: Part) -> u64 {
        self.0.get(&part).copied().unwrap_or_default()
    }
}

/// The part of a function, which is given as `(NUMBER) NAME` at first and as `(NUMBER)` from then on.
fn named<'a>(parts: &mut HashMap<&'a str, Part>, reference: &'a str) -> Part {
    let (number, name) = reference.split_once(' ').unwrap_or((reference, ""));
    if name.is_empty() {
        return parts.get(number).copied().unwrap_or(Part::Rest);
    }
    let part = part_of(name);
    parts.insert(number, part);
    part
}

/// A function belongs to the first crate that its name has, the standard library aside: that of
/// `<hyper::Body as core::Future>::poll` is hyper.
fn part_of(name: &str) -> Part {
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let parts = words.filter_map(|word| {
        let belongs =
            |(_, starts): &&(Part, &[&str])| starts.iter().any(|start| word.starts_with(start));
        PARTS.iter().find(belongs).map(|(part, _)| *part)
    });
    parts.into_iter().next().unwrap_or(Part::Rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_call_costs_counts_for_the_function_that_was_called() {
        let text = "\
version: 1
events: Ir

fn=(1) prominence_server::front::call
16 400
calls=1 50
16 900
+3 100

fn=(2) <hyper::Body as core::future::Future>::poll
51 600
cfn=(3) mi_malloc
calls=3 0
51 300
fn=(3)
* 300
fn=(4) memcpy
-4 7
totals: 1407
";
        let profile = Profile::parse(text).unwrap();
        assert_eq!(profile.of(Part::Own), 500);
        assert_eq!(profile.of(Part::Http), 600);
        assert_eq!(profile.of(Part::Allocator), 300);
        assert_eq!(profile.of(Part::Rest), 7);
        assert_eq!(profile.total(), 1_407);
    }
}
