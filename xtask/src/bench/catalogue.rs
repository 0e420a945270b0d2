//! Every row: what it is called, what it does, what of it is shown, and what it has to reach.

mod clusters;
mod footprint;
mod held;
mod many_keys;
mod speed;

use super::figures::{Figures, Unit};
use super::lab::Lab;

/// Something that is measured in one go.
pub(crate) struct Row {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// What it does, for who reads the table.
    pub(crate) about: &'static str,
    pub(crate) turns: Turns,
    /// Programs without which a part of it is left out.
    pub(crate) programs: &'static [&'static str],
    pub(crate) measure: fn(&Lab) -> anyhow::Result<Figures>,
    pub(crate) lines: &'static [Line],
}

/// How often a row is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turns {
    EveryRound,
    /// It takes many minutes, or comes out the same every time.
    Once,
}

/// A line of the table: a figure, and what it is compared with.
pub(crate) struct Line {
    /// Stands in one line of the whole table only.
    pub(crate) what: &'static str,
    /// The figure's name.
    pub(crate) ours: &'static str,
    pub(crate) unit: Unit,
    /// The name of a figure of the same row.
    pub(crate) peer: Option<&'static str>,
    pub(crate) target: Target,
}

/// What a line has to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target {
    /// It is there to be known.
    None,
    AtMost(f64),
    /// Times the peer's figure.
    RatioAtLeast(f64),
    RatioAtMost(f64),
}

/// All rows in the order of the table.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    let all = [
        speed::ROWS,
        clusters::ROWS,
        many_keys::ROWS,
        held::ROWS,
        footprint::ROWS,
    ];
    all.into_iter().flatten()
}

/// A line without a peer.
const fn line(what: &'static str, ours: &'static str, unit: Unit, target: Target) -> Line {
    Line {
        what,
        ours,
        unit,
        peer: None,
        target,
    }
}

/// A line with one.
const fn beside(
    what: &'static str,
    ours: &'static str,
    unit: Unit,
    peer: &'static str,
    target: Target,
) -> Line {
    Line {
        what,
        ours,
        unit,
        peer: Some(peer),
        target,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_rows_or_lines_are_called_the_same() {
        let mut names = HashSet::new();
        let mut lines = HashSet::new();
        for row in rows() {
            assert!(names.insert(row.name), "two rows are called {}", row.name);
            for line in row.lines {
                assert!(lines.insert(line.what), "two lines say {}", line.what);
                assert!(!line.what.contains('|'), "{} breaks the table", line.what);
            }
        }
    }

    #[test]
    fn a_ratio_is_demanded_only_of_lines_with_a_peer() {
        for line in rows().flat_map(|row| row.lines) {
            let is_ratio = matches!(
                line.target,
                Target::RatioAtLeast(_) | Target::RatioAtMost(_)
            );
            assert!(!is_ratio || line.peer.is_some(), "{}", line.what);
        }
    }
}
