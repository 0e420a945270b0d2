//! `rows.toml`: what can be measured, what is started and asked for that, and what is shown of it.

use std::collections::BTreeMap;

use anyhow::Context as _;
use indexmap::IndexMap;
use serde::Deserialize;

use super::line::Line;

/// All that can be measured.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Catalogue {
    pub(crate) stores: BTreeMap<String, Contents>,
    /// Programs that ask, with their arguments.
    pub(crate) asks: BTreeMap<String, Vec<String>>,
    pub(crate) peers: BTreeMap<String, Peer>,
    pub(crate) parts: BTreeMap<String, Vec<String>>,
    /// In the order of the table.
    pub(crate) rows: IndexMap<String, Row>,
}

/// What a store holds, at full scale.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contents {
    #[serde(default = "one")]
    pub(crate) users: u64,
    /// Keys of each user.
    pub(crate) keys: u64,
    /// Bytes of each value.
    pub(crate) bytes: u64,
    /// Folders that the keys are spread over; 0 for none.
    #[serde(default)]
    pub(crate) folders: u64,
    #[serde(default)]
    pub(crate) shrinks: Shrinks,
}

/// What is a hundredth at small scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Shrinks {
    #[default]
    Keys,
    Users,
    Nothing,
}

/// Something that is measured. In its files, command, URLs and body, names in braces stand for what they say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Peer {
    /// Programs that have to be installed.
    pub(crate) needs: Vec<String>,
    /// The texts of the files that it is started with, by their names.
    pub(crate) files: BTreeMap<String, String>,
    /// What starts it, with its arguments.
    pub(crate) command: Vec<String>,
    /// It prints a URL with the address where it listens; else it listens on `{port}`.
    pub(crate) prints_address: bool,
    /// What the URLs of keys begin with.
    pub(crate) url: String,
    /// A URL that answers once it is ready.
    pub(crate) ready: Option<String>,
    /// Requests have a token, so that all that takes one reads as many headers.
    pub(crate) takes_token: bool,
    /// The path and the body of a request that it answers once it is ready.
    pub(crate) first: Option<(String, String)>,
    /// It ends with success when it is asked to end.
    pub(crate) stops_cleanly: bool,
}

/// Something that is measured in one go.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Row {
    /// What it is called, here and on the command line.
    #[serde(skip)]
    pub(crate) name: String,
    /// What it does, for who reads the table.
    pub(crate) about: String,
    /// It takes many minutes, or comes out the same every time, so one round is enough.
    pub(crate) once: bool,
    /// It takes so long that it is left out where no row is named.
    pub(crate) by_name_only: bool,
    /// Nodes of an etcd cluster that is there as long as the row, and that its servers run over.
    pub(crate) cluster: Option<u8>,
    /// Another row, whose sides come before its own.
    pub(crate) like: Option<String>,
    pub(crate) sides: Vec<Side>,
    /// Figures that can't be had, with the reason.
    pub(crate) absent: BTreeMap<String, String>,
    pub(crate) lines: Vec<Line>,
}

/// Something that is started, asked, and ended again.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Side {
    /// A peer, or `nobody` where what is asked needs no server.
    pub(crate) of: String,
    /// The store that it is started on; an empty folder where there is none.
    pub(crate) data: Option<String>,
    /// On a copy of it, because it changes.
    pub(crate) copy: bool,
    /// With the store's files in the operating system's cache.
    pub(crate) cached: bool,
    /// With one key of 1 KB in it.
    pub(crate) hot: bool,
    /// Started once before, and ended in good order.
    pub(crate) reopened: bool,
    /// Started once before, and killed in the midst of this.
    pub(crate) killed_amid: Option<Load>,
    /// Arguments beside the usual ones.
    pub(crate) settings: Vec<String>,
    /// Servers that share the connections of each load with the first.
    pub(crate) further_servers: u32,
    /// What is noted once it has started.
    pub(crate) note: Notes,
    pub(crate) loads: Vec<Load>,
}

/// What something is asked for some seconds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Load {
    /// A program, and what follows its usual arguments.
    pub(crate) asks: String,
    /// 64 where nothing is said.
    pub(crate) connections: Option<u32>,
    /// Keys to choose from: those of the store, or a million where there is none.
    pub(crate) keys: Option<u64>,
    /// These keys are a hundredth at small scale.
    pub(crate) shrinks: bool,
    /// Bytes of a value: as in the store, or 1,000 where there is none.
    pub(crate) bytes: Option<u64>,
    /// Seconds of the same load before anything counts, at full scale.
    pub(crate) warm: u32,
    /// Seconds that it takes at least, at full scale.
    pub(crate) at_least: u32,
    /// Seconds that it takes, whatever the other loads take.
    pub(crate) seconds: Option<u32>,
    /// Figures that it brings under these names by itself.
    pub(crate) prints: Vec<String>,
    /// What goes on meanwhile.
    pub(crate) beside: Option<Box<Load>>,
    pub(crate) note: Notes,
}

/// The names under which figures are noted: by what `sides.rs` counts, or by what the program prints.
pub(crate) type Notes = BTreeMap<String, String>;

fn one() -> u64 {
    1
}

impl Catalogue {
    /// Reads what is compiled in.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let read = toml::from_str(include_str!("rows.toml"));
        let mut catalogue: Self = read.context("rows.toml")?;
        for (name, row) in &mut catalogue.rows {
            row.name.clone_from(name);
        }
        Ok(catalogue)
    }

    /// The sides of a row, with those of the row that it is like.
    pub(crate) fn sides<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = &'a Side> {
        let like = row.like.as_ref().and_then(|name| self.rows.get(name));
        like.into_iter().chain([row]).flat_map(|row| &row.sides)
    }
}

impl Side {
    /// Its loads, with what goes on beside them.
    pub(crate) fn all_loads(&self) -> impl Iterator<Item = &Load> {
        let loads = self.loads.iter();
        loads.flat_map(|load| std::iter::once(load).chain(load.beside.as_deref()))
    }

    /// The names of all figures that it is to bring.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        let notes = self.all_loads().map(|load| &load.note).chain([&self.note]);
        let prints = self.all_loads().flat_map(|load| &load.prints);
        notes.flat_map(BTreeMap::values).chain(prints)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_lines_are_called_the_same() {
        let catalogue = Catalogue::read().unwrap();
        let lines = || catalogue.rows.values().flat_map(|row| &row.lines);
        let whats: HashSet<_> = lines().map(|line| &line.what).collect();
        assert_eq!(whats.len(), lines().count());
    }

    #[test]
    fn every_figure_of_a_row_is_noted_once_and_what_it_names_is_known() {
        let catalogue = Catalogue::read().unwrap();
        for row in catalogue.rows.values() {
            let sides = || catalogue.sides(row);
            let mut noted: Vec<_> = sides().flat_map(Side::names).collect();
            noted.extend(row.absent.keys());
            let names: HashSet<_> = noted.iter().copied().collect();
            assert_eq!(names.len(), noted.len(), "{} notes one twice", row.name);
            for name in row.lines.iter().flat_map(Line::figures) {
                assert!(names.contains(name), "{} lacks {name}", row.name);
            }
            let is_whole = !row.about.is_empty() && !row.lines.is_empty();
            assert!(is_whole && sides().next().is_some(), "{row:?}");
            for side in sides() {
                let is_known = side.of == "nobody" || catalogue.peers.contains_key(&side.of);
                assert!(is_known, "no peer {}", side.of);
                let mut stores = side.data.iter();
                let is_known = stores.all(|name| catalogue.stores.contains_key(name));
                assert!(is_known, "no store {:?}", side.data);
            }
        }
    }

    #[test]
    fn what_is_asked_and_noted_is_known() {
        let catalogue = Catalogue::read().unwrap();
        let seen = ["resident", "peak", "resident-each", "disk-each", "ready"];
        let counted = [
            "user",
            "system",
            "processor",
            "device",
            "database-each",
            "growth",
        ];
        let printed = ["rate", "least", "median", "p99", "others-p99"];
        let known = [&seen[..], &counted, &printed].concat();
        for side in catalogue.rows.values().flat_map(|row| &row.sides) {
            let is_seen = side.note.keys().all(|measure| seen.contains(&&**measure));
            assert!(is_seen, "{side:?}");
            for load in side.all_loads().chain(&side.killed_amid) {
                let program = load.asks.split(' ').next().unwrap();
                let is_known = program == "instructions" || catalogue.asks.contains_key(program);
                assert!(is_known, "no program {program}");
                let is_known = load.note.keys().all(|measure| known.contains(&&**measure));
                assert!(is_known, "{load:?}");
            }
        }
    }
}
