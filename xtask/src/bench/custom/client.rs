//! The command line as a whole process.

use std::fmt::Write as _;
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
pub(super) fn get(lab: &Lab) -> anyhow::Result<Figures> {
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

/// Rows of the table that is loaded.
const ROWS: u64 = 100_000;

/// Rows of a batch: as many operations as one takes.
const BATCH: u64 = 100;

/// `prominence kv load` of a table, and a client that sends the same batches one after another over one
/// connection and reads no table.
pub(super) fn load(lab: &Lab) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let data = lab.folder()?;
    let server = Server::start(lab, data.path())?;
    let rows = lab.scaled(ROWS);
    let folder = lab.folder()?;
    let table = folder.path().join("table.csv");
    let mut text = String::from("n,rate,name\n");
    for row in 1..=rows {
        writeln!(text, "{row},0.{row:06},run {row}")?;
    }
    std::fs::write(&table, text)?;

    let mut command = server.command_line(lab);
    let started = Instant::now();
    sh::run(command.args(["kv", "load", "/loaded/"]).arg(&table))?;
    figures.note("ours", started.elapsed().as_secs_f64() * 1_000.0);

    let caller = server.caller();
    let started = Instant::now();
    for first in (1..=rows).step_by(usize::try_from(BATCH)?) {
        let sets = (first..(first + BATCH).min(rows + 1)).map(|row| {
            let value = format!(r#"{{\"n\":{row},\"rate\":0.{row:06},\"name\":\"run {row}\"}}"#);
            format!(r#"{{"set":"/batched/{row}","value":"{value}"}}"#)
        });
        let body = format!(r#"{{"do":[{}]}}"#, sets.collect::<Vec<_>>().join(","));
        caller.post_json(&server.kv(""), body.as_bytes())?;
    }
    figures.note("batches", started.elapsed().as_secs_f64() * 1_000.0);
    let count = |prefix: &str| caller.get(&server.kv(&format!("{prefix}?count")));
    ensure!(
        count("/loaded/")? == count("/batched/")?,
        "kv load stored another number of rows"
    );
    server.stop()?;
    Ok(figures)
}
