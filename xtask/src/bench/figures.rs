//! Figures, and what becomes of those of several rounds.

use std::fmt;

use anyhow::ensure;

use super::catalogue::{Row, Target};
use super::lab::Lab;

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Requests, records or keys a second.
    PerSecond,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Kibibytes.
    Kibibytes,
    /// Mebibytes.
    Mebibytes,
    /// Bytes for each key.
    BytesPerKey,
    /// Bytes of disk for each byte of payload.
    Times,
    /// Instructions of the processor.
    Instructions,
}

/// What one round of a row measured, by name.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<(&'static str, f64)>);

/// The figures of every round.
#[derive(Debug, Default)]
pub(crate) struct Samples(Vec<Figures>);

/// The figures of one name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

impl Figures {
    /// Adds a figure.
    pub(crate) fn note(&mut self, name: &'static str, figure: f64) {
        self.0.push((name, figure));
    }

    fn get(&self, name: &str) -> Option<f64> {
        let found = self.0.iter().find(|(other, _)| *other == name);
        found.map(|(_, figure)| *figure)
    }

    /// Demands every figure that the row's lines show; only what a missing program would have
    /// measured may be left out.
    pub(crate) fn complete(self, row: &Row, lab: &Lab) -> anyhow::Result<Self> {
        for line in row.lines {
            ensure!(self.get(line.ours).is_some(), "no figure \"{}\"", line.ours);
            if let Some(peer) = line.peer {
                let excused = lab.lacks_any(row.programs);
                ensure!(excused || self.get(peer).is_some(), "no figure \"{peer}\"");
            }
        }
        Ok(self)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.0.iter().map(|(name, figure)| {
            let figure = show(*figure);
            format!("    {name}: {figure}")
        });
        f.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

impl Samples {
    pub(crate) fn push(&mut self, figures: Figures) {
        self.0.push(figures);
    }

    /// What was measured under this name.
    pub(crate) fn spread(&self, name: &str) -> Option<Spread> {
        Spread::of(self.0.iter().filter_map(|round| round.get(name)).collect())
    }

    /// The ratio of two figures: the median of the ratios within each round, in which both
    /// sides saw the same machine.
    pub(crate) fn ratio(&self, ours: &str, peer: &str) -> Option<f64> {
        let ratios = self
            .0
            .iter()
            .filter_map(|round| Some(round.get(ours)? / round.get(peer)?));
        Spread::of(ratios.collect()).map(|spread| spread.median)
    }

    /// Whether a target is met; `None` where there is none or nothing to compare with.
    pub(crate) fn verdict(&self, ours: &str, peer: Option<&str>, target: Target) -> Option<bool> {
        let ratio = || self.ratio(ours, peer?);
        match target {
            Target::None => None,
            Target::AtMost(most) => Some(self.spread(ours)?.median <= most),
            Target::RatioAtLeast(least) => Some(ratio()? >= least),
            Target::RatioAtMost(most) => Some(ratio()? <= most),
        }
    }
}

impl Spread {
    /// `None` where there are no figures.
    pub(crate) fn of(mut figures: Vec<f64>) -> Option<Self> {
        figures.sort_by(f64::total_cmp);
        Some(Self {
            median: median(&figures)?,
            lowest: *figures.first()?,
            highest: *figures.last()?,
        })
    }
}

/// The middle of sorted figures, or the mean of the two in the middle.
fn median(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len().is_multiple_of(2) {
        let lower = *sorted.get(sorted.len() / 2 - 1)?;
        return Some(f64::midpoint(lower, upper));
    }
    Some(upper)
}

/// The value that this share of the figures doesn't exceed.
pub(crate) fn percentile(mut figures: Vec<f64>, percent: usize) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let place = (figures.len() * percent).div_ceil(100);
    figures.get(place.saturating_sub(1)).copied()
}

/// A figure with as many digits as mean something.
pub(crate) fn show(figure: f64) -> String {
    if figure < 10.0 {
        return format!("{figure:.2}");
    }
    if figure < 100.0 {
        return format!("{figure:.1}");
    }
    let digits = format!("{figure:.0}");
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PerSecond => "/s",
            Self::Millis => " ms",
            Self::Micros => " µs",
            Self::Kibibytes => " KiB",
            Self::Mebibytes => " MiB",
            Self::BytesPerKey => " B/key",
            Self::Times => " ×",
            Self::Instructions => " instructions",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(figures: &[(f64, f64)]) -> Samples {
        let mut samples = Samples::default();
        for (ours, peer) in figures {
            let mut round = Figures::default();
            round.note("ours", *ours);
            round.note("peer", *peer);
            samples.push(round);
        }
        samples
    }

    #[test]
    fn a_ratio_compares_what_was_measured_in_the_same_round() {
        // The machine was twice as fast in the last round, for both.
        let samples = rounds(&[(50.0, 100.0), (60.0, 100.0), (110.0, 200.0)]);
        assert_eq!(samples.ratio("ours", "peer"), Some(0.55));
        assert_eq!(samples.ratio("ours", "nobody"), None);
        let ours = samples.spread("ours").unwrap();
        assert_eq!(
            (ours.lowest, ours.median, ours.highest),
            (50.0, 60.0, 110.0)
        );
    }

    #[test]
    fn verdicts_follow_the_target_and_are_none_without_a_peer() {
        let samples = rounds(&[(90.0, 100.0)]);
        let verdict = |peer, target| samples.verdict("ours", peer, target);
        assert_eq!(verdict(Some("peer"), Target::RatioAtLeast(0.9)), Some(true));
        assert_eq!(
            verdict(Some("peer"), Target::RatioAtLeast(0.91)),
            Some(false)
        );
        assert_eq!(verdict(Some("peer"), Target::RatioAtMost(0.8)), Some(false));
        assert_eq!(verdict(None, Target::AtMost(90.0)), Some(true));
        assert_eq!(verdict(None, Target::AtMost(89.0)), Some(false));
        assert_eq!(verdict(Some("nobody"), Target::RatioAtLeast(0.9)), None);
        assert_eq!(verdict(None, Target::None), None);
    }

    #[test]
    fn percentiles_and_medians_are_those_of_sorted_figures() {
        let figures: Vec<_> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(percentile(figures.clone(), 99), Some(198.0));
        assert_eq!(percentile(vec![7.0], 99), Some(7.0));
        assert_eq!(percentile(Vec::new(), 99), None);
        assert_eq!(Spread::of(figures).unwrap().median, 100.5);
    }

    #[test]
    fn figures_show_the_digits_that_mean_something() {
        let shown = [0.9041, 12.34, 999.6, 1_234_567.8].map(show);
        assert_eq!(shown, ["0.90", "12.3", "1,000", "1,234,568"]);
    }
}
