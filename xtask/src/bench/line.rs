//! A line of the table: its text, its figures, and their target.

use serde::Deserialize;

use super::figures::show;

/// A line of the table: a figure, and the peer's figure.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub(crate) struct Line {
    /// Unique in the whole table.
    pub(crate) what: String,
    /// The figure's name.
    pub(crate) ours: String,
    /// Follows the figure.
    pub(crate) unit: String,
    /// The name of a figure of the same row.
    pub(crate) peer: Option<String>,
    pub(crate) target: Option<Target>,
}

/// The target of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Target {
    /// The limit is a minimum, else a maximum.
    is_least: bool,
    figure: f64,
    /// The limit is for the ratio to the peer.
    pub(crate) is_ratio: bool,
}

impl Line {
    /// The names of its figures.
    pub(crate) fn figures(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.ours).chain(&self.peer)
    }

    /// The table's cell with the target.
    pub(crate) fn target(&self) -> String {
        let Some(target) = self.target else {
            return String::new();
        };
        let bound = if target.is_least { '≥' } else { '≤' };
        let unit = match target.is_ratio {
            true => " × the peer".to_owned(),
            false => self.unit(),
        };
        format!("{bound} {}{unit}", show(target.figure))
    }

    /// The unit as it is printed after a figure.
    pub(crate) fn unit(&self) -> String {
        let space = if self.unit.starts_with('/') { "" } else { " " };
        format!("{space}{}", self.unit)
    }
}

impl TryFrom<Vec<String>> for Line {
    type Error = String;

    fn try_from(cells: Vec<String>) -> Result<Self, String> {
        let wrong = || format!("a line is [what, figure, unit, peer, target], not {cells:?}");
        let [what, ours, unit, rest @ ..] = &cells[..] else {
            return Err(wrong());
        };
        let (peer, target) = match rest {
            [] => ("", None),
            [peer] => (&**peer, None),
            [peer, target] => (&**peer, Some(Target::parse(target)?)),
            _ => return Err(wrong()),
        };
        let needs_peer = target.is_some_and(|target| target.is_ratio);
        if (needs_peer && peer.is_empty()) || what.contains('|') {
            return Err(wrong());
        }
        Ok(Self {
            what: what.clone(),
            ours: ours.clone(),
            unit: unit.clone(),
            peer: (!peer.is_empty()).then(|| peer.to_owned()),
            target,
        })
    }
}

impl Target {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("a target is \"≥ 0.9 ×\" or \"≤ 25\", not {text:?}");
        let (bound, rest) = text.split_once(' ').ok_or_else(wrong)?;
        let figure = rest.trim_end_matches(" ×");
        Ok(Self {
            is_least: match bound {
                "≥" => true,
                "≤" => false,
                _ => return Err(wrong()),
            },
            figure: figure.parse().map_err(|_| wrong())?,
            is_ratio: figure.len() < rest.len(),
        })
    }

    /// True if a figure, or a ratio if the target is one for a ratio, meets it.
    pub(crate) fn met(self, figure: f64) -> bool {
        match self.is_least {
            true => figure >= self.figure,
            false => figure <= self.figure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_and_shown_with_what_it_is_of() {
        let line = |target: &str| {
            let cells = ["what", "ours", "ms", "peer", target].map(str::to_owned);
            Line::try_from(cells.to_vec())
        };
        assert_eq!(line("≥ 0.9 ×").unwrap().target(), "≥ 0.90 × the peer");
        assert_eq!(line("≤ 25").unwrap().target(), "≤ 25.0 ms");
        assert!(line("< 25").is_err());
        let alone = ["what", "ours", "ms", "", "≥ 0.9 ×"].map(str::to_owned);
        assert!(Line::try_from(alone.to_vec()).is_err());
        let surplus = ["what", "ours", "ms", "", "≤ 25", "more"].map(str::to_owned);
        assert!(Line::try_from(surplus.to_vec()).is_err());
        let target = Target::parse("≤ 2 ×").unwrap();
        assert!(target.met(2.0) && !target.met(2.01));
    }
}
