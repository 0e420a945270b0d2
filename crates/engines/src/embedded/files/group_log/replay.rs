//! Reading the log when it is opened: the groups that the trees may lack, and the end that a crash
//! may have torn.
//!
//! One writer appends a group and syncs it before it appends the next. So a crash can tear the last
//! group in the last segment and nothing else, and nobody was told that this group was written.
//! Anything else that makes no sense is damage, and is refused: to take it for the end would lose
//! acknowledged commits.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::super::damage::Unsound;
use super::Appended;
use super::format::{HEADER, Header, MAGIC};
use super::manifest::Position;
use super::segment::{Segment, name};
use crate::embedded::error::StorageError;

/// Bytes that a disk writes wholly or not at all.
const SECTOR: usize = 512;

/// A group that was read.
pub(in crate::embedded) struct Group<'a> {
    pub(in crate::embedded) header: Header,
    /// The header and the rows.
    pub(in crate::embedded) bytes: &'a [u8],
    /// The place where it begins in its segment.
    pub(in crate::embedded) offset: u32,
}

/// The end of the log.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct End {
    pub(super) position: Position,
    /// The place where the last group begins, if one was read.
    pub(super) last: Option<u32>,
    /// True if something that was torn stands behind it.
    pub(super) is_torn: bool,
}

/// Shows all groups behind a position, in order, and answers where they end.
pub(super) fn replay(
    segments: &BTreeMap<u32, Arc<Segment>>,
    from: Position,
    visit: &mut dyn FnMut(&Group<'_>) -> Result<(), Unsound>,
) -> Result<End, Unsound> {
    let mut end = End {
        position: from,
        ..End::default()
    };
    let mut later = segments.range(from.segment..);
    while let Some((number, segment)) = later.next() {
        let length = segment.length()?;
        if *number == from.segment && length < u64::from(from.offset) {
            let how = format!(
                "it has {length} bytes, and the index holds groups up to byte {}",
                from.offset
            );
            return Err(Unsound::damaged(file(*number), how));
        }
        // A segment is made before it is needed, so that empty ones can stand at the end.
        if *number != from.segment {
            if length == 0 {
                continue;
            }
            end.position.segment = *number;
            end.position.offset = 0;
            end.last = None;
        }
        read_segment(segment, length, &mut end, visit)?;
        if u64::from(end.position.offset) == length {
            continue;
        }
        let mut is_last = true;
        for (_, next) in later.clone() {
            is_last &= next.length()? == 0;
        }
        let rest = Rest::read(segment, length, end.position)?;
        if !is_last || !rest.is_torn() {
            return Err(rest.damage());
        }
        end.is_torn = true;
        return Ok(end);
    }
    Ok(end)
}

/// Shows the groups of a segment up to the first that is not whole.
fn read_segment(
    segment: &Segment,
    length: u64,
    end: &mut End,
    visit: &mut dyn FnMut(&Group<'_>) -> Result<(), Unsound>,
) -> Result<(), Unsound> {
    while let Some((header, bytes)) = read_group(segment, length, end.position.offset)? {
        if header.segment != segment.number() || header.group != end.position.group + 1 {
            let how = format!(
                "group {} of segment {} stands where group {} should (at byte {})",
                header.group,
                header.segment,
                end.position.group + 1,
                end.position.offset
            );
            return Err(Unsound::damaged(file(segment.number()), how));
        }
        let offset = end.position.offset;
        visit(&Group {
            header,
            bytes: &bytes,
            offset,
        })?;
        end.last = Some(offset);
        end.position.group = header.group;
        end.position.offset = after(offset, &header);
    }
    Ok(())
}

/// The group at an offset; `None` where there is no whole one.
fn read_group(
    segment: &Segment,
    length: u64,
    offset: u32,
) -> io::Result<Option<(Header, Vec<u8>)>> {
    let room = length.saturating_sub(u64::from(offset));
    if room < HEADER as u64 {
        return Ok(None);
    }
    let header = Header::read(&segment.read(offset.into(), HEADER)?);
    let Some(header) = header.filter(|header| header.whole() <= room) else {
        return Ok(None);
    };
    let whole = usize::try_from(header.whole()).unwrap_or(usize::MAX);
    let bytes = segment.read(offset.into(), whole)?;
    Ok(header.is_of(&bytes).then_some((header, bytes)))
}

/// The place where a group ends.
fn after(offset: u32, header: &Header) -> u32 {
    // A segment ends below 4 GiB: it takes no group behind its usual size.
    u32::try_from(u64::from(offset) + header.whole()).unwrap_or(u32::MAX)
}

/// Shows the groups of a finished segment, with the place that each has, as long as that is wanted.
pub(in crate::embedded) fn visit(
    segment: &Segment,
    end: u32,
    visit: &mut dyn FnMut(&Group<'_>, Appended) -> Result<bool, StorageError>,
) -> Result<(), StorageError> {
    let mut offset = 0;
    let mut last = None;
    while offset < end {
        let read = read_group(segment, end.into(), offset)?;
        let follows = |header: &Header| {
            header.segment == segment.number() && last.is_none_or(|last| header.group == last + 1)
        };
        let Some((header, bytes)) = read.filter(|(header, _)| follows(header)) else {
            return Err(damaged(segment.number(), offset));
        };
        last = Some(header.group);
        let appended = Appended {
            segment: segment.number(),
            offset,
        };
        let group = Group {
            header,
            bytes: &bytes,
            offset,
        };
        if !visit(&group, appended)? {
            return Ok(());
        }
        offset = after(offset, &header);
    }
    Ok(())
}

/// The error for a segment that is not what was written.
pub(in crate::embedded) fn damaged(segment: u32, offset: u32) -> StorageError {
    StorageError::Damaged {
        file: file(segment),
        how: format!("no whole group stands where one should (at byte {offset})"),
    }
}

/// The path of a segment within the folder of the store.
pub(in crate::embedded) fn file(number: u32) -> String {
    format!("store/log/{}", name(number))
}

/// The bytes behind the last whole group of a segment.
struct Rest {
    segment: u32,
    position: Position,
    bytes: Vec<u8>,
}

impl Rest {
    fn read(segment: &Segment, length: u64, position: Position) -> Result<Self, Unsound> {
        let bytes = length.saturating_sub(position.offset.into());
        let bytes = segment.read(
            position.offset.into(),
            usize::try_from(bytes).unwrap_or(usize::MAX),
        )?;
        Ok(Self {
            segment: segment.number(),
            position,
            bytes,
        })
    }

    fn damage(&self) -> Unsound {
        let how = format!(
            "no whole group stands where one should (at byte {})",
            self.position.offset
        );
        Unsound::damaged(file(self.segment), how)
    }

    /// True if a crash may have left this: one group of which something is missing.
    fn is_torn(&self) -> bool {
        let length = self.bytes.len() as u64;
        match Header::read(&self.bytes) {
            Some(header) if !self.is_next(&header) => false,
            // It is as long as it should be, or longer: then only a sector that was never written
            // tells a torn group from one with a flipped bit.
            Some(header) if header.whole() <= length => header.whole() == length && self.has_hole(),
            Some(_) => true,
            None if length < HEADER as u64 => true,
            None => self.has_hole() && !self.has_another(),
        }
    }

    fn is_next(&self, header: &Header) -> bool {
        header.segment == self.segment && header.group == self.position.group + 1
    }

    /// True if a later group stands in it: none is written before this one was synced. A value can
    /// contain the bytes of a header, so one counts only where its numbers can be right.
    fn has_another(&self) -> bool {
        let first = self.position.group + 2;
        let last = first + (self.bytes.len() / HEADER) as u64;
        let starts = (1..self.bytes.len()).filter(|at| self.bytes[*at..].starts_with(&MAGIC));
        starts
            .filter_map(|at| Header::read(&self.bytes[at..]))
            .any(|header| header.segment == self.segment && (first..=last).contains(&header.group))
    }

    /// True if a sector is all zeros, as one is that was never written. The first sector may also hold
    /// the end of the group before.
    fn has_hole(&self) -> bool {
        let in_sector = self.position.offset as usize % SECTOR;
        let (first, others) = self
            .bytes
            .split_at(self.bytes.len().min(SECTOR - in_sector));
        let is_empty = |sector: &[u8]| sector.iter().all(|byte| *byte == 0);
        is_empty(first) || others.chunks(SECTOR).any(is_empty)
    }
}
