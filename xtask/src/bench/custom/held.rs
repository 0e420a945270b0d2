//! Many requests that are held at once, and plain reads alone and beside them.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use crate::bench::figures::Figures;
use crate::bench::lab::Lab;
use crate::bench::server::Server;

/// Connections of plain reads.
const READERS: u32 = 64;

/// Room for ten thousand held requests of one user, and for plain ones beside them, within 20,000
/// open files.
const ROOM: &[&str] = &[
    "--max-connections",
    "18000",
    "--max-held",
    "12000",
    "--max-held-per-user",
    "12000",
];

/// How many workers, and pieces of work.
pub(super) const CLAIMS: &[(&str, u64)] = &[
    ("--workers", 500),
    ("--pieces", 20_000),
    ("--live", 1_000),
    ("--waiting", 100_000),
];

/// Reads one hot key alone, lets requests be held, and reads it beside them.
pub(super) fn beside_reads(
    lab: &Lab,
    what: &str,
    numbers: &[(&str, u64)],
) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let data = lab.folder()?;
    let server = Server::start_with(lab, data.path(), ROOM)?;
    server.set_hot()?;
    let reads = || server.wrk(lab, "/hot", READERS);
    figures.note("reads alone", reads().run()?.rate);
    let mut command = server.asked_by(lab, "held");
    command.arg(what);
    for (option, number) in numbers {
        command.args([*option, &lab.scaled(*number).to_string()]);
    }
    if what != "waits" {
        command.args(["--seconds", &lab.seconds.to_string()]);
    }
    let mut holding = Holding::start(&mut command)?;
    holding.measure(&mut figures)?;
    let speed = reads().run()?;
    figures.note("reads beside", speed.rate);
    figures.note("reads beside, p99", speed.p99);
    holding.finish()?;
    server.stop()?;
    Ok(figures)
}

/// The program that holds requests, while it runs.
struct Holding {
    child: Child,
    printed: Lines<BufReader<ChildStdout>>,
}

impl Holding {
    fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let output = child.stdout.take().context("standard output")?;
        let printed = BufReader::new(output).lines();
        Ok(Self { child, printed })
    }

    /// Notes what it measures, until it only keeps the load up.
    fn measure(&mut self, figures: &mut Figures) -> anyhow::Result<()> {
        for line in self.printed.by_ref() {
            let line = line?;
            if line == "ready" {
                return Ok(());
            }
            let (name, figure) = line.rsplit_once(' ').context("no figure")?;
            figures.note(name, figure.parse()?);
        }
        bail!("what holds the requests has failed: {}", self.child.wait()?)
    }

    /// Lets it end; what it found wrong meanwhile, it says by how it ends.
    fn finish(mut self) -> anyhow::Result<()> {
        drop(self.child.stdin.take());
        let status = self.child.wait()?;
        ensure!(
            status.success(),
            "what held the requests ended with {status}"
        );
        Ok(())
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        // Where it has ended already, there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
