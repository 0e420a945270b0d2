//! A disk after a power cut.
//!
//! Everything that was synced survives. Of a file's other data any sectors may survive, with the length that the file
//! had at any moment since its sync; of a folder's other changes, any number of the first ones. Files and folders are
//! independent of each other, and a file's name survives only if its folder was synced (POSIX demands no more; ext4
//! does more by default).

use std::collections::BTreeMap;
use std::fs::{self, File as RealFile};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::history::{Change, Extent, Kind, NodeId, ROOT};

/// The fate of changes that were not synced.
pub enum Cut {
    /// All survive, as after a killed process.
    Kept,
    /// All are lost.
    Lost,
    /// Some survive.
    Torn {
        /// The seed by which they are chosen.
        random: fastrand::Rng,
        /// Bytes of a sector, which survives or is lost as a whole.
        sector: u64,
    },
}

/// A file's bytes, maybe without zeros at the end.
#[derive(Clone, Default)]
struct Content {
    bytes: Vec<u8>,
    length: u64,
}

enum Unsynced {
    Write { offset: u64, data: Vec<u8> },
    Resize(u64),
}

enum EntryChange {
    Enter(String, NodeId),
    Leave(String),
    Rename(String, String),
}

enum Node {
    File {
        synced: Content,
        /// Each with its place in the history.
        unsynced: Vec<(usize, Unsynced)>,
    },
    Folder {
        synced: BTreeMap<String, NodeId>,
        unsynced: Vec<(usize, EntryChange)>,
    },
}

/// The synced state, and the changes since, of all files and folders.
pub struct Disk {
    nodes: BTreeMap<NodeId, Node>,
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            nodes: BTreeMap::from([(ROOT, Node::new(Kind::Folder))]),
        }
    }
}

impl Disk {
    /// Adds the change at this place of the history.
    pub fn apply(&mut self, place: usize, change: Change) {
        match change {
            Change::Write { file, offset, data } => {
                self.file(file)
                    .push((place, Unsynced::Write { offset, data }));
            }
            Change::Resize { file, length } => {
                self.file(file).push((place, Unsynced::Resize(length)));
            }
            Change::Enter {
                folder,
                name,
                node,
                kind,
            } => {
                self.nodes.insert(node, Node::new(kind));
                self.folder(folder)
                    .push((place, EntryChange::Enter(name, node)));
            }
            Change::Leave { folder, name } => {
                self.folder(folder).push((place, EntryChange::Leave(name)));
            }
            Change::Rename { folder, from, to } => {
                self.folder(folder)
                    .push((place, EntryChange::Rename(from, to)));
            }
            Change::Sync {
                node,
                extent,
                covers,
            } => self.node(node).sync(extent, covers),
            Change::Note(_) => {}
        }
    }

    /// Makes every change durable, as the operating system does after some time.
    pub fn settle(&mut self) {
        for node in self.nodes.values_mut() {
            node.sync(Extent::All, usize::MAX);
        }
    }

    /// Loses the end of a file's synced bytes although the sync succeeded, as after a failed write of the file system's
    /// cache.
    pub fn forget(&mut self, path: &[&str], from: usize) {
        let mut found = ROOT;
        for name in path {
            let Node::Folder { synced, .. } = self.node(found) else {
                panic!("a file stands where a folder is expected");
            };
            found = synced[*name];
        }
        let Node::File { synced, .. } = self.node(found) else {
            panic!("a folder has no bytes");
        };
        synced.bytes.truncate(from);
    }

    /// Makes the folder `to` in the state after the cut.
    pub fn leave(&self, to: &Path, cut: &mut Cut) {
        fs::create_dir(to).unwrap();
        self.leave_folder(ROOT, to, cut);
    }

    fn leave_folder(&self, folder: NodeId, to: &Path, cut: &mut Cut) {
        let Node::Folder { synced, unsynced } = &self.nodes[&folder] else {
            panic!("a file has no entries");
        };
        let kept = cut.first_so_many(unsynced.len());
        let mut entries = synced.clone();
        for (_, change) in &unsynced[..kept] {
            change.happen(&mut entries);
        }
        for (name, node) in entries {
            let path = to.join(name);
            match &self.nodes[&node] {
                Node::File { synced, unsynced } => {
                    let content = survivors(synced, unsynced, cut);
                    let file = RealFile::create_new(path).unwrap();
                    file.set_len(content.length).unwrap();
                    file.write_all_at(&content.bytes, 0).unwrap();
                }
                Node::Folder { .. } => {
                    fs::create_dir(&path).unwrap();
                    self.leave_folder(node, &path, cut);
                }
            }
        }
    }

    fn node(&mut self, node: NodeId) -> &mut Node {
        self.nodes.get_mut(&node).expect("it was made")
    }

    fn file(&mut self, node: NodeId) -> &mut Vec<(usize, Unsynced)> {
        match self.node(node) {
            Node::File { unsynced, .. } => unsynced,
            Node::Folder { .. } => panic!("a folder has no bytes"),
        }
    }

    fn folder(&mut self, node: NodeId) -> &mut Vec<(usize, EntryChange)> {
        match self.node(node) {
            Node::Folder { unsynced, .. } => unsynced,
            Node::File { .. } => panic!("a file has no entries"),
        }
    }
}

impl Cut {
    /// The number of changes, counted from the first, that survive.
    fn first_so_many(&mut self, all: usize) -> usize {
        match self {
            Self::Kept => all,
            Self::Lost => 0,
            Self::Torn { random, .. } => some_or_all_or_none(random, all),
        }
    }
}

/// A number up to `all`. The ends are the most likely ones, as on real machines.
fn some_or_all_or_none(random: &mut fastrand::Rng, all: usize) -> usize {
    match random.u8(..3) {
        0 => 0,
        1 => all,
        _ => random.usize(..=all),
    }
}

impl Node {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::File => Self::File {
                synced: Content::default(),
                unsynced: Vec::new(),
            },
            Kind::Folder => Self::Folder {
                synced: BTreeMap::new(),
                unsynced: Vec::new(),
            },
        }
    }

    fn sync(&mut self, extent: Extent, covers: usize) {
        match self {
            Self::File { synced, unsynced } => {
                let covered = unsynced.partition_point(|(place, _)| *place < covers);
                let mut left = Vec::new();
                for (place, change) in unsynced.drain(..covered) {
                    match change {
                        Unsynced::Write { offset, data } => synced.write(offset, &data),
                        // A length beyond the data is not needed to read it.
                        Unsynced::Resize(length)
                            if extent == Extent::Data && length > synced.length =>
                        {
                            left.push((place, change));
                        }
                        Unsynced::Resize(length) => synced.resize(length),
                    }
                }
                unsynced.splice(..0, left);
            }
            Self::Folder { synced, unsynced } => {
                let covered = unsynced.partition_point(|(place, _)| *place < covers);
                for (_, change) in unsynced.drain(..covered) {
                    change.happen(synced);
                }
            }
        }
    }
}

impl EntryChange {
    fn happen(&self, entries: &mut BTreeMap<String, NodeId>) {
        match self {
            Self::Enter(name, node) => {
                entries.insert(name.clone(), *node);
            }
            Self::Leave(name) => {
                entries.remove(name).expect("it is there");
            }
            Self::Rename(from, to) => {
                let node = entries.remove(from).expect("it is there");
                entries.insert(to.clone(), node);
            }
        }
    }
}

impl Content {
    fn write(&mut self, offset: u64, data: &[u8]) {
        let start = usize::try_from(offset).unwrap();
        let end = start + data.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[start..end].copy_from_slice(data);
        self.length = self.length.max(end as u64);
    }

    fn resize(&mut self, length: u64) {
        self.length = length;
        let length = usize::try_from(length).unwrap();
        self.bytes.truncate(length);
    }
}

/// A file's bytes after a cut.
fn survivors(synced: &Content, unsynced: &[(usize, Unsynced)], cut: &mut Cut) -> Content {
    let mut content = synced.clone();
    // A file system writes no data behind a truncation that it has not written.
    let mut reach = unsynced.len();
    let mut length = content.length;
    let kept = cut.first_so_many(unsynced.len());
    let mut kept_length = length;
    for (place, (_, change)) in unsynced.iter().enumerate() {
        if let Unsynced::Resize(to) = change
            && *to < length
            && place >= kept
        {
            reach = place;
            break;
        }
        length = match change {
            Unsynced::Write { offset, data } => length.max(offset + data.len() as u64),
            Unsynced::Resize(to) => *to,
        };
        if place < kept {
            kept_length = length;
        }
    }
    // A sector has its contents of some moment: the result of any number of the first writes to it.
    let mut moments: BTreeMap<u64, usize> = BTreeMap::new();
    for (place, (_, change)) in unsynced[..reach].iter().enumerate() {
        match change {
            Unsynced::Resize(to) => content.resize(*to),
            Unsynced::Write { offset, data } => match cut {
                Cut::Kept => content.write(*offset, data),
                Cut::Lost => {}
                Cut::Torn { random, sector } => {
                    for (at, part) in sectors(*offset, data, *sector) {
                        let moment = moments.entry(at / *sector);
                        let moment = moment.or_insert_with(|| some_or_all_or_none(random, reach));
                        if place < *moment {
                            content.write(at, part);
                        }
                    }
                }
            },
        }
    }
    content.resize(kept_length);
    content
}

/// The parts of a write, each in one sector.
fn sectors(offset: u64, data: &[u8], sector: u64) -> impl Iterator<Item = (u64, &[u8])> {
    let mut at = offset;
    let mut rest = data;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let room = usize::try_from(sector - at % sector).unwrap();
        let (part, left) = rest.split_at(room.min(rest.len()));
        let found = (at, part);
        at += part.len() as u64;
        rest = left;
        Some(found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(offset: u64, data: &[u8]) -> Change {
        Change::Write {
            file: 1,
            offset,
            data: data.to_vec(),
        }
    }

    fn sync(node: NodeId, extent: Extent, covers: usize) -> Change {
        Change::Sync {
            node,
            extent,
            covers,
        }
    }

    fn disk(changes: Vec<Change>) -> Disk {
        let mut disk = Disk::default();
        let made = Change::Enter {
            folder: ROOT,
            name: "file".to_owned(),
            node: 1,
            kind: Kind::File,
        };
        for (place, change) in std::iter::once(made).chain(changes).enumerate() {
            disk.apply(place, change);
        }
        disk
    }

    fn left(disk: &Disk, mut cut: Cut) -> Option<Vec<u8>> {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("left");
        disk.leave(&folder, &mut cut);
        fs::read(folder.join("file")).ok()
    }

    #[test]
    fn a_file_is_gone_until_its_folder_was_synced_and_empty_until_it_was() {
        let named = disk(vec![write(0, b"abc"), sync(ROOT, Extent::All, 3)]);
        assert_eq!(left(&named, Cut::Lost), Some(vec![]));
        assert_eq!(left(&named, Cut::Kept), Some(b"abc".to_vec()));
        let synced = disk(vec![write(0, b"abc"), sync(1, Extent::Data, 3)]);
        assert_eq!(left(&synced, Cut::Lost), None);
    }

    #[test]
    fn a_sync_covers_what_was_written_before_it_began() {
        let half = disk(vec![
            write(0, b"abc"),
            write(3, b"def"),
            sync(1, Extent::Data, 2),
            sync(ROOT, Extent::All, 4),
        ]);
        assert_eq!(left(&half, Cut::Lost), Some(b"abc".to_vec()));
    }

    #[test]
    fn any_sectors_of_a_write_may_be_missing_and_are_zeros_then() {
        let torn = disk(vec![sync(ROOT, Extent::All, 1), write(0, &[7; 2_048])]);
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..400 {
            let cut = Cut::Torn {
                random: fastrand::Rng::with_seed(seed),
                sector: 512,
            };
            let bytes = left(&torn, cut).unwrap();
            assert!(bytes.is_empty() || bytes.len() == 2_048);
            let sectors: Vec<_> = bytes.chunks(512).map(|sector| sector[0]).collect();
            assert!(
                bytes
                    .chunks(512)
                    .all(|one| one.iter().all(|byte| *byte == one[0]))
            );
            seen.insert(sectors);
        }
        assert_eq!(seen.len(), 17, "every subset, and the empty file");
    }
}
