//! The changes that system calls make to the files and folders below one folder.
//!
//! It keeps the same state as the kernel: the names in folders, and the file and position of each open descriptor. An
//! unknown call is an error, so that no change is missed.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::trace::Call;

/// A file or folder, whatever its present name.
pub type NodeId = usize;

/// The folder that contains all others.
pub const ROOT: NodeId = 0;

/// One change, in the order in which the calls ended.
#[derive(Debug)]
pub enum Change {
    /// Bytes were written to a file.
    Write {
        /// The file.
        file: NodeId,
        /// The position in the file.
        offset: u64,
        /// The bytes.
        data: Vec<u8>,
    },
    /// The length of a file was set.
    Resize {
        /// The file.
        file: NodeId,
        /// Its length.
        length: u64,
    },
    /// An entry was added to a folder, or replaced there.
    Enter {
        /// The folder.
        folder: NodeId,
        /// The entry's name.
        name: String,
        /// The file or folder.
        node: NodeId,
        /// Its kind.
        kind: Kind,
    },
    /// An entry was removed from a folder.
    Leave {
        /// The folder.
        folder: NodeId,
        /// The entry's name.
        name: String,
    },
    /// An entry was renamed within a folder.
    Rename {
        /// The folder.
        folder: NodeId,
        /// The former name.
        from: String,
        /// The new name.
        to: String,
    },
    /// A file or folder was synced.
    Sync {
        /// The file or folder.
        node: NodeId,
        /// The extent.
        extent: Extent,
        /// The sync covers the changes before this place of the history.
        covers: usize,
    },
    /// The program wrote a note.
    Note(String),
}

/// The kind of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A folder.
    Folder,
}

/// The extent of a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// `fsync`.
    All,
    /// `fdatasync`: the data, and the length as far as it is needed to read the data.
    Data,
}

enum Node {
    File { length: u64 },
    Folder(BTreeMap<String, NodeId>),
}

/// The object of a descriptor.
#[derive(Clone, Copy)]
enum Target {
    Node(NodeId),
    Notes,
    /// Outside of the folder.
    Other,
}

struct Open {
    target: Target,
    offset: u64,
    append: bool,
}

/// The state of the kernel after some calls.
pub struct Follower {
    root: PathBuf,
    notes: PathBuf,
    nodes: Vec<Node>,
    /// Positions, which duplicates of a descriptor share.
    opened: Vec<Open>,
    descriptors: HashMap<i64, usize>,
    changes: Vec<Change>,
}

impl Follower {
    /// Begins with the folder `root`, whose contents before the first call were those of `base`, and the file `notes`.
    pub fn new(base: &Path, root: &Path, notes: &Path) -> Self {
        let mut follower = Self {
            root: root.to_owned(),
            notes: notes.to_owned(),
            nodes: vec![Node::Folder(BTreeMap::new())],
            opened: Vec::new(),
            descriptors: HashMap::new(),
            changes: Vec::new(),
        };
        follower.find_existing(base, ROOT);
        follower
    }

    /// All changes that the calls made, behind the changes that make the contents before the first call. The latter
    /// count as synced; the second value is their number.
    pub fn follow(mut self, calls: Vec<Call>) -> (Vec<Change>, usize) {
        let before = self.changes.len();
        // The number of changes after each number of calls that had ended.
        let mut reached = Vec::with_capacity(calls.len() + 1);
        for call in calls {
            reached.push(self.changes.len());
            if call.result >= 0 {
                let covers = reached[call.began];
                self.call(&call, covers);
            }
        }
        (self.changes, before)
    }

    fn find_existing(&mut self, path: &Path, folder: NodeId) {
        let mut entries: Vec<_> = std::fs::read_dir(path)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name().into_string().expect("names are UTF-8");
            if entry.file_type().unwrap().is_dir() {
                let node = self.enter(folder, &name, Kind::Folder);
                self.find_existing(&entry.path(), node);
            } else {
                let node = self.enter(folder, &name, Kind::File);
                let data = std::fs::read(entry.path()).unwrap();
                self.resize(node, data.len() as u64);
                let used = data.iter().rposition(|byte| *byte != 0);
                self.write(node, 0, data[..used.map_or(0, |last| last + 1)].to_vec());
            }
        }
    }

    fn call(&mut self, call: &Call, covers: usize) {
        match call.name.as_str() {
            "open" | "openat" | "creat" => self.open(call),
            "close" => {
                self.descriptors.remove(&call.number(0));
            }
            "dup" | "dup2" | "dup3" => self.duplicate(call),
            "fcntl" if call.word(1).starts_with("F_DUPFD") => self.duplicate(call),
            "lseek" => {
                let offset = call.result.cast_unsigned();
                if let Some(open) = self.opened(call) {
                    open.offset = offset;
                }
            }
            "write" | "writev" => self.write_on(call),
            "pwrite64" => self.write_at(call),
            "fsync" => self.sync(call, Extent::All, covers),
            "fdatasync" => self.sync(call, Extent::Data, covers),
            "ftruncate" => {
                if let Some(file) = self.node(call) {
                    self.resize(file, call.number(1).cast_unsigned());
                }
            }
            "rename" => self.rename((call.path(0), None), (call.path(1), None)),
            "renameat" | "renameat2" => {
                let (from, to) = (call.word(0).to_owned(), call.word(2).to_owned());
                self.rename((call.path(1), Some(&from)), (call.path(3), Some(&to)));
            }
            "unlink" | "rmdir" => self.remove(call.path(0), None),
            "unlinkat" => self.remove(call.path(1), Some(call.word(0))),
            "mkdir" => self.make_folder(call.path(0), None),
            "mkdirat" => self.make_folder(call.path(1), Some(call.word(0))),
            // It starts to write data, and makes nothing durable.
            "sync_file_range" | "fcntl" => {}
            "mmap" => {
                let writes = call.word(2).contains("WRITE") && call.word(3).contains("SHARED");
                let is_file = call.number(4) >= 0;
                assert!(!(writes && is_file), "writes through memory: {call:?}");
            }
            other => panic!("{other} is not understood: {call:?}"),
        }
    }

    fn open(&mut self, call: &Call) {
        let (path, base, flags) = match call.name.as_str() {
            "openat" => (call.path(1), Some(call.word(0)), call.word(2)),
            "open" => (call.path(0), None, call.word(1)),
            _ => (call.path(0), None, "O_CREAT|O_WRONLY|O_TRUNC"),
        };
        let has = |flag: &str| flags.split('|').any(|one| one == flag);
        assert!(!has("O_TMPFILE"), "files without a name: {call:?}");
        let (path, append) = (self.absolute(path, base), has("O_APPEND"));
        let target = if path == self.notes {
            Target::Notes
        } else if path == self.root {
            Target::Node(ROOT)
        } else if let Some((folder, name)) = self.place(&path) {
            let found = self.entries(folder).get(&name).copied();
            let node = found.unwrap_or_else(|| {
                assert!(has("O_CREAT"), "{} is not known", path.display());
                self.enter(folder, &name, Kind::File)
            });
            if has("O_TRUNC") && found.is_some() {
                self.resize(node, 0);
            }
            Target::Node(node)
        } else {
            Target::Other
        };
        self.opened.push(Open {
            target,
            offset: 0,
            append,
        });
        self.descriptors.insert(call.result, self.opened.len() - 1);
    }

    fn duplicate(&mut self, call: &Call) {
        if let Some(open) = self.descriptors.get(&call.number(0)).copied() {
            self.descriptors.insert(call.result, open);
        }
    }

    fn write_on(&mut self, call: &Call) {
        let mut data = call.data();
        let written = usize::try_from(call.result).unwrap();
        assert!(data.len() >= written, "not all that was written is shown");
        data.truncate(written);
        let Some(open) = self.opened(call) else {
            return;
        };
        match open.target {
            Target::Notes => {
                let text = String::from_utf8(data).expect("notes are text");
                self.changes.push(Change::Note(text.trim_end().to_owned()));
            }
            Target::Node(file) => {
                let (append, offset) = (open.append, open.offset);
                let offset = if append { self.length(file) } else { offset };
                let end = offset + data.len() as u64;
                self.write(file, offset, data);
                if let Some(open) = self.opened(call) {
                    open.offset = end;
                }
            }
            Target::Other => {}
        }
    }

    fn write_at(&mut self, call: &Call) {
        if let Some(file) = self.node(call) {
            let mut data = call.data();
            data.truncate(usize::try_from(call.result).unwrap());
            self.write(file, call.number(3).cast_unsigned(), data);
        }
    }

    fn sync(&mut self, call: &Call, extent: Extent, covers: usize) {
        if let Some(node) = self.node(call) {
            self.changes.push(Change::Sync {
                node,
                extent,
                covers,
            });
        }
    }

    fn rename(&mut self, from: (&str, Option<&str>), to: (&str, Option<&str>)) {
        let from = self.place(&self.absolute(from.0, from.1));
        let to = self.place(&self.absolute(to.0, to.1));
        let (Some((folder, from)), Some((other, to))) = (from, to) else {
            return;
        };
        assert_eq!(folder, other, "a rename from folder to folder");
        let node = self.entries(folder).remove(&from).expect("it is there");
        self.entries(folder).insert(to.clone(), node);
        self.changes.push(Change::Rename { folder, from, to });
    }

    fn remove(&mut self, path: &str, base: Option<&str>) {
        if let Some((folder, name)) = self.place(&self.absolute(path, base)) {
            self.entries(folder).remove(&name).expect("it is there");
            self.changes.push(Change::Leave { folder, name });
        }
    }

    fn make_folder(&mut self, path: &str, base: Option<&str>) {
        if let Some((folder, name)) = self.place(&self.absolute(path, base)) {
            self.enter(folder, &name, Kind::Folder);
        }
    }

    fn enter(&mut self, folder: NodeId, name: &str, kind: Kind) -> NodeId {
        let node = self.nodes.len();
        self.nodes.push(match kind {
            Kind::File => Node::File { length: 0 },
            Kind::Folder => Node::Folder(BTreeMap::new()),
        });
        self.entries(folder).insert(name.to_owned(), node);
        let name = name.to_owned();
        self.changes.push(Change::Enter {
            folder,
            name,
            node,
            kind,
        });
        node
    }

    fn write(&mut self, file: NodeId, offset: u64, data: Vec<u8>) {
        if data.is_empty() {
            return;
        }
        let length = self.length(file).max(offset + data.len() as u64);
        self.nodes[file] = Node::File { length };
        self.changes.push(Change::Write { file, offset, data });
    }

    fn resize(&mut self, file: NodeId, length: u64) {
        self.nodes[file] = Node::File { length };
        self.changes.push(Change::Resize { file, length });
    }

    fn opened(&mut self, call: &Call) -> Option<&mut Open> {
        let open = self.descriptors.get(&call.number(0))?;
        self.opened.get_mut(*open)
    }

    fn node(&mut self, call: &Call) -> Option<NodeId> {
        match self.opened(call)?.target {
            Target::Node(node) => Some(node),
            Target::Notes | Target::Other => None,
        }
    }

    fn length(&self, file: NodeId) -> u64 {
        match &self.nodes[file] {
            Node::File { length } => *length,
            Node::Folder(_) => panic!("a folder has no length"),
        }
    }

    fn entries(&mut self, folder: NodeId) -> &mut BTreeMap<String, NodeId> {
        match &mut self.nodes[folder] {
            Node::Folder(entries) => entries,
            Node::File { .. } => panic!("a file has no entries"),
        }
    }

    /// A path that may be relative to an open folder.
    fn absolute(&self, path: &str, base: Option<&str>) -> PathBuf {
        let path = Path::new(path);
        let Some(base) = base.filter(|base| *base != "AT_FDCWD" && path.is_relative()) else {
            return path.to_owned();
        };
        let descriptor: i64 = base.parse().expect("a descriptor");
        let target = self.descriptors.get(&descriptor);
        match target.map(|open| self.opened[*open].target) {
            Some(Target::Node(folder)) => self.path_of(folder).join(path),
            _ => PathBuf::from("/elsewhere").join(path),
        }
    }

    fn path_of(&self, wanted: NodeId) -> PathBuf {
        if wanted == ROOT {
            return self.root.clone();
        }
        for (folder, node) in self.nodes.iter().enumerate() {
            if let Node::Folder(entries) = node
                && let Some((name, _)) = entries.iter().find(|(_, node)| **node == wanted)
            {
                return self.path_of(folder).join(name);
            }
        }
        panic!("a folder that is gone is used");
    }

    /// The folder and the name of a path; `None` outside of the root.
    fn place(&self, path: &Path) -> Option<(NodeId, String)> {
        let below = path.strip_prefix(&self.root).ok()?;
        let mut names: Vec<_> = below
            .iter()
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        let last = names.pop()?;
        let mut folder = ROOT;
        for name in names {
            let Node::Folder(entries) = &self.nodes[folder] else {
                panic!(
                    "a file stands where a folder is expected in {}",
                    path.display()
                );
            };
            folder = *entries
                .get(&name)
                .unwrap_or_else(|| panic!("{} is not known", path.display()));
        }
        Some((folder, last))
    }
}
