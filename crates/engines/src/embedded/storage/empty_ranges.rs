//! Ranges of rows that are known to be empty.
//!
//! What was deleted stays in the storage engine as tombstones until it is compacted, and a scan
//! has to pass every one of them. After a large deletion it is known that nothing is left in its
//! range, so scans pass the whole of it at once, until something is written there.

use std::ops::Bound;

/// Ranges that are remembered; the oldest is forgotten first, and scans over it take longer again.
const MAX_RANGES: usize = 64;

/// A part of the rows: where it begins, and the first row behind it.
pub(in crate::embedded) type Part = (Bound<Vec<u8>>, Vec<u8>);

/// Empty ranges, the oldest first.
#[derive(Clone, Debug, Default)]
pub(in crate::embedded) struct EmptyRanges(Vec<(Vec<u8>, Vec<u8>)>);

impl EmptyRanges {
    /// Notes that nothing is left from `start` up to but without `end`.
    pub(in crate::embedded) fn add(&mut self, start: Vec<u8>, end: Vec<u8>) {
        // Those within it say nothing more.
        self.0.retain(|(other, last)| *other < start || *last > end);
        if self.0.len() == MAX_RANGES {
            self.0.remove(0);
        }
        self.0.push((start, end));
    }

    /// Forgets the ranges that one of these rows is in.
    pub(in crate::embedded) fn forget(&mut self, rows: &[Vec<u8>]) {
        let holds =
            |start: &Vec<u8>, end: &Vec<u8>| rows.iter().any(|row| start <= row && row < end);
        self.0.retain(|(start, end)| !holds(start, end));
    }

    pub(in crate::embedded) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rest of a range without the empty ones, in order.
    pub(in crate::embedded) fn rest(&self, start: Bound<Vec<u8>>, end: &[u8]) -> Vec<Part> {
        let mut ranges: Vec<_> = self.0.iter().collect();
        ranges.sort();
        let mut parts = Vec::new();
        let mut from = start;
        for (first, last) in ranges {
            let at = match &from {
                Bound::Included(at) | Bound::Excluded(at) => at.as_slice(),
                Bound::Unbounded => &[],
            };
            if last.as_slice() <= at {
                continue;
            }
            if first.as_slice() >= end {
                break;
            }
            if first.as_slice() > at {
                parts.push((from, first.clone()));
            }
            from = Bound::Included(last.clone());
        }
        parts.push((from, end.to_vec()));
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty_ranges(ranges: &[(&str, &str)]) -> EmptyRanges {
        let mut empty_ranges = EmptyRanges::default();
        for (start, end) in ranges {
            empty_ranges.add(start.as_bytes().to_vec(), end.as_bytes().to_vec());
        }
        empty_ranges
    }

    /// The rows `a` to `z` that are in the parts.
    fn shown(empty_ranges: &EmptyRanges, start: Bound<&str>, end: &str) -> String {
        let parts = empty_ranges.rest(start.map(|start| start.into()), end.as_bytes());
        let mut shown = String::new();
        for (from, end) in parts {
            for letter in b'a'..=b'z' {
                let row = [letter];
                let begins = match &from {
                    Bound::Included(at) => at.as_slice() <= row.as_slice(),
                    Bound::Excluded(at) => at.as_slice() < row.as_slice(),
                    Bound::Unbounded => true,
                };
                if begins && row.as_slice() < end.as_slice() {
                    shown.push(char::from(letter));
                }
            }
        }
        shown
    }

    #[test]
    fn empty_ranges_are_left_out_wherever_a_range_begins_and_ends() {
        let empty_ranges = empty_ranges(&[("p", "s"), ("c", "f"), ("d", "h")]);
        for (start, end, expected) in [
            (Bound::Included("a"), "z", "abhijklmnostuvwxy"),
            (Bound::Excluded("b"), "j", "hi"),
            (Bound::Included("c"), "h", ""),
            (Bound::Excluded("e"), "i", "h"),
            (Bound::Included("h"), "p", "hijklmno"),
            (Bound::Excluded("h"), "q", "ijklmno"),
            (Bound::Included("q"), "t", "s"),
            (Bound::Included("t"), "v", "tu"),
        ] {
            assert_eq!(
                shown(&empty_ranges, start, end),
                expected,
                "{start:?} {end}"
            );
        }
    }

    #[test]
    fn a_range_is_forgotten_when_something_is_written_in_it() {
        let mut empty_ranges = empty_ranges(&[("c", "f"), ("p", "s")]);
        empty_ranges.forget(&[b"f".to_vec(), b"b".to_vec()]);
        assert_eq!(shown(&empty_ranges, Bound::Included("b"), "h"), "bfg");
        empty_ranges.forget(&[b"dd".to_vec()]);
        assert_eq!(shown(&empty_ranges, Bound::Included("b"), "h"), "bcdefg");
        empty_ranges.forget(&[b"p".to_vec()]);
        assert!(empty_ranges.is_empty());
    }

    #[test]
    fn only_so_many_ranges_are_remembered() {
        let mut empty_ranges = EmptyRanges::default();
        for number in 0..=MAX_RANGES {
            empty_ranges.add(vec![1, u8::try_from(number).unwrap()], vec![1, 255, 0]);
            empty_ranges.add(vec![0, u8::try_from(number).unwrap()], vec![0, 255]);
        }
        assert!(empty_ranges.0.len() <= MAX_RANGES);
        // One within another takes no place.
        let before = empty_ranges.0.len();
        empty_ranges.add(vec![0], vec![9]);
        assert!(empty_ranges.0.len() < before);
    }
}
