//! Measures the program and, in the same run, its peers and the hardware's limits, and writes docs/benchmarks.md.
//!
//! | module | contents |
//! | --- | --- |
//! | `rows.toml`, `rows`, `line` | every row: the programs that it starts, the figures that it shows, and every target
//! |
//! | `sides` | carries out a row |
//! | `lab` | used by all rows: time, scale, scratch folders, commands |
//! | `stores` | stores of up to ten million keys, filled once |
//! | `subject` | a measured server |
//! | `load` | load generators |
//! | `instructions` | instructions of one request, by part of the program |
//! | `figures`, `report` | medians, verdicts, the page |
//!
//! Speeds on shared machines vary with time, but the ratio of two speeds in one round hardly does. So every round
//! measures every row, and the page has the median of all rounds.

mod figures;
mod instructions;
mod lab;
mod line;
mod load;
mod report;
mod rows;
mod sides;
mod stores;
mod subject;

use anyhow::ensure;
use prominence_cluster::etcd::{self, Cluster, Place};

use crate::sh;
use figures::Figures;
use lab::{Lab, Scale};
use line::Line;
use rows::{Catalogue, Row};

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only the rows whose name contains one of these words [default: all rows except those that take long].
    names: Vec<String>,

    /// List the rows and measure nothing.
    #[arg(long)]
    list: bool,

    /// Number of rounds; the page has their median.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Seconds for each measurement of a speed.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,

    /// Minutes of the row `long-run`, after the minute that finds the rate.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    minutes: u32,

    /// Size of the stores; small ones are for experiments, and their figures are not written to the page.
    #[arg(long, value_enum, default_value_t)]
    scale: Scale,

    /// Print the table, and do not change docs/benchmarks.md.
    #[arg(long)]
    no_write: bool,

    /// Measure nothing, and write docs/benchmarks.md again from its own figures, with the present targets.
    #[arg(long, conflicts_with = "no_write")]
    no_measure: bool,

    /// Use the prepared stores even if the engine has changed since.
    #[arg(long)]
    keep_data: bool,
}

impl Options {
    /// True if the page is written. Figures of small stores are not comparable with those on the page.
    fn writes(&self) -> bool {
        self.scale == Scale::Full && !self.no_write
    }
}

/// The figures of one row, or its failure.
pub(crate) struct Outcome<'a> {
    row: &'a Row,
    rounds: Vec<Figures>,
    failure: Option<anyhow::Error>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let catalogue = Catalogue::read()?;
    let rows = catalogue.rows.values().filter(|row| wanted(row, options));
    let rows: Vec<_> = rows.collect();
    if options.list {
        for row in rows {
            println!("{:<16} {}", row.name, row.about);
        }
        return Ok(());
    }
    if options.no_measure {
        return write(&catalogue, &[], options);
    }
    ensure!(!rows.is_empty(), "no row has such a name; see --list");
    build()?;
    let lab = Lab::new(options, &catalogue)?;
    let outcomes = measure(&lab, &rows, options.rounds);
    println!("\n{}", report::table(&outcomes));
    if options.scale == Scale::Small {
        println!("Stores had a hundredth of the keys that the lines name.");
    }
    if options.writes() {
        write(&catalogue, &outcomes, options)?;
    }
    let mut failed = String::new();
    for outcome in &outcomes {
        if let Some(failure) = &outcome.failure {
            failed += &format!("\n{}: {failure:#}", outcome.row.name);
        }
    }
    ensure!(failed.is_empty(), "rows failed:{failed}");
    Ok(())
}

fn write(catalogue: &Catalogue, outcomes: &[Outcome<'_>], options: &Options) -> anyhow::Result<()> {
    let old = std::fs::read_to_string(report::path()).unwrap_or_default();
    let page = report::page(catalogue, outcomes, &lab::describe_run(options)?, &old);
    std::fs::write(report::path(), page)?;
    println!("wrote {}", report::path().display());
    Ok(())
}

fn wanted(row: &Row, options: &Options) -> bool {
    let names = &options.names;
    if names.is_empty() {
        return options.list || !row.by_name_only;
    }
    names.iter().any(|word| row.name.contains(word.as_str()))
}

/// The first two in one command, because cargo builds dependencies that two packages share with the features of both.
fn build() -> anyhow::Result<()> {
    let ours = "-p prominence -p prominence-bench --features prominence/etcd";
    let bare = "-p prominence-engines --example bare_etcd --features etcd";
    for packages in [ours, bare] {
        let mut build = sh::cargo();
        build.args(["build", "--release"]);
        sh::run(build.args(packages.split(' ')))?;
    }
    Ok(())
}

/// Measures the rows in turn. A row that fails is not measured again, and the others go on: the error must not cost the
/// result of an hour.
fn measure<'a>(lab: &Lab, rows: &[&'a Row], rounds: u32) -> Vec<Outcome<'a>> {
    let outcomes = rows.iter().map(|row| Outcome {
        row,
        rounds: Vec::new(),
        failure: None,
    });
    let mut outcomes: Vec<_> = outcomes.collect();
    for round in 1..=rounds {
        for outcome in &mut outcomes {
            let again = round == 1 || !outcome.row.once;
            if outcome.failure.is_some() || !again {
                continue;
            }
            println!("round {round}: {}", outcome.row.name);
            match measure_once(lab, outcome.row) {
                Ok(figures) => {
                    for (name, figure) in &figures {
                        match figure {
                            Ok(figure) => println!("    {name}: {}", figures::show(*figure)),
                            Err(reason) => println!("    {name}: not available: {reason}"),
                        }
                    }
                    outcome.rounds.push(figures);
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

/// Every figure of the row's lines, or the reason why it is not available.
fn measure_once(lab: &Lab, row: &Row) -> anyhow::Result<Figures> {
    // Writes of the row before must not slow this one down.
    stores::settle_disk()?;
    let absent = row.absent.iter();
    let absent = absent.map(|(name, reason)| (name.clone(), Err(reason.clone())));
    let mut figures: Figures = absent.collect();
    let folder = lab.folder()?;
    let cluster = row.cluster.map(|nodes| {
        let options = etcd::Options {
            nodes,
            place: Place::Loopback,
            ..etcd::Options::default()
        };
        Cluster::create(folder.path(), &options)
    });
    let mut cluster = cluster.transpose()?;
    let mut sides = lab.catalogue.sides(row);
    let measured =
        sides.try_for_each(|side| sides::measure(lab, side, cluster.as_ref(), &mut figures));
    if let Some(cluster) = &mut cluster {
        cluster.remove();
    }
    measured?;
    for name in row.lines.iter().flat_map(Line::figures) {
        ensure!(figures.contains_key(name), "no figure \"{name}\"");
    }
    Ok(figures)
}
