//! Mixed requests for an hour: whether the time of an answer, memory and disk stay what they are.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use anyhow::{Context as _, ensure};

use crate::bench::figures::{Figures, Spread};
use crate::bench::lab::Lab;
use crate::bench::plot::{Curve, plot};
use crate::bench::report;
use crate::bench::server::Server;
use crate::sh;

/// Keys to choose from.
const KEYS: u64 = 200_000;

const MEBIBYTE: f64 = 1_048_576.0;

/// What a step of ten seconds came to.
struct Step {
    rate: f64,
    p99: f64,
    /// Mebibytes of the server's memory, and of its folder.
    memory: f64,
    disk: f64,
}

pub(super) fn measure(lab: &Lab) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let data = lab.folder()?;
    let server = Server::start(lab, data.path())?;
    let mut command = server.asked_by(lab, "long-run");
    command.arg("--folder").arg(data.path());
    command.args(["--seconds", &(lab.options.minutes * 60).to_string()]);
    command.args(["--keys", &lab.scaled(KEYS).to_string()]);
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().context("standard output")?;
    let mut steps = Vec::new();
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("    {line}");
        let mut words = line.split(' ');
        let what = words.next().unwrap_or_default();
        let numbers: Vec<f64> = words.map(str::parse).collect::<Result<_, _>>()?;
        match (what, &numbers[..]) {
            ("top", [rate]) => figures.note("top rate", *rate),
            ("step", [_, rate, p99, memory, disk]) => steps.push(Step {
                rate: *rate,
                p99: *p99,
                memory: memory / MEBIBYTE,
                disk: disk / MEBIBYTE,
            }),
            _ => anyhow::bail!("long-run prints {line}"),
        }
    }
    let status = child.wait()?;
    ensure!(status.success(), "long-run ended with {status}");
    server.stop()?;
    sum_up(&steps, &mut figures)?;
    draw(lab, &steps)?;
    Ok(figures)
}

/// The halves of the run beside each other: the medians of their steps.
fn sum_up(steps: &[Step], figures: &mut Figures) -> anyhow::Result<()> {
    let halves = steps.split_at(steps.len() / 2);
    for (name, half) in [("first half", halves.0), ("second half", halves.1)] {
        let mut note = |kind: &str, of: fn(&Step) -> f64| {
            let spread = Spread::of(half.iter().map(of).collect());
            let median = spread.context("there are fewer than two steps")?.median;
            figures.note(format!("{kind}, {name}"), median);
            anyhow::Ok(())
        };
        note("p99", |step| step.p99)?;
        note("memory", |step| step.memory)?;
        note("disk", |step| step.disk)?;
    }
    let all = |of: fn(&Step) -> f64| Spread::of(steps.iter().map(of).collect());
    let rates = all(|step| step.rate).context("no step")?;
    figures.note("rate", rates.median);
    let p99s = all(|step| step.p99).context("no step")?;
    figures.note("p99, slowest step", p99s.highest);
    Ok(())
}

/// A plot beside docs/benchmarks.md, or in the build folder where nothing is to be written down.
fn draw(lab: &Lab, steps: &[Step]) -> anyhow::Result<()> {
    let curve = |name, of: fn(&Step) -> f64| Curve {
        name,
        points: steps.iter().map(of).collect(),
    };
    let curves = [
        curve("p99 of each 10 s, ms", |step| step.p99),
        curve("memory, MiB", |step| step.memory),
        curve("disk, MiB", |step| step.disk),
    ];
    let file = if lab.options.writes() {
        report::path().with_file_name(report::PLOT)
    } else {
        sh::root().join("target").join(report::PLOT)
    };
    std::fs::write(&file, plot(lab.options.minutes, &curves))?;
    println!("    drew {}", file.display());
    Ok(())
}
