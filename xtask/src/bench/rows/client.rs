//! The command line as a whole process.

use std::time::Instant;

use anyhow::{Context as _, ensure};

use crate::bench::figures::{Figures, percentile};
use crate::bench::lab::Lab;
use crate::bench::server::Server;
use crate::sh;

/// Runs of the program, and those before that are not counted.
const RUNS: usize = 100;
const WARM_UP: usize = 10;

/// `prominence kv get` from its start to its end, as a shell would see it.
pub(crate) fn get(lab: &Lab) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let data = lab.folder()?;
    let server = Server::start(lab, data.path())?;
    let value = "x".repeat(1_000);
    server.caller().post(&server.kv("/hot"), value.as_bytes())?;
    let mut times = Vec::new();
    for run in 0..WARM_UP + RUNS {
        let mut command = server.command_line(lab);
        let started = Instant::now();
        let printed = sh::output(command.args(["kv", "get", "/hot"]))?;
        let took = started.elapsed().as_secs_f64() * 1_000.0;
        ensure!(printed.trim_end() == value, "kv get printed something else");
        if run >= WARM_UP {
            times.push(took);
        }
    }
    figures.note("ours", percentile(times.clone(), 50).context("no run")?);
    figures.note("ours, p99", percentile(times, 99).context("no run")?);
    server.stop()?;
    Ok(figures)
}
