//! The rows of `rows.toml`: what each is called, what it does, what of it is shown, and what it has to reach.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Deserialize;

use super::line::Line;

/// All that can be measured.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Catalogue {
    pub(crate) stores: BTreeMap<String, Contents>,
    /// In the order of the table.
    #[serde(rename = "row")]
    pub(crate) rows: Vec<Row>,
}

/// Something that is measured in one go.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Row {
    /// What it is called on the command line.
    pub(crate) name: String,
    /// What it does, for who reads the table.
    pub(crate) about: String,
    /// It takes many minutes, or comes out the same every time, so one round is enough.
    #[serde(default)]
    pub(crate) once: bool,
    /// It takes so long that it is left out where no row is named.
    #[serde(default)]
    pub(crate) by_name_only: bool,
    #[serde(default)]
    pub(crate) sides: Vec<Side>,
    pub(crate) custom: Option<String>,
    /// Figures that can't be had, with the reason.
    #[serde(default)]
    pub(crate) absent: BTreeMap<String, String>,
    pub(crate) lines: Vec<Line>,
}

/// Something that is started, asked, and ended again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Side {
    pub(crate) of: Subject,
    /// The store that it is started on; an empty folder where there is none.
    pub(crate) data: Option<String>,
    /// On a copy of it, because it changes.
    #[serde(default)]
    pub(crate) copy: bool,
    /// With the store's files in the operating system's cache.
    #[serde(default)]
    pub(crate) cached: bool,
    /// With one key of 1 KB in it.
    #[serde(default)]
    pub(crate) hot: bool,
    /// Started and stopped once before.
    #[serde(default)]
    pub(crate) restart: bool,
    /// Asked by random users of the store, each with a token.
    #[serde(default)]
    pub(crate) tokens: bool,
    /// What is noted once it has started.
    #[serde(default)]
    pub(crate) note: Notes,
    #[serde(default)]
    pub(crate) loads: Vec<Load>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Subject {
    Ours,
    Bare,
    BareAppending,
    Nginx,
    Etcd,
    Redis,
    Nats,
    /// What is asked needs no server.
    Nobody,
}

/// What something is asked for some seconds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Load {
    /// What `sides.rs` knows, or else a request of `requests.lua`.
    pub(crate) asks: String,
    #[serde(default = "usual_connections")]
    pub(crate) connections: u32,
    /// Keys to choose from, where the side has no store.
    #[serde(default = "usual_keys")]
    pub(crate) keys: u64,
    /// Bytes of a value, where the side has no store.
    #[serde(default = "usual_bytes")]
    pub(crate) bytes: u64,
    /// Seconds of the same load before anything counts, at full scale.
    #[serde(default)]
    pub(crate) warm: u32,
    /// Seconds that it takes at least, at full scale.
    #[serde(default)]
    pub(crate) at_least: u32,
    /// What goes on meanwhile; it begins a second before and ends a second after.
    pub(crate) beside: Option<Box<Load>>,
    #[serde(default)]
    pub(crate) note: Notes,
}

fn usual_connections() -> u32 {
    64
}

fn usual_keys() -> u64 {
    1_000_000
}

fn usual_bytes() -> u64 {
    1_000
}

/// The names under which figures are noted.
pub(crate) type Notes = BTreeMap<Measure, String>;

/// What is taken of a load or of what bears it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Measure {
    /// Answers in a second.
    Rate,
    /// Milliseconds that half of the answers took at most.
    Median,
    /// Milliseconds that 99 of 100 answers took at most.
    P99,
    /// Microseconds of the processor for each answer, in the server's own code.
    User,
    /// The same in the kernel.
    System,
    /// Bytes that the block device has written for each byte of a value.
    Device,
    /// Mebibytes of memory at the end.
    Resident,
    /// Bytes of memory at the end for each key.
    ResidentEach,
    /// Mebibytes of memory at most.
    Peak,
    /// Bytes of disk for each key.
    DiskEach,
    /// Milliseconds from the start of the process until it was ready.
    Ready,
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

fn one() -> u64 {
    1
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

impl Catalogue {
    /// Reads what is compiled in.
    pub(crate) fn read() -> anyhow::Result<Self> {
        toml::from_str(include_str!("rows.toml")).context("rows.toml")
    }
}

impl Side {
    /// The names of all figures that it is to bring.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        let loads = self.loads.iter();
        let loads = loads.flat_map(|load| std::iter::once(load).chain(load.beside.as_deref()));
        let notes = loads.map(|load| &load.note).chain([&self.note]);
        notes.flat_map(BTreeMap::values)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_rows_or_lines_are_called_the_same() {
        let catalogue = Catalogue::read().unwrap();
        let names: HashSet<_> = catalogue.rows.iter().map(|row| &row.name).collect();
        assert_eq!(names.len(), catalogue.rows.len());
        let lines = || catalogue.rows.iter().flat_map(|row| &row.lines);
        let whats: HashSet<_> = lines().map(|line| &line.what).collect();
        assert_eq!(whats.len(), lines().count());
    }

    #[test]
    fn every_figure_of_a_row_of_sides_is_noted_once_and_its_stores_are_known() {
        let catalogue = Catalogue::read().unwrap();
        for row in &catalogue.rows {
            let sides = || row.sides.iter();
            let mut noted: Vec<_> = sides().flat_map(Side::names).collect();
            noted.extend(row.absent.keys());
            let names: HashSet<_> = noted.iter().copied().collect();
            assert_eq!(names.len(), noted.len(), "{} notes one twice", row.name);
            for line in row.lines.iter().filter(|_| row.custom.is_none()) {
                for name in [Some(&line.ours), line.peer.as_ref()].into_iter().flatten() {
                    assert!(names.contains(name), "{} lacks {name}", row.name);
                }
            }
            for store in sides().filter_map(|side| side.data.as_ref()) {
                assert!(catalogue.stores.contains_key(store), "no store {store}");
            }
        }
    }
}
