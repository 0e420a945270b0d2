//! Measures the program beside what limits it and beside its peers, in the same run, and writes
//! docs/benchmarks.md.
//!
//! | module | its part |
//! | --- | --- |
//! | `catalogue` | every row, and every target, on one screen or two |
//! | `rows` | how each row is measured, one file for each subject |
//! | `lab` | what all rows share: time, scale, scratch folders, programs |
//! | `stores` | stores of up to ten million keys, prepared once |
//! | `server`, `peers`, `process` | what is measured |
//! | `wrk`, `http` | what asks |
//! | `callgrind` | where instructions go |
//! | `figures`, `report`, `machine` | medians, verdicts, the page |
//!
//! Speeds on shared machines drift; what counts is the ratio within one round. The rows take
//! turns, and the median of all rounds is written down.

mod callgrind;
mod catalogue;
mod figures;
mod http;
mod lab;
mod machine;
mod peers;
mod process;
mod report;
mod rows;
mod server;
mod stores;
mod wrk;

use anyhow::ensure;

use crate::sh;
use catalogue::{Row, Turns};
use figures::Samples;
use lab::{Lab, Scale};

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Rows whose name contains one of these words; all where there is none.
    names: Vec<String>,

    /// List the rows and measure nothing.
    #[arg(long)]
    list: bool,

    /// Rounds; the median of them is written down.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Seconds for each measurement of a speed.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,

    /// How large the stores are; small ones are for trying this out and are not written down.
    #[arg(long, value_enum, default_value_t)]
    scale: Scale,

    /// Print the table and leave docs/benchmarks.md as it is.
    #[arg(long)]
    no_write: bool,

    /// Use stores prepared earlier although the engine has changed since.
    #[arg(long)]
    keep_data: bool,
}

/// What one row came to.
pub(crate) struct Outcome {
    row: &'static Row,
    samples: Samples,
    failure: Option<anyhow::Error>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let rows: Vec<_> = catalogue::rows()
        .filter(|row| wanted(row, options))
        .collect();
    if options.list {
        for row in rows {
            println!("{:<16} {}", row.name, row.about);
        }
        return Ok(());
    }
    ensure!(!rows.is_empty(), "no row has such a name; see --list");
    build()?;
    let lab = Lab::new(options)?;
    let outcomes = measure(&lab, &rows, options.rounds);
    let old = std::fs::read_to_string(report::path()).unwrap_or_default();
    let page = report::page(options, &outcomes, &old)?;
    println!("\n{}", report::table(&outcomes, report::Others::LeaveOut));
    if options.scale == Scale::Small {
        println!("Stores held a hundredth of the keys that the lines speak of.");
    }
    if options.scale == Scale::Full && !options.no_write {
        std::fs::write(report::path(), page)?;
        println!("wrote {}", report::path().display());
    }
    let failed: Vec<_> = outcomes
        .iter()
        .filter(|one| one.failure.is_some())
        .collect();
    for outcome in &failed {
        if let Some(failure) = &outcome.failure {
            println!("{}: {failure:#}", outcome.row.name);
        }
    }
    ensure!(failed.is_empty(), "{} rows failed", failed.len());
    Ok(())
}

fn wanted(row: &Row, options: &Options) -> bool {
    let names = &options.names;
    names.is_empty() || names.iter().any(|word| row.name.contains(word.as_str()))
}

/// The first two in one command, because what two packages share is built with the features of both.
fn build() -> anyhow::Result<()> {
    sh::run(sh::cargo().args([
        "build",
        "--release",
        "-p",
        "prominence",
        "-p",
        "prominence-bench",
        "--features",
        "prominence/etcd",
    ]))?;
    sh::run(sh::cargo().args([
        "build",
        "--release",
        "-p",
        "prominence-engines",
        "--example",
        "bare_etcd",
        "--features",
        "etcd",
    ]))
}

/// Measures the rows in turn. One that fails is left aside from then on; after an hour of
/// measuring, the others are still wanted.
fn measure(lab: &Lab, rows: &[&'static Row], rounds: u32) -> Vec<Outcome> {
    let mut outcomes: Vec<_> = rows
        .iter()
        .map(|row| Outcome {
            row,
            samples: Samples::default(),
            failure: None,
        })
        .collect();
    for round in 1..=rounds {
        for outcome in &mut outcomes {
            let again = round == 1 || outcome.row.turns == Turns::EveryRound;
            if outcome.failure.is_some() || !again {
                continue;
            }
            println!("round {round}: {}", outcome.row.name);
            // What others have written must not slow this one down.
            let settled = stores::settle_disk();
            let measured = settled.and_then(|()| (outcome.row.measure)(lab));
            match measured.and_then(|figures| figures.complete(outcome.row, lab)) {
                Ok(figures) => {
                    println!("{figures}");
                    outcome.samples.push(figures);
                }
                Err(error) => {
                    println!("    failed: {error:#}");
                    outcome.failure = Some(error);
                }
            }
        }
    }
    outcomes
}
