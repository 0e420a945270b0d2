//! The rows of `rows.toml`: what each is called, what it does, what of it is shown, and what it has to reach.

mod setup;

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Deserialize;

use super::lab::Lab;
use super::line::Line;
use setup::one;
pub(crate) use setup::{Contents, Peer, Shrinks};

/// All that can be measured.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Catalogue {
    pub(crate) stores: BTreeMap<String, Contents>,
    pub(crate) peers: BTreeMap<String, Peer>,
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
    /// Nodes of an etcd cluster that is there as long as the row, and that its servers run over.
    pub(crate) cluster: Option<u8>,
    /// Another row, whose sides come before its own.
    pub(crate) like: Option<String>,
    #[serde(default)]
    pub(crate) sides: Vec<Side>,
    /// Figures that can't be had, with the reason.
    #[serde(default)]
    pub(crate) absent: BTreeMap<String, String>,
    pub(crate) lines: Vec<Line>,
}

/// Something that is started, asked, and ended again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Side {
    /// `ours`, a peer, or `nobody` where what is asked needs no server.
    pub(crate) of: String,
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
    /// Started once before, and ended like this.
    pub(crate) restart: Option<Restart>,
    /// Asked by random users of the store, each with a token.
    #[serde(default)]
    pub(crate) tokens: bool,
    /// Of the server, beside the usual ones.
    #[serde(default)]
    pub(crate) settings: Vec<String>,
    /// Servers that share the connections of each load.
    #[serde(default = "one")]
    pub(crate) servers: u64,
    /// What is noted once it has started.
    #[serde(default)]
    pub(crate) note: Notes,
    #[serde(default)]
    pub(crate) loads: Vec<Load>,
}

/// How a server has ended.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Restart {
    /// In good order.
    Closed,
    /// By a kill in the midst of sets.
    Killed,
}

/// What something is asked for some seconds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Load {
    /// What `sides.rs` knows, or else a request of `requests.lua`.
    pub(crate) asks: String,
    /// What follows the URL of all keys, for what asks for one path or prefix.
    #[serde(default)]
    pub(crate) path: String,
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
    /// Seconds that it takes, whatever the other loads take.
    pub(crate) seconds: Option<u32>,
    /// Keys that the answer has to bring, at full scale.
    pub(crate) brings_keys: Option<u64>,
    /// Folders that it has to bring, at any scale.
    pub(crate) brings_folders: Option<u64>,
    /// Options of a program.
    #[serde(default)]
    pub(crate) options: Vec<String>,
    /// Options of a program that are numbers at full scale.
    #[serde(default)]
    pub(crate) counts: BTreeMap<String, u64>,
    /// Figures that it brings under these names by itself.
    #[serde(default)]
    pub(crate) prints: Vec<String>,
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
    /// Both of these.
    Processor,
    /// Answers in a second of that server of several that gave the fewest.
    Least,
    /// Milliseconds that 99 of 100 answers to others took at most.
    OthersP99,
    /// Bytes that the block device has written for each byte of a value.
    Device,
    /// Mebibytes of memory at the end.
    Resident,
    /// Bytes of memory at the end for each key.
    ResidentEach,
    /// Mebibytes of memory at most.
    Peak,
    /// Mebibytes of memory at most during the load, less what there was before.
    Growth,
    /// Bytes of a cluster's database for each key.
    DatabaseEach,
    /// Bytes of disk for each key.
    DiskEach,
    /// Milliseconds from the start of the process until it was ready.
    Ready,
}

impl Catalogue {
    /// Reads what is compiled in.
    pub(crate) fn read() -> anyhow::Result<Self> {
        toml::from_str(include_str!("rows.toml")).context("rows.toml")
    }

    /// The sides of a row, with those of the row that it is like.
    pub(crate) fn sides<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = &'a Side> {
        let is_meant = |other: &&Row| row.like.as_ref() == Some(&other.name);
        let like = self.rows.iter().filter(is_meant);
        like.chain([row]).flat_map(|row| &row.sides)
    }
}

impl Load {
    /// Keys or folders that the answer has to bring.
    pub(crate) fn expected(&self, lab: &Lab) -> Option<u64> {
        let keys = self.brings_keys.map(|keys| lab.scaled(keys));
        keys.or(self.brings_folders)
    }
}

impl Side {
    /// The names of all figures that it is to bring.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        let loads = self.loads.iter();
        let loads = loads.flat_map(|load| std::iter::once(load).chain(load.beside.as_deref()));
        let prints = loads.clone().flat_map(|load| &load.prints);
        let notes = loads.map(|load| &load.note).chain([&self.note]);
        notes.flat_map(BTreeMap::values).chain(prints)
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
    fn every_figure_of_a_row_is_noted_once_and_its_stores_are_known() {
        let catalogue = Catalogue::read().unwrap();
        for row in &catalogue.rows {
            let sides = || catalogue.sides(row);
            let mut noted: Vec<_> = sides().flat_map(Side::names).collect();
            noted.extend(row.absent.keys());
            let names: HashSet<_> = noted.iter().copied().collect();
            assert_eq!(names.len(), noted.len(), "{} notes one twice", row.name);
            for line in &row.lines {
                for name in [Some(&line.ours), line.peer.as_ref()].into_iter().flatten() {
                    assert!(names.contains(name), "{} lacks {name}", row.name);
                }
            }
            for of in sides().map(|side| &*side.of) {
                let known = ["ours", "nobody"].contains(&of) || catalogue.peers.contains_key(of);
                assert!(known, "no peer {of}");
            }
            assert!(sides().next().is_some(), "{} has no side", row.name);
            for store in sides().filter_map(|side| side.data.as_ref()) {
                assert!(catalogue.stores.contains_key(store), "no store {store}");
            }
        }
    }
}
