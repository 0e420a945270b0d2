//! The manifests of lsm-tree: which tables a tree has, with their checksums.
//!
//! In the folder of a tree, `current` holds the number of the manifest (8 bytes), its checksum (16
//! bytes, XXH3) and a zero; the manifest is `vNUMBER`; the tables are `tables/NUMBER` and, where large
//! values are stored apart, `blobs/NUMBER`. A manifest is an archive of sections with a table of
//! contents. Numbers are little-endian.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::embedded::files::damage::{DamagedFile, Unsound};

const CURRENT: &str = "current";

/// Bytes of the trailer of an archive, and what it begins with.
const TRAILER: usize = 38;
const TRAILER_MAGIC: &[u8] = b"SFA!";

/// Bytes read at once.
const CHUNK: usize = 64 << 10;

/// A table that a manifest names.
struct Listed {
    /// Within the folder of the tree.
    file: String,
    sum: u128,
}

/// A tree of tables.
pub(in crate::embedded) struct Tree {
    pub(in crate::embedded) folder: PathBuf,
    /// The same within the folder of the store.
    pub(in crate::embedded) within: String,
}

/// Demands that the manifest of a tree is what was written and that its tables are there.
pub(in crate::embedded) fn examine(tree: &Tree) -> Result<(), Unsound> {
    for Listed { file, .. } in read_manifest(tree)? {
        if !tree.folder.join(&file).try_exists()? {
            let file = format!("{}/{file}", tree.within);
            return Err(Unsound::damaged(file, "it is missing"));
        }
    }
    Ok(())
}

const NOT_AS_WRITTEN: &str = "it is not what was written";

/// Compares every table of some trees with its checksum.
pub(in crate::embedded) fn compare(
    trees: &[Tree],
    found: &mut dyn FnMut(DamagedFile),
) -> Result<(), Unsound> {
    for tree in trees {
        for Listed { file, sum } in read_manifest(tree)? {
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

/// The files that a tree's manifest names.
fn read_manifest(tree: &Tree) -> Result<Vec<Listed>, Unsound> {
    let within = |file: &str| format!("{}/{file}", tree.within);
    let current = match fs::read(tree.folder.join(CURRENT)) {
        Ok(current) => current,
        // lsm-tree would make the tree anew.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Unsound::damaged(within(CURRENT), "it is missing"));
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

/// The bytes that are left to read.
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
