//! Visiting the rows under a prefix in descending order, as of one revision.
//!
//! etcd sorts in descending order by reading all rows of a range, whatever the limit. It counts the keys of a range in
//! its memory. So ranges are divided, by counts, into ranges of so few keys that each can be read whole.

use prominence_core::listing::Step;

use super::walk::{FIRST_ROWS, Listed, MAX_ENTRIES, QUERY_BYTES, ScanError, Walk};
use crate::etcd::keys::Range;
use crate::etcd::query::RangeQuery;

/// The most keys of a range that is read whole. Where rows are large it is fewer: see [`QUERY_BYTES`].
const MAX_FEW: usize = 500;

/// A range with no more keys than this number.
struct CountedRange {
    range: Range,
    keys: u64,
}

impl Walk<'_> {
    /// Visits the rows whose keys sort before `end`, the last one first.
    pub(super) async fn visit_back(
        &mut self,
        end: Option<&str>,
        visitor: &mut (dyn FnMut(Listed) -> Step + Send),
    ) -> Result<(), ScanError> {
        let keys = self.reader.keys;
        let entries = self.entries();
        let mut end = end.map_or(entries.end.clone(), |end| {
            keys.entries_from(end.as_bytes()).min(entries.end.clone())
        });
        // The largest number of keys of a range that is read whole, until the size of rows is known.
        let mut few = FIRST_ROWS;
        // The last of these is the next one.
        let mut left = self.count_ranges(vec![entries], few).await?;
        while let Some(CountedRange {
            mut range,
            keys: most,
        }) = left.pop()
        {
            // Seeks may have gone past it, or past its last keys.
            range.end = range.end.min(end.clone());
            if range.start >= range.end {
                continue;
            }
            if most > few as u64 {
                left.extend(self.count_ranges(divide(&range), few).await?);
                continue;
            }
            let mut query = RangeQuery::range(&range);
            if self.keys_only {
                query = query.keys_only();
            }
            let found = self.read(vec![query]).await?.next();
            if !found.rows.is_empty() {
                few = found.next_limit(few, QUERY_BYTES, MAX_FEW);
            }
            for row in found.rows.into_iter().rev() {
                if row.key() >= end.as_slice() {
                    continue;
                }
                match visitor(self.listed(row)?) {
                    Step::Next => {}
                    Step::Stop => return Ok(()),
                    Step::Seek(to) => end = keys.entries_from(to.as_bytes()),
                }
            }
        }
        Ok(())
    }

    /// Counts the keys of ranges that are in order. Those without keys are left out, and neighbours that
    /// together have no more than `few` are joined.
    async fn count_ranges(
        &mut self,
        ranges: Vec<Range>,
        few: usize,
    ) -> Result<Vec<CountedRange>, ScanError> {
        let counts = ranges
            .iter()
            .map(|range| RangeQuery::range(range).count_only());
        let mut counted = self.read(counts.collect()).await?;
        let mut found: Vec<CountedRange> = Vec::new();
        for range in ranges {
            let keys = counted.next().count;
            match found.last_mut() {
                _ if keys == 0 => {}
                Some(last) if last.keys + keys <= few as u64 => {
                    last.range.end = range.end;
                    last.keys += keys;
                }
                _ => found.push(CountedRange { range, keys }),
            }
        }
        Ok(found)
    }
}

/// Divides a range of keys by the first byte in which they can differ.
fn divide(range: &Range) -> Vec<Range> {
    let Range { start, end } = range;
    let pairs = start.iter().zip(end);
    let mut common = pairs.take_while(|(one, other)| one == other).count();
    let bounds = loop {
        let bounds: Vec<_> = (0..=u8::MAX)
            .map(|byte| [&start[..common], &[byte]].concat())
            .filter(|bound| bound > start && bound < end)
            .collect();
        if !bounds.is_empty() {
            break bounds;
        }
        // All keys of the range go on like its start.
        common += 1;
    };
    let step = bounds.len().div_ceil(MAX_ENTRIES - 1);
    let mut ranges = Vec::new();
    let mut from = start.clone();
    for bound in bounds.into_iter().step_by(step) {
        ranges.push(Range {
            start: std::mem::replace(&mut from, bound.clone()),
            end: bound,
        });
    }
    ranges.push(Range {
        start: from,
        end: end.clone(),
    });
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: &[u8], end: &[u8]) -> Range {
        Range {
            start: start.to_vec(),
            end: end.to_vec(),
        }
    }

    /// Divides a range again and again, as long as a range has several of the keys.
    fn leaves(range: &Range, keys: &[Vec<u8>]) -> usize {
        let inside = keys
            .iter()
            .filter(|key| range.start <= **key && **key < range.end)
            .count();
        if inside <= 1 {
            return inside;
        }
        let parts = divide(range);
        assert!(parts.len() > 1 && parts.len() <= MAX_ENTRIES);
        assert_eq!(parts[0].start, range.start);
        assert_eq!(parts[parts.len() - 1].end, range.end);
        for pair in parts.windows(2) {
            assert!(pair[0].start < pair[0].end && pair[0].end == pair[1].start);
        }
        parts.iter().map(|part| leaves(part, keys)).sum()
    }

    #[test]
    fn a_range_is_divided_until_each_has_one_key() {
        let long = "x".repeat(300);
        let mut keys: Vec<_> = (0..2_000)
            .map(|number| format!("/kv/{long}{number}").into_bytes())
            .collect();
        keys.extend(["/kv/a", "/kv/a!", "/kv/a/b", "/kv/a0"].map(|key| key.as_bytes().to_vec()));
        keys.push(b"/kv/\xff\xff".to_vec());
        keys.push(b"/kv/\xff\xff\x00".to_vec());
        for (start, end) in [("/kv/", "/kv0"), ("/kv/a", "/kv/y"), ("/kv/a!", "/kv/a/c")] {
            let all = range(start.as_bytes(), end.as_bytes());
            let inside = keys
                .iter()
                .filter(|key| all.start <= **key && **key < all.end)
                .count();
            assert_eq!(leaves(&all, &keys), inside, "{start}");
        }
    }
}
