//! Figures, and the median of those of several rounds.

use std::collections::BTreeMap;

use super::line::Line;

/// The figures of a row in one round, by name; or the reason why one is not available.
pub(crate) type Figures = BTreeMap<String, Result<f64, String>>;

/// The figures of one name in every round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

impl Spread {
    /// The figures of this name, or the reason why there are none.
    pub(crate) fn of(rounds: &[Figures], name: &str) -> Result<Self, String> {
        let found = rounds.iter().filter_map(|round| round.get(name).cloned());
        let figures = found.collect::<Result<_, _>>()?;
        Self::among(figures).ok_or_else(|| "not measured".to_owned())
    }

    /// The ratio of two figures: the median of the ratios within each round, since the machine's speed differs from
    /// round to round.
    pub(crate) fn ratio(rounds: &[Figures], ours: &str, peer: &str) -> Option<f64> {
        let figure = |round: &Figures, name: &str| round.get(name)?.clone().ok();
        let ratios = rounds.iter();
        let ratios = ratios.filter_map(|round| Some(figure(round, ours)? / figure(round, peer)?));
        Some(Self::among(ratios.collect())?.median)
    }

    /// `None` where there are no figures. The median is the middle one, or the mean of the two in the middle.
    fn among(mut figures: Vec<f64>) -> Option<Self> {
        figures.sort_by(f64::total_cmp);
        let (lowest, highest) = (*figures.first()?, *figures.last()?);
        let (left, right) = ((figures.len() - 1) / 2, figures.len() / 2);
        Some(Self {
            median: f64::midpoint(figures[left], figures[right]),
            lowest,
            highest,
        })
    }
}

/// True if a line's target is met; `None` where there is no target or no peer's figure.
pub(crate) fn verdict(rounds: &[Figures], line: &Line) -> Option<bool> {
    let target = line.target?;
    let figure = match target.is_ratio {
        true => Spread::ratio(rounds, &line.ours, line.peer.as_ref()?)?,
        false => Spread::of(rounds, &line.ours).ok()?.median,
    };
    Some(target.met(figure))
}

/// A figure with its significant digits.
pub(crate) fn show(figure: f64) -> String {
    match figure {
        ..10.0 => return format!("{figure:.2}"),
        ..100.0 => return format!("{figure:.1}"),
        _ => {}
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

    fn rounds(figures: &[(f64, f64)]) -> Vec<Figures> {
        let rounds = figures.iter().map(|(ours, peer)| {
            let gone = Err("it is gone".to_owned());
            let figures = [("ours", Ok(*ours)), ("peer", Ok(*peer)), ("gone", gone)];
            figures
                .map(|(name, figure)| (name.to_owned(), figure))
                .into()
        });
        rounds.collect()
    }

    #[test]
    fn a_ratio_compares_what_was_measured_in_the_same_round() {
        // The machine was twice as fast in the last round, for both.
        let rounds = rounds(&[(50.0, 100.0), (60.0, 100.0), (110.0, 200.0)]);
        assert_eq!(Spread::ratio(&rounds, "ours", "peer"), Some(0.55));
        assert_eq!(Spread::ratio(&rounds, "ours", "nobody"), None);
        let ours = Spread::of(&rounds, "ours").unwrap();
        let all = (ours.lowest, ours.median, ours.highest);
        assert_eq!(all, (50.0, 60.0, 110.0));
        assert_eq!(Spread::of(&rounds, "gone").unwrap_err(), "it is gone");
        assert_eq!(Spread::of(&rounds[..2], "ours").unwrap().median, 55.0);
    }

    #[test]
    fn verdicts_follow_the_target_and_are_none_without_a_peer() {
        let rounds = rounds(&[(90.0, 100.0)]);
        let met = |peer: &str, target: &str| {
            let cells = ["what", "ours", "ms", peer, target].map(str::to_owned);
            verdict(&rounds, &Line::try_from(cells.to_vec()).unwrap())
        };
        assert_eq!(met("peer", "≥ 0.9 ×"), Some(true));
        assert_eq!(met("peer", "≥ 0.91 ×"), Some(false));
        assert_eq!(met("peer", "≤ 0.8 ×"), Some(false));
        assert_eq!(met("", "≤ 90"), Some(true));
        assert_eq!(met("", "≤ 89"), Some(false));
        assert_eq!(met("nobody", "≥ 0.9 ×"), None);
        assert_eq!(met("gone", "≥ 0.9 ×"), None);
    }

    #[test]
    fn figures_show_the_digits_that_mean_something() {
        let shown = [0.9041, 12.34, 999.6, 1_234_567.8].map(show);
        assert_eq!(shown, ["0.90", "12.3", "1,000", "1,234,568"]);
    }
}
