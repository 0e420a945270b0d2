//! docs/benchmarks.md: the table, what each row does, and how to measure again.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::catalogue::{self, Line, Target};
use super::figures::{Samples, Spread, Unit, show};
use super::{Options, Outcome, machine};
use crate::sh;

const INTRODUCTION: &str = "# Benchmarks

Written by `cargo xtask bench`, which anyone can run again; do not edit by hand.

Speeds on shared machines drift by half from hour to hour. What counts is the ratio to a peer or to
what limits a row, measured in the same round on the same machine, with the load generator (wrk, one
thread) on that machine too. A figure is the median of the rounds, with the lowest and the highest
in brackets; a ratio is the median of the ratios within each round. wrk demands that every answer is
a success.
";

const AGAIN: &str = "
## Measuring again

`cargo xtask bench` measures everything and writes this page; `cargo xtask bench set page` only the
rows whose name contains one of these words, and leaves the other lines as they are. `--list` lists
the rows, `--rounds` and `--seconds` say how often and how long, `--no-write` only prints, and
`--scale small` tries everything out in a few minutes with a hundredth of the keys. Stores of up to
10 million keys are filled once and kept in `target/bench-data` (some 5 GB) until the engine's source
changes. What is missing of wrk, nginx, Redis, etcd and valgrind is installed with apt-get, or named
in the table as missing.

## What each row does

";

const HEAD: &str =
    "| what | ours | peer | ratio | target | met |\n| --- | --- | --- | --- | --- | --- |\n";

/// What becomes of rows that were not measured now.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Others<'a> {
    /// Their lines stay as they stand in this page.
    Keep(&'a str),
    LeaveOut,
}

/// The page that is written.
pub(crate) fn path() -> PathBuf {
    sh::root().join("docs/benchmarks.md")
}

/// The whole page. Rows that were not measured now keep their lines of the `old` page.
pub(crate) fn page(options: &Options, outcomes: &[Outcome], old: &str) -> anyhow::Result<String> {
    let mut page = INTRODUCTION.to_owned();
    writeln!(
        page,
        "\nMeasured last with `--rounds {} --seconds {}`; lines of other rows stand as they were. {}\n",
        options.rounds,
        options.seconds,
        machine::describe()?
    )?;
    page.push_str(&table(outcomes, Others::Keep(old)));
    page.push_str(AGAIN);
    for row in catalogue::rows() {
        writeln!(page, "- `{}`: {}", row.name, row.about)?;
    }
    Ok(page)
}

/// The table alone.
pub(crate) fn table(outcomes: &[Outcome], others: Others<'_>) -> String {
    let mut table = HEAD.to_owned();
    for row in catalogue::rows() {
        let outcome = outcomes.iter().find(|one| one.row.name == row.name);
        for line in row.lines {
            let cells = match (outcome, others) {
                (Some(outcome), _) => match &outcome.failure {
                    Some(failure) => failed(line, failure),
                    None => cells(line, &outcome.samples),
                },
                (None, Others::Keep(old)) => kept(old, line),
                (None, Others::LeaveOut) => continue,
            };
            table.push_str(&cells);
            table.push('\n');
        }
    }
    table
}

/// The line of an earlier page that begins with the same words.
fn kept(old: &str, line: &Line) -> String {
    let begin = format!("| {} |", line.what);
    let found = old.lines().find(|line| line.starts_with(&begin));
    found.map_or_else(
        || format!("{begin} not measured yet |  |  | {} |  |", target(line)),
        str::to_owned,
    )
}

/// A line of a row that could not be measured, with the reason as far as it fits.
fn failed(line: &Line, failure: &anyhow::Error) -> String {
    let reason = failure.to_string().replace('|', "/");
    let reason = reason.lines().next().unwrap_or_default();
    format!(
        "| {} | failed: {reason} |  |  | {} |  |",
        line.what,
        target(line)
    )
}

fn cells(line: &Line, samples: &Samples) -> String {
    let ours = samples
        .spread(line.ours)
        .map(|spread| figure(spread, line.unit));
    let peer = line.peer.map(|name| match samples.spread(name) {
        Some(spread) => format!("{name}: {}", figure(spread, line.unit)),
        None => format!("{name}: missing"),
    });
    let ratio = line.peer.and_then(|peer| samples.ratio(line.ours, peer));
    let met = match samples.verdict(line.ours, line.peer, line.target) {
        Some(true) => "met",
        Some(false) => "**not met**",
        None => "",
    };
    format!(
        "| {} | {} | {} | {} | {} | {met} |",
        line.what,
        ours.unwrap_or_default(),
        peer.unwrap_or_default(),
        ratio.map(show).unwrap_or_default(),
        target(line),
    )
}

fn figure(spread: Spread, unit: Unit) -> String {
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
    format!("{}{unit}{range}", show(median))
}

fn target(line: &Line) -> String {
    match line.target {
        Target::None => String::new(),
        Target::AtMost(most) => format!("≤ {}{}", show(most), line.unit),
        Target::RatioAtLeast(least) => format!("≥ {} × the peer", show(least)),
        Target::RatioAtMost(most) => format!("≤ {} × the peer", show(most)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figures::Figures;

    fn measured(name: &str, rounds: &[&[(&'static str, f64)]]) -> Outcome {
        let row = catalogue::rows().find(|row| row.name == name).unwrap();
        let mut samples = Samples::default();
        for round in rounds {
            let mut figures = Figures::default();
            for (name, figure) in *round {
                figures.note(name, *figure);
            }
            samples.push(figures);
        }
        Outcome {
            row,
            samples,
            failure: None,
        }
    }

    #[test]
    fn a_line_shows_both_sides_the_ratio_and_the_verdict() {
        let peer = "append + fdatasync, one by one";
        let outcome = measured("set-1", &[&[("ours", 1_000.0), (peer, 2_000.0)]]);
        let table = table(&[outcome], Others::LeaveOut);
        let line = table.lines().nth(2).unwrap();
        let wanted = "| durable set, 1 connection | 1,000/s | append + fdatasync, one by one: \
                      2,000/s | 0.50 | ≥ 0.80 × the peer | **not met** |";
        assert_eq!(line, wanted);
    }

    #[test]
    fn a_missing_peer_is_named_and_gets_no_verdict() {
        let outcome = measured(
            "get-hot",
            &[&[("ours", 9.0), ("bare axum", 10.0), ("ours, p99", 1.0)]],
        );
        let table = table(&[outcome], Others::LeaveOut);
        assert!(
            table.contains("| bare axum: 10.0/s | 0.90 | ≥ 0.90 × the peer | met |"),
            "{table}"
        );
        assert!(
            table.contains("| nginx, static file: missing |  | ≥ 1.00 × the peer |  |"),
            "{table}"
        );
    }

    #[test]
    fn a_row_that_failed_says_why_in_one_cell() {
        let mut outcome = measured("instructions", &[]);
        outcome.failure = Some(anyhow::anyhow!("a | b\nand more"));
        let table = table(&[outcome], Others::Keep("| one GET of 1 KB | as it was |"));
        assert!(
            table.contains("| one GET of 1 KB | failed: a / b |  |  |  |  |"),
            "{table}"
        );
    }

    #[test]
    fn rows_that_were_not_measured_keep_their_lines() {
        let old = "| durable set, 1 connection | as it was |\n| something gone | 1 |\n";
        let outcome = measured("idle", &[&[("ready", 90.0), ("memory", 20.0)]]);
        let table = table(&[outcome], Others::Keep(old));
        assert!(
            table.contains("| durable set, 1 connection | as it was |"),
            "{table}"
        );
        assert!(
            table.contains("| an empty server, ready after | 90.0 ms |  |  | ≤ 100 ms | met |"),
            "{table}"
        );
        assert!(!table.contains("something gone"), "{table}");
        assert!(
            table.contains("| one level, p99 | not measured yet |"),
            "{table}"
        );
    }
}
