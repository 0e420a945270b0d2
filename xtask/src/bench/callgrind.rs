//! What callgrind counted: instructions, by the part of the program that they were spent in.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use crate::sh;

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
    /// Reads a file that callgrind has written.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let mut annotate = Command::new("callgrind_annotate");
        // Every function, and no source lines.
        annotate.args(["--threshold=100", "--auto=no"]).arg(file);
        Self::parse(&sh::output(&mut annotate)?)
    }

    /// Reads the list of functions, `1,234 (5.60%)  FILE:FUNCTION [OBJECT]`, among headings.
    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut profile = Self::default();
        for line in text.lines() {
            let Some((count, place)) = line.trim_start().split_once(" (") else {
                continue;
            };
            let function = place.split_once(")  ").and_then(|(_, place)| {
                let (_, function) = place.split_once(':')?;
                Some(function.split(" [").next().unwrap_or(function))
            });
            if let Some(function) = function {
                let count: u64 = count
                    .replace(',', "")
                    .parse()
                    .with_context(|| line.to_owned())?;
                *profile.0.entry(part_of(function)).or_default() += count;
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
    fn instructions_count_for_the_part_that_their_function_is_named_after() {
        let text = "\
Profile data file 'callgrind.out' (creator: callgrind-3.19.0)
--------------------------------------------------------------------------------
Ir
1,407 (100.0%)  PROGRAM TOTALS

Ir             file:function
  600 (42.64%)  ???:<hyper::Body as core::future::Future>::poll [/home/prominence]
  500 (35.54%)  ???:prominence_server::front::call'2 [/home/prominence]
  300 (21.32%)  ???:mi_malloc [/home/prominence]
    7 ( 0.50%)  ./string/memcpy.S:memcpy [/usr/lib/libc.so.6]
";
        let profile = Profile::parse(text).unwrap();
        assert_eq!(profile.of(Part::Own), 500);
        assert_eq!(profile.of(Part::Http), 600);
        assert_eq!(profile.of(Part::Allocator), 300);
        assert_eq!(profile.of(Part::Rest), 7);
        assert_eq!(profile.total(), 1_407);
    }
}
