//! What an earlier page has of a line that was not measured now.

use super::{Cells, verdict};
use crate::bench::line::Line;

/// What the earlier page has of a line. Where it was beside another peer, it says nothing any more; a target
/// may have changed since, and is judged by the figures as they were printed.
pub(super) fn cells(old: &str, line: &Line) -> Cells {
    let unknown = || Cells {
        ours: "not measured yet".to_owned(),
        ..Cells::default()
    };
    let begin = format!("| {} | ", line.what);
    let mut lines = old.lines();
    let found = lines.find_map(|old| old.strip_prefix(&begin)?.strip_suffix(" |"));
    let found: Vec<_> = found
        .unwrap_or_default()
        .split(" | ")
        .map(str::trim)
        .collect();
    let [ours, peer, ratio, _, _, number] = found[..] else {
        return unknown();
    };
    let is_same = match &line.peer {
        Some(name) => peer
            .strip_prefix(&**name)
            .is_some_and(|rest| rest.starts_with(": ")),
        None => peer.is_empty(),
    };
    let entry = format!("{number}. ");
    let run = old.lines().find_map(|line| line.strip_prefix(&entry));
    let (true, Some(run)) = (is_same, run) else {
        return unknown();
    };
    let judged = line.target.and_then(|target| {
        let cell = if target.is_ratio { ratio } else { ours };
        let digits: String = cell.chars().filter(|sign| *sign != ',').collect();
        let digits = digits.split(|sign: char| sign != '.' && !sign.is_ascii_digit());
        Some(target.met(digits.into_iter().next()?.parse().ok()?))
    });
    Cells {
        ours: ours.to_owned(),
        peer: peer.to_owned(),
        ratio: ratio.to_owned(),
        met: verdict(judged),
        run: run.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_keeps_its_figures_and_run_and_is_judged_by_todays_target() {
        let old = "| what | 0.30 ms (0.25–0.31) | of few: 0.16 ms | 1.58 | ≤ 1.50 × the peer | **not met** | 2 |
| alone | 86,197 ms |  |  |  |  | 1 |

1. some day
2. another day
";
        let line = |what: &str, peer: &str, target: &str| {
            let line = [what, "ours", "ms", peer, target].map(str::to_owned);
            Line::try_from(line.to_vec()).unwrap()
        };
        let was = cells(old, &line("what", "of few", "≤ 1.6 ×"));
        let shown = [&*was.ours, &*was.peer, &*was.ratio, was.met, &*was.run];
        let wanted = [
            "0.30 ms (0.25–0.31)",
            "of few: 0.16 ms",
            "1.58",
            "met",
            "another day",
        ];
        assert_eq!(shown, wanted);
        let was = cells(old, &line("alone", "", "≤ 40000"));
        assert_eq!((was.met, &*was.run), ("**not met**", "some day"));
        // What was measured beside another peer, or was not measured, is not known.
        for unknown in [line("what", "of", "≤ 1.6 ×"), line("gone", "", "≤ 1")] {
            assert_eq!(cells(old, &unknown).ours, "not measured yet");
        }
    }
}
