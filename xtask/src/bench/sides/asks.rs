//! Loads that no generator bears: single requests whose time or answer matters, and the command line.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use prominence_cluster::etcd::Cluster;

use crate::bench::catalogue::{Contents, Measure};
use crate::bench::figures::percentile;
use crate::bench::generators::Speed;
use crate::bench::http::Caller;
use crate::bench::lab::Lab;
use crate::bench::server::{self, Server};
use crate::bench::subjects::VALUE_BYTES;
use crate::sh;

/// Keys on the largest page.
const PAGE_KEYS: usize = 10_000;

/// Others who get and set keys of their own beside a deletion, and how much earlier they begin.
const OTHERS: u32 = 8;
const OTHERS_BEFORE: Duration = Duration::from_millis(500);

/// Runs of the command line, and those before that are not counted.
const RUNS: usize = 100;
const WARM_UP: usize = 10;

/// Rows of the table that is loaded.
const ROWS: u64 = 100_000;

/// Sets of a batch: as many operations as one takes.
const BATCH: usize = 100;

/// One request, the only one of its load.
pub(super) fn once(server: &Server, path: &str) -> anyhow::Result<Speed> {
    let caller = server.caller();
    let started = Instant::now();
    caller.get(&server.kv(path))?;
    Ok(took(started.elapsed()))
}

/// Reads every key in pages, so that the cache, which has a limit of its own, is full and doesn't
/// count as growth. One long listing would not do: what it grew by might never be given back,
/// and the next one would seem to need nothing.
pub(super) fn every_page(server: &Server, contents: &Contents) -> anyhow::Result<()> {
    let caller = server.caller();
    for number in (0..contents.keys).step_by(PAGE_KEYS) {
        let folder = number * contents.folders / contents.keys;
        let after = format!("/k/{folder:02}/{number:08}");
        caller.get(&server.kv(&format!("/k/?list&limit={PAGE_KEYS}&after={after}")))?;
    }
    Ok(())
}

/// A listing that is read as it comes, with so many lines: when the first byte came, lines a second, and what
/// memory grew by.
pub(super) fn stream(server: &Server, path: &str, expected: u64) -> anyhow::Result<Speed> {
    server.process().forget_peak()?;
    let before = server.process().resident()?;
    let caller = server.caller();
    let started = Instant::now();
    let streamed = caller.stream(&server.kv(path))?;
    let seconds = started.elapsed().as_secs_f64();
    let lines = streamed.lines;
    ensure!(lines == expected, "{lines} of {expected} lines came");
    let growth = (server.process().peak()? - before).max(0.0);
    let first_byte = milliseconds(streamed.first_byte);
    let rate = f64::from(u32::try_from(lines)?) / seconds;
    Ok(BTreeMap::from([
        (Measure::Growth, growth),
        (Measure::Median, first_byte),
        (Measure::Rate, rate),
    ]))
}

/// Deletes a prefix of so many keys, while others get and set keys of their own.
pub(super) fn delete(
    lab: &Lab,
    server: &Server,
    data: &Path,
    prefix: &str,
    expected: u64,
) -> anyhow::Result<Speed> {
    let others = server::token(lab, data, "others")?;
    let ended = AtomicBool::new(false);
    let (deleted, answers) = std::thread::scope(|threads| {
        let others: Vec<_> = (0..OTHERS)
            .map(|number| {
                let (token, ended) = (&others, &ended);
                threads.spawn(move || ask_on(server, token, number, ended))
            })
            .collect();
        std::thread::sleep(OTHERS_BEFORE);
        let started = Instant::now();
        let deleted = server.caller().delete_prefix(&server.kv(prefix));
        let until = Instant::now();
        ended.store(true, Ordering::Relaxed);
        let mut answers = Vec::new();
        for other in others {
            let own = other.join().map_err(|_| anyhow!("a thread panicked"))??;
            // Those that were under way at any time of the deletion.
            let meanwhile = own
                .into_iter()
                .filter(|(from, took)| *from < until && *from + *took > started);
            answers.extend(meanwhile.map(|(_, took)| milliseconds(took)));
        }
        anyhow::Ok((deleted?, answers))
    })?;
    let (time, count) = deleted;
    ensure!(count == expected, "{count} of {expected} keys were deleted");
    let mut speed = took(time);
    let others = percentile(answers, 99).context("nobody else asked")?;
    speed.insert(Measure::OthersP99, others);
    Ok(speed)
}

/// Sets and gets a key, over and over; answers when each began and how long it took.
fn ask_on(
    server: &Server,
    token: &str,
    number: u32,
    ended: &AtomicBool,
) -> anyhow::Result<Vec<(Instant, Duration)>> {
    let caller = Caller::with_token(token);
    let url = server.kv(&format!("/other/{number}"));
    let mut answers = Vec::new();
    while !ended.load(Ordering::Relaxed) {
        let started = Instant::now();
        caller.post(&url, &[b'x'; VALUE_BYTES])?;
        let between = Instant::now();
        caller.get(&url)?;
        answers.push((started, between - started));
        answers.push((between, between.elapsed()));
    }
    Ok(answers)
}

/// `prominence kv get` from its start to its end, as a shell would see it.
pub(super) fn kv_get(lab: &Lab, server: &Server) -> anyhow::Result<Speed> {
    let mut times = Vec::new();
    for run in 0..WARM_UP + RUNS {
        let mut command = server.command_line(lab);
        let started = Instant::now();
        let printed = sh::output(command.args(["kv", "get", "/hot"]))?;
        let took = milliseconds(started.elapsed());
        let is_hot = printed.trim_end() == "x".repeat(VALUE_BYTES);
        ensure!(is_hot, "kv get printed something else");
        if run >= WARM_UP {
            times.push(took);
        }
    }
    Ok(BTreeMap::from([
        (
            Measure::Median,
            percentile(times.clone(), 50).context("no run")?,
        ),
        (Measure::P99, percentile(times, 99).context("no run")?),
    ]))
}

/// `prominence kv load` of a table, from its start to its end.
pub(super) fn kv_load(lab: &Lab, server: &Server) -> anyhow::Result<Speed> {
    let folder = lab.folder()?;
    let table = folder.path().join("table.csv");
    let mut text = String::from("n,rate,name\n");
    for row in 1..=lab.scaled(ROWS) {
        writeln!(text, "{row},0.{row:06},run {row}")?;
    }
    std::fs::write(&table, text)?;
    let mut command = server.command_line(lab);
    let started = Instant::now();
    sh::run(command.args(["kv", "load", "/loaded/"]).arg(&table))?;
    Ok(took(started.elapsed()))
}

/// A client that sends the same rows in batches, and reads no table.
pub(super) fn batches(lab: &Lab, server: &Server) -> anyhow::Result<Speed> {
    let rows = 1..=lab.scaled(ROWS);
    let set = |row| {
        let value = format!(r#"{{\"n\":{row},\"rate\":0.{row:06},\"name\":\"run {row}\"}}"#);
        format!(r#"{{"set":"/batched/{row}","value":"{value}"}}"#)
    };
    let started = Instant::now();
    send_batches(server, rows.map(set))?;
    let speed = took(started.elapsed());
    let caller = server.caller();
    let count = |prefix: &str| caller.get(&server.kv(&format!("{prefix}?count")));
    let is_same = count("/loaded/")? == count("/batched/")?;
    ensure!(is_same, "kv load stored another number of rows");
    Ok(speed)
}

/// Sets every key: what each adds to a member's database without what is past.
pub(super) fn fill(server: &Server, keys: u64, cluster: &Cluster) -> anyhow::Result<Speed> {
    let database = || {
        cluster.compact(cluster.status(0)?.revision)?;
        cluster.defragment()?;
        anyhow::Ok(f64::from(u32::try_from(cluster.status(0)?.size)?))
    };
    let before = database()?;
    let value = "x".repeat(VALUE_BYTES);
    let set = |number| format!(r#"{{"set":"/k/{number:08}","value":"{value}"}}"#);
    send_batches(server, (0..keys).map(set))?;
    let each = (database()? - before) / f64::from(u32::try_from(keys)?);
    Ok(BTreeMap::from([(Measure::DatabaseEach, each)]))
}

/// Sends operations in batches, one after another over one connection.
fn send_batches(server: &Server, operations: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let caller = server.caller();
    let mut operations = operations.peekable();
    while operations.peek().is_some() {
        let batch: Vec<_> = operations.by_ref().take(BATCH).collect();
        let body = format!(r#"{{"do":[{}]}}"#, batch.join(","));
        caller.post_json(&server.kv(""), body.as_bytes())?;
    }
    Ok(())
}

/// The time of the only request of a load.
fn took(time: Duration) -> Speed {
    BTreeMap::from([(Measure::Median, milliseconds(time))])
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
