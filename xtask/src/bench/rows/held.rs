//! Many requests that are held at once, and plain reads alone and beside them.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use crate::bench::figures::Figures;
use crate::bench::lab::Lab;
use crate::bench::peers::VALUE_BYTES;
use crate::bench::rows::reads::CONNECTIONS;
use crate::bench::server::Server;

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

/// What `held` prints that the lines show.
const PRINTED: &[&str] = &[
    "memory of a wait",
    "from a set to its waiter, median",
    "from a set to its waiter, p99",
    "memory of a watch",
    "from a set to its event, median",
    "from a set to its event, p99",
    "sets",
    "events",
    "pieces",
    "taking one, median",
    "taking one, p99",
    "setting one, median",
    "memory of a worker",
    "from a set to its worker, median",
    "from a set to its worker, p99",
];

/// Requests that wait for a key each, of which a fifth is woken one by one.
pub(crate) fn waits(lab: &Lab) -> anyhow::Result<Figures> {
    let numbers = [("--requests", 10_000), ("--sets", 2_000)];
    beside_reads(lab, "waits", &numbers)
}

/// Watches of busy prefixes.
pub(crate) fn watches(lab: &Lab) -> anyhow::Result<Figures> {
    let numbers = [("--watches", 1_000), ("--prefixes", 100)];
    beside_reads(lab, "watches", &numbers)
}

/// Workers of one queue.
pub(crate) fn claims(lab: &Lab) -> anyhow::Result<Figures> {
    let numbers = [
        ("--workers", 500),
        ("--pieces", 20_000),
        ("--live", 1_000),
        ("--waiting", 100_000),
    ];
    beside_reads(lab, "claims", &numbers)
}

/// Reads one hot key alone, lets requests be held, and reads it beside them.
fn beside_reads(lab: &Lab, what: &str, numbers: &[(&str, u64)]) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let data = lab.folder()?;
    let server = Server::start_with(lab, data.path(), ROOM)?;
    server
        .caller()
        .post(&server.kv("/hot"), &[b'x'; VALUE_BYTES])?;
    let reads = || server.wrk(lab, "/hot").connections(CONNECTIONS);
    figures.note("reads alone", reads().run()?.rate);
    let mut command = server.holding(lab);
    command.arg(what);
    for (option, number) in numbers {
        command.args([*option, &lab.scaled(*number).to_string()]);
    }
    if what != "waits" {
        command.args(["--seconds", &lab.seconds.to_string()]);
    }
    let mut holding = Holding::start(&mut command)?;
    holding.measure(&mut figures)?;
    let load = reads().run()?;
    figures.note("reads beside", load.rate);
    figures.note("reads beside, p99", load.slowest);
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
            let known = PRINTED.iter().find(|known| **known == name);
            if let Some(known) = known {
                figures.note(known, figure.parse()?);
            }
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
