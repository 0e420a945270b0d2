//! The types of `rows.toml`: every row, with the programs that it starts and the figures that it shows.

use std::collections::BTreeMap;

use anyhow::Context as _;
use indexmap::IndexMap;
use serde::Deserialize;

use super::line::Line;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Catalogue {
    pub(crate) stores: BTreeMap<String, Contents>,
    /// Load generators, with their arguments.
    pub(crate) asks: BTreeMap<String, Vec<String>>,
    pub(crate) peers: BTreeMap<String, Peer>,
    pub(crate) parts: BTreeMap<String, Vec<String>>,
    /// In the order of the table.
    pub(crate) rows: IndexMap<String, Row>,
}

/// The contents of a store, at full scale.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contents {
    #[serde(default = "one")]
    pub(crate) users: u64,
    /// Keys of each user.
    pub(crate) keys: u64,
    /// Bytes of each value.
    pub(crate) bytes: u64,
    /// Folders over which the keys are spread; 0 for none.
    #[serde(default)]
    pub(crate) folders: u64,
    #[serde(default)]
    pub(crate) shrinks: Shrinks,
}

/// The number that is a hundredth at small scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Shrinks {
    #[default]
    Keys,
    Users,
    Nothing,
}

/// A program that is measured. In its files, command, URLs and body, names in braces stand for their values.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Peer {
    /// Programs that have to be installed.
    pub(crate) needs: Vec<String>,
    /// The contents of the files with which it is started, by their names.
    pub(crate) files: BTreeMap<String, String>,
    /// Its command, with arguments.
    pub(crate) command: Vec<String>,
    /// It prints a URL with its address; else it listens on `{port}`.
    pub(crate) prints_address: bool,
    /// The beginning of the URLs of keys.
    pub(crate) url: String,
    /// A URL that answers with success once it is ready.
    pub(crate) ready: Option<String>,
    /// Requests have a token, so that all servers that take one read the same number of headers.
    pub(crate) takes_token: bool,
    /// The path and the body of a request that succeeds once it is ready.
    pub(crate) first: Option<(String, String)>,
    /// It ends with success when it is asked to end.
    pub(crate) stops_cleanly: bool,
}

/// A measurement, which is chosen as a whole.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Row {
    /// Its name, here and on the command line.
    #[serde(skip)]
    pub(crate) name: String,
    /// Its description, for readers of the table.
    pub(crate) about: String,
    /// It takes many minutes, or its figures hardly vary, so one round is enough.
    pub(crate) once: bool,
    /// It takes so long that it runs only where it is named.
    pub(crate) by_name_only: bool,
    /// The number of nodes of an etcd cluster that the servers of the row run over.
    pub(crate) cluster: Option<u8>,
    /// Another row, whose sides come before its own.
    pub(crate) like: Option<String>,
    pub(crate) sides: Vec<Side>,
    /// Figures that are not available, with the reason.
    pub(crate) absent: BTreeMap<String, String>,
    pub(crate) lines: Vec<Line>,
}

/// A server that is started, loaded, and ended again.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Side {
    /// A peer, or `nobody` where the loads need no server.
    pub(crate) of: String,
    /// The store with which it is started; an empty folder where there is none.
    pub(crate) data: Option<String>,
    /// On a copy of that store, because the loads change it.
    pub(crate) copy: bool,
    /// With the store's files in the operating system's cache.
    pub(crate) cached: bool,
    /// With one key of 1 KB in it.
    pub(crate) hot: bool,
    /// Started once before, and stopped in order.
    pub(crate) reopened: bool,
    /// Started once before, and killed during this load.
    pub(crate) killed_amid: Option<Load>,
    /// Arguments beside the usual ones.
    pub(crate) settings: Vec<String>,
    /// Further servers, which share the connections of each load with the first.
    pub(crate) further_servers: u32,
    /// The figures that are noted after its start.
    pub(crate) note: Notes,
    pub(crate) loads: Vec<Load>,
}

/// A load of some seconds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Load {
    /// A load generator, and the words after its usual arguments.
    pub(crate) asks: String,
    /// 64 by default.
    pub(crate) connections: Option<u32>,
    /// The number of keys from which requests choose: by default that of the store, or a million without one.
    pub(crate) keys: Option<u64>,
    /// This number of keys is a hundredth at small scale.
    pub(crate) shrinks: bool,
    /// Bytes of a value: by default as in the store, or 1,000 without one.
    pub(crate) bytes: Option<u64>,
    /// Seconds of the same load before the measurement, at full scale.
    pub(crate) warm: u32,
    /// The shortest time in seconds, at full scale.
    pub(crate) at_least: u32,
    /// The time in seconds, if it differs from that of the other loads.
    pub(crate) seconds: Option<u32>,
    /// Figures that the program prints with these names.
    pub(crate) prints: Vec<String>,
    /// A second load at the same time.
    pub(crate) beside: Option<Box<Load>>,
    pub(crate) note: Notes,
}

/// The names of figures in the table, by the names of `sides.rs` or those that the program prints.
pub(crate) type Notes = BTreeMap<String, String>;

fn one() -> u64 {
    1
}

impl Catalogue {
    /// Reads the file, which is compiled in.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let read = toml::from_str(include_str!("rows.toml"));
        let mut catalogue: Self = read.context("rows.toml")?;
        for (name, row) in &mut catalogue.rows {
            row.name.clone_from(name);
        }
        Ok(catalogue)
    }

    /// The sides of a row, after those of the row that it is like.
    pub(crate) fn sides<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = &'a Side> {
        let like = row.like.as_ref().and_then(|name| self.rows.get(name));
        like.into_iter().chain([row]).flat_map(|row| &row.sides)
    }
}

impl Side {
    /// Its loads, with the second ones at their times.
    pub(crate) fn all_loads(&self) -> impl Iterator<Item = &Load> {
        let loads = self.loads.iter();
        loads.flat_map(|load| std::iter::once(load).chain(load.beside.as_deref()))
    }

    /// The names of all its figures.
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
