//! The manifests: which tables a tree has, with their checksums.
//!
//! fjall 3.1 keeps the tree of a keyspace in `keyspaces/NUMBER`; the trees of a log are in
//! `index/NAME`. There, `current` holds the number of the
//! manifest (8 bytes), its checksum (16 bytes, XXH3) and a zero; the manifest is `vNUMBER`; the
//! tables are `tables/NUMBER` and, where large values are stored apart, `blobs/NUMBER`. A
//! manifest is an archive of sections with a table of contents. Numbers are little-endian.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::super::group_log;
use super::{DamagedFile, Unsound};

/// fjall makes it in every store.
pub(in crate::embedded) const VERSION_FILE: &str = "version";
const VERSION: &[u8] = b"FJL\x03";
const KEYSPACES: &str = "keyspaces";
const CURRENT: &str = "current";

/// fjall's own keyspace: names and settings of the others. What it does not find there it
/// deletes.
const OWN_KEYSPACE: &str = "0";

/// Bytes of the trailer of an archive, and what it begins with.
const TRAILER: usize = 38;
const TRAILER_MAGIC: &[u8] = b"SFA!";

/// Bytes read at once.
const CHUNK: usize = 64 << 10;

/// A file that a manifest names.
struct Listed {
    /// Within the folder of the keyspace.
    file: String,
    sum: u128,
}

/// Demands that every manifest is what was written and that its tables are there.
pub(super) fn examine(store: &Path) -> Result<(), Unsound> {
    match fs::read(store.join(VERSION_FILE)) {
        Ok(version) if version == VERSION => {}
        Ok(_) => {
            let file = format!("store/{VERSION_FILE}");
            return Err(Unsound::damaged(file, "it names no known version"));
        }
        // A new store.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    for tree in keyspaces(store)? {
        for Listed { file, sum } in examine_tree(&tree)? {
            let is_own = tree.within == format!("store/{KEYSPACES}/{OWN_KEYSPACE}");
            if is_own && checksum(&tree.folder.join(&file))? != sum {
                let file = format!("{}/{file}", tree.within);
                return Err(Unsound::damaged(file, NOT_AS_WRITTEN));
            }
        }
    }
    Ok(())
}

/// Demands the same of the trees of a log.
pub(super) fn examine_index(store: &Path) -> Result<(), Unsound> {
    for tree in index(store) {
        examine_tree(&tree)?;
    }
    Ok(())
}

/// The tables of a tree, all of which are there.
fn examine_tree(tree: &Tree) -> Result<Vec<Listed>, Unsound> {
    let listed = read_manifest(tree)?;
    for Listed { file, .. } in &listed {
        if !tree.folder.join(file).try_exists()? {
            let file = format!("{}/{file}", tree.within);
            return Err(Unsound::damaged(file, "it is missing"));
        }
    }
    Ok(listed)
}

/// A tree of tables.
struct Tree {
    folder: PathBuf,
    /// The same within the folder of the store.
    within: String,
    /// Whether it has tables in any case, or a crash may have come before it had a manifest.
    is_complete: bool,
}

const NOT_AS_WRITTEN: &str = "it is not what was written";

/// Compares every table with its checksum.
pub(super) fn compare_tables(
    store: &Path,
    found: &mut dyn FnMut(DamagedFile),
) -> Result<(), Unsound> {
    compare(keyspaces(store)?, found)
}

/// Compares every table of the trees of a log with its checksum.
pub(super) fn compare_index(
    store: &Path,
    found: &mut dyn FnMut(DamagedFile),
) -> Result<(), Unsound> {
    compare(index(store), found)
}

fn compare(trees: Vec<Tree>, found: &mut dyn FnMut(DamagedFile)) -> Result<(), Unsound> {
    for tree in trees {
        for Listed { file, sum } in read_manifest(&tree)? {
            let how = match checksum(&tree.folder.join(&file)) {
                Ok(found) if found == sum => continue,
                Ok(_) => NOT_AS_WRITTEN.to_owned(),
                // Somebody else's file is not a damaged one.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    return Err(error.into());
                }
                // Also where a sector can't be read.
                Err(error) => format!("it can't be read: {error}"),
            };
            let file = format!("{}/{file}", tree.within);
            found(DamagedFile { file, how });
        }
    }
    Ok(())
}

/// The trees of a log.
fn index(store: &Path) -> Vec<Tree> {
    let tree = |table| Tree {
        folder: group_log::tree_folder(store, table),
        within: group_log::tree_within(table),
        is_complete: true,
    };
    group_log::TREES.map(tree).into()
}

/// The trees of the keyspaces.
fn keyspaces(store: &Path) -> io::Result<Vec<Tree>> {
    let mut keyspaces = Vec::new();
    for entry in fs::read_dir(store.join(KEYSPACES))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            let name = entry.file_name().to_string_lossy().into_owned();
            keyspaces.push(Tree {
                folder: entry.path(),
                within: format!("store/{KEYSPACES}/{name}"),
                is_complete: false,
            });
        }
    }
    keyspaces.sort_by(|one, other| one.within.cmp(&other.within));
    Ok(keyspaces)
}

/// The files that a tree's manifest names.
fn read_manifest(tree: &Tree) -> Result<Vec<Listed>, Unsound> {
    let within = |file: &str| format!("{}/{file}", tree.within);
    let current = match fs::read(tree.folder.join(CURRENT)) {
        Ok(current) => current,
        // One whose creation a crash interrupted has no tables, and fjall makes it anew. It
        // would do so as well where there are some.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let tables = fs::read_dir(tree.folder.join("tables"));
            let has_tables = tables.is_ok_and(|mut tables| tables.next().is_some());
            return match has_tables || tree.is_complete {
                true => Err(Unsound::damaged(within(CURRENT), "it is missing")),
                false => Ok(Vec::new()),
            };
        }
        Err(error) => return Err(error.into()),
    };
    let mut fields = Fields(&current);
    let (Some(number), Some(sum), Some([0]), true) = (
        fields.take().map(u64::from_le_bytes),
        fields.take().map(u128::from_le_bytes),
        fields.take::<1>(),
        fields.0.is_empty(),
    ) else {
        return Err(Unsound::damaged(within(CURRENT), NOT_AS_WRITTEN));
    };
    let file = format!("v{number}");
    let manifest = match fs::read(tree.folder.join(&file)) {
        Ok(manifest) => manifest,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let how = format!("it names the manifest {file}, which is not there");
            return Err(Unsound::damaged(within(CURRENT), how));
        }
        Err(error) => return Err(error.into()),
    };
    if xxh3_128(&manifest) != sum {
        let how = format!("{NOT_AS_WRITTEN}, or {} is not", within(CURRENT));
        return Err(Unsound::damaged(within(&file), how));
    }
    parse(&manifest).ok_or_else(|| Unsound::damaged(within(&file), "it can't be understood"))
}

fn parse(manifest: &[u8]) -> Option<Vec<Listed>> {
    let trailer = manifest.last_chunk::<TRAILER>()?;
    // The magic, a version, the kind and the bytes of a checksum, and where the contents are.
    let mut trailer = Fields(trailer.strip_prefix(TRAILER_MAGIC)?);
    let _: [u8; 18] = trailer.take()?;
    let contents = usize::try_from(u64::from_le_bytes(trailer.take()?)).ok()?;
    let mut contents = Fields(manifest.get(contents..)?);
    let _: [u8; 4] = contents.take()?;
    let mut sections = HashMap::new();
    for _ in 0..contents.u32()? {
        let start = usize::try_from(u64::from_le_bytes(contents.take()?)).ok()?;
        let length = usize::try_from(u64::from_le_bytes(contents.take()?)).ok()?;
        let name = usize::from(u16::from_le_bytes(contents.take()?));
        let section = manifest.get(start..start.checked_add(length)?)?;
        sections.insert(contents.bytes(name)?, section);
    }
    let mut listed = Vec::new();
    let mut tables = Fields(sections.get(b"tables".as_slice())?);
    for _ in 0..tables.u8()? {
        for _ in 0..tables.u8()? {
            for _ in 0..tables.u32()? {
                listed.push(tables.listed("tables")?);
                let _sequence: [u8; 8] = tables.take()?;
            }
        }
    }
    let mut blobs = Fields(sections.get(b"blob_files".as_slice())?);
    for _ in 0..blobs.u32()? {
        listed.push(blobs.listed("blobs")?);
    }
    Some(listed)
}

/// What is left to read.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take().map(u8::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    /// A file's number, the kind of its checksum (0 is XXH3), and the checksum.
    fn listed(&mut self, folder: &str) -> Option<Listed> {
        let number = u64::from_le_bytes(self.take()?);
        let [0] = self.take()? else { return None };
        let sum = u128::from_le_bytes(self.take()?);
        let file = format!("{folder}/{number}");
        Some(Listed { file, sum })
    }
}

fn checksum(path: &Path) -> io::Result<u128> {
    let mut file = File::open(path)?;
    let mut chunk = vec![0; CHUNK];
    let mut sum = Xxh3::new();
    loop {
        let length = file.read(&mut chunk)?;
        if length == 0 {
            return Ok(sum.digest128());
        }
        sum.update(&chunk[..length]);
    }
}
