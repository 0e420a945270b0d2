//! Figures, and what becomes of those of several rounds.

use std::fmt;

use anyhow::{Context as _, ensure};

use super::catalogue::Row;
use super::line::Line;

/// What one round of a row measured, by name; or why that could not be measured.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<(String, Result<f64, String>)>);

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
    pub(crate) fn note(&mut self, name: impl Into<String>, figure: f64) {
        self.0.push((name.into(), Ok(figure)));
    }

    /// Notes why a figure can't be had.
    pub(crate) fn lack(&mut self, name: impl Into<String>, reason: impl Into<String>) {
        self.0.push((name.into(), Err(reason.into())));
    }

    fn get(&self, name: &str) -> Option<&Result<f64, String>> {
        let found = self.0.iter().find(|(other, _)| other == name);
        found.map(|(_, figure)| figure)
    }

    /// Demands every figure that the row's lines show, or the reason why it can't be had.
    pub(crate) fn complete(mut self, row: &Row) -> anyhow::Result<Self> {
        for (name, reason) in &row.absent {
            self.lack(name, reason);
        }
        for line in &row.lines {
            for name in [Some(&line.ours), line.peer.as_ref()].into_iter().flatten() {
                ensure!(self.get(name).is_some(), "no figure \"{name}\"");
            }
        }
        Ok(self)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.0.iter().map(|(name, figure)| match figure {
            Ok(figure) => format!("    {name}: {}", show(*figure)),
            Err(reason) => format!("    {name}: not available: {reason}"),
        });
        f.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

impl Samples {
    pub(crate) fn push(&mut self, figures: Figures) {
        self.0.push(figures);
    }

    /// What was measured under this name, or why nothing was.
    pub(crate) fn spread(&self, name: &str) -> Result<Spread, String> {
        let found = self.0.iter().filter_map(|round| round.get(name));
        let figures: Result<Vec<_>, String> = found.cloned().collect();
        Spread::of(figures?)
            .context("not measured")
            .map_err(|error| error.to_string())
    }

    /// The ratio of two figures: the median of the ratios within each round, in which both
    /// sides saw the same machine.
    pub(crate) fn ratio(&self, ours: &str, peer: &str) -> Option<f64> {
        let figure = |round: &Figures, name| round.get(name)?.as_ref().ok().copied();
        let ratios = self.0.iter();
        let ratios = ratios.filter_map(|round| Some(figure(round, ours)? / figure(round, peer)?));
        Spread::of(ratios.collect()).map(|spread| spread.median)
    }

    /// Whether a line's target is met; `None` where there is none or nothing to compare with.
    pub(crate) fn verdict(&self, line: &Line) -> Option<bool> {
        let target = line.target?;
        let figure = if target.is_ratio {
            self.ratio(&line.ours, line.peer.as_ref()?)?
        } else {
            self.spread(&line.ours).ok()?.median
        };
        Some(target.met(figure))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(figures: &[(f64, f64)]) -> Samples {
        let mut samples = Samples::default();
        for (ours, peer) in figures {
            let mut round = Figures::default();
            round.note("ours", *ours);
            round.note("peer", *peer);
            round.lack("gone", "it is gone");
            samples.push(round);
        }
        samples
    }

    fn line(peer: &str, target: &str) -> Line {
        let cells = ["what", "ours", "ms", peer, target].map(str::to_owned);
        Line::try_from(cells.to_vec()).unwrap()
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
        assert_eq!(samples.spread("gone").unwrap_err(), "it is gone");
    }

    #[test]
    fn verdicts_follow_the_target_and_are_none_without_a_peer() {
        let samples = rounds(&[(90.0, 100.0)]);
        let verdict = |peer, target| samples.verdict(&line(peer, target));
        assert_eq!(verdict("peer", "≥ 0.9 ×"), Some(true));
        assert_eq!(verdict("peer", "≥ 0.91 ×"), Some(false));
        assert_eq!(verdict("peer", "≤ 0.8 ×"), Some(false));
        assert_eq!(verdict("", "≤ 90"), Some(true));
        assert_eq!(verdict("", "≤ 89"), Some(false));
        assert_eq!(verdict("nobody", "≥ 0.9 ×"), None);
        assert_eq!(verdict("gone", "≥ 0.9 ×"), None);
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
