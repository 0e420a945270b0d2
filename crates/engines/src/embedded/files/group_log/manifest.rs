//! The manifest of the log: which segments there are, and up to which group the trees hold all rows.
//!
//! It is text, replaced as a whole. The last line is the XXH3 checksum (128 bits, hexadecimal) of
//! the lines before it:
//!
//! ```text
//! prominence-kv log 1
//! index GROUP SEQUENCE SEGMENT OFFSET
//! segment NUMBER END LIVE
//! closed GROUP SEGMENT OFFSET
//! CHECKSUM
//! ```
//!
//! `index` names the last group that all trees have written out, with its sequence number, and where
//! the next group begins. There is a line `segment` for each segment: how many bytes of groups it
//! has, where that is known and will not change (else 0), and how many of them are content that the
//! trees refer to, about. `closed` is there where the store was closed: it names the last group and
//! where it ends.

use std::fs;
use std::io;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_128;

use super::super::disk::replace_file;

/// The name of the file, in the folder of the log.
pub(in crate::embedded) const FILE: &str = "manifest";

const TITLE: &str = "prominence-kv log 1";

/// A point between two groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::embedded) struct Position {
    /// The group before it; the first group is 1.
    pub(in crate::embedded) group: u64,
    /// The segment that the next group is in, unless it does not fit there.
    pub(in crate::embedded) segment: u32,
    /// The place in the segment.
    pub(in crate::embedded) offset: u32,
}

/// A segment, as the manifest lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) struct SegmentLine {
    pub(in crate::embedded) number: u32,
    /// Bytes of its groups; 0 where that is not known.
    pub(in crate::embedded) end: u32,
    /// Bytes of content that the trees refer to, about.
    pub(in crate::embedded) live: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::embedded) struct Manifest {
    /// The trees hold every group up to here.
    pub(in crate::embedded) indexed: Position,
    /// The sequence number of the last of these groups.
    pub(in crate::embedded) sequence: u64,
    /// In the order of their numbers.
    pub(in crate::embedded) segments: Vec<SegmentLine>,
    /// The place where the log ended when the store was closed.
    pub(in crate::embedded) closed: Option<Position>,
}

impl Manifest {
    /// Reads the manifest. The inner `None` stands for one that is not what was written.
    pub(in crate::embedded) fn read(folder: &Path) -> io::Result<Option<Self>> {
        let bytes = fs::read(folder.join(FILE))?;
        Ok(std::str::from_utf8(&bytes).ok().and_then(Self::parse))
    }

    /// Replaces the manifest, wholly or not at all, also in a power cut.
    pub(in crate::embedded) fn write(&self, folder: &Path) -> io::Result<()> {
        replace_file(folder, FILE, self.text().as_bytes())
    }

    fn text(&self) -> String {
        let Position {
            group,
            segment,
            offset,
        } = self.indexed;
        let mut lines = vec![
            TITLE.to_owned(),
            format!("index {group} {} {segment} {offset}", self.sequence),
        ];
        for line in &self.segments {
            let SegmentLine { number, end, live } = line;
            lines.push(format!("segment {number} {end} {live}"));
        }
        if let Some(end) = &self.closed {
            lines.push(format!(
                "closed {} {} {}",
                end.group, end.segment, end.offset
            ));
        }
        let lines = lines.join("\n");
        format!("{lines}\n{:032x}\n", xxh3_128(lines.as_bytes()))
    }

    fn parse(text: &str) -> Option<Self> {
        let (text, sum) = text.strip_suffix('\n')?.rsplit_once('\n')?;
        if sum != format!("{:032x}", xxh3_128(text.as_bytes())) {
            return None;
        }
        let mut lines = text.lines();
        if lines.next()? != TITLE {
            return None;
        }
        let [group, sequence, segment, offset] = numbers(lines.next()?, "index ")?;
        let mut manifest = Self {
            indexed: position(group, segment, offset)?,
            sequence,
            ..Self::default()
        };
        for line in lines {
            if let Some([number, end, live]) = numbers(line, "segment ") {
                let (number, end) = (u32::try_from(number).ok()?, u32::try_from(end).ok()?);
                manifest.segments.push(SegmentLine { number, end, live });
            } else {
                let [group, segment, offset] = numbers(line, "closed ")?;
                manifest.closed = Some(position(group, segment, offset)?);
            }
        }
        let is_sorted = manifest
            .segments
            .is_sorted_by(|one, next| one.number < next.number);
        is_sorted.then_some(manifest)
    }
}

fn position(group: u64, segment: u64, offset: u64) -> Option<Position> {
    Some(Position {
        group,
        segment: u32::try_from(segment).ok()?,
        offset: u32::try_from(offset).ok()?,
    })
}

/// The numbers of a line that begins with a word.
fn numbers<const N: usize>(line: &str, word: &str) -> Option<[u64; N]> {
    let mut found = [0; N];
    let mut words = line.strip_prefix(word)?.split(' ');
    for number in &mut found {
        *number = words.next()?.parse().ok()?;
    }
    words.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let segment = |number, end| SegmentLine {
            number,
            end,
            live: 5,
        };
        let position = |group| Position {
            group,
            segment: 4,
            offset: 77,
        };
        Manifest {
            indexed: position(12),
            sequence: 30,
            segments: vec![segment(1, 9), segment(4, 0)],
            closed: Some(position(14)),
        }
    }

    #[test]
    fn a_manifest_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        for manifest in [manifest(), Manifest::default()] {
            manifest.write(folder.path()).unwrap();
            assert_eq!(Manifest::read(folder.path()).unwrap(), Some(manifest));
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let text = manifest().text().into_bytes();
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut damaged = text.clone();
                damaged[at] ^= 1 << bit;
                let read = std::str::from_utf8(&damaged).ok().and_then(Manifest::parse);
                assert_eq!(read, None, "bit {bit} of byte {at}");
            }
        }
    }
}
