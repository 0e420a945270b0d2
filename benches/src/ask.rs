//! Requests of which the time or the answer matters, and the command line; wrk measures rates.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use http_body_util::BodyExt as _;
use hyper::Method;
use hyper::header::ACCEPT;

use crate::client::{Client, all};
use crate::measure::{milliseconds, note, note_times, percentile};
use crate::{Load, names};

/// The number of keys on the largest page.
const PAGE_KEYS: usize = 10_000;

/// The number of other clients that set and get their own keys during a deletion, and the time for which they run
/// before it.
const OTHERS: usize = 8;
const OTHERS_BEFORE: Duration = Duration::from_millis(500);

/// The number of runs of the command line, and of those before that are not counted.
const RUNS: usize = 100;
const WARM_UP: usize = 10;

pub(crate) async fn once(load: &Load, path: &str) -> anyhow::Result<()> {
    let started = Instant::now();
    load.client()?.connect().await?.get(path).await?;
    note("median", milliseconds(started.elapsed()));
    Ok(())
}

/// Reads every key in pages, so that the cache, which has a limit, is full and doesn't count as growth. One long
/// listing would not do: its memory might never be freed, and the next listing would use it again.
pub(crate) async fn every_page(load: &Load, folders: u64) -> anyhow::Result<()> {
    let mut connection = load.client()?.connect().await?;
    for number in (0..load.keys).step_by(PAGE_KEYS) {
        let after = names::key(number, load.keys, folders);
        let page = format!("/k/?list&limit={PAGE_KEYS}&after={after}");
        connection.get(&page).await?;
    }
    Ok(())
}

/// A listing with one JSON value a line: the time of the first byte, and lines a second.
pub(crate) async fn stream(load: &Load, path: &str, expected: usize) -> anyhow::Result<()> {
    let lines = Some((ACCEPT, "application/x-ndjson"));
    let started = Instant::now();
    let mut connection = load.client()?.connect().await?;
    let answer = connection.open(Method::GET, path, lines, "").await?;
    ensure!(answer.status().is_success(), "{path}: {}", answer.status());
    let mut body = answer.into_body();
    let mut first_byte = None;
    let mut lines = 0;
    while let Some(frame) = body.frame().await {
        first_byte.get_or_insert_with(|| started.elapsed());
        if let Some(data) = frame?.data_ref() {
            lines += data.iter().filter(|byte| **byte == b'\n').count();
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    ensure!(lines == expected, "received {lines} of {expected} lines");
    note("median", milliseconds(first_byte.context("no body")?));
    note("rate", lines as f64 / seconds);
    Ok(())
}

/// Deletes a prefix with this number of keys, while other clients set and get their own keys.
pub(crate) async fn delete(load: &Load, prefix: &str, expected: &str) -> anyhow::Result<()> {
    let client = Client::new(&load.url, &names::token(&load.data, "others")?)?;
    let ended = Arc::new(AtomicBool::new(false));
    let number = AtomicUsize::new(0);
    let others = client.start(OTHERS, |mut connection| {
        let key = format!("/other/{}", number.fetch_add(1, Ordering::Relaxed));
        let (bytes, ended) = (load.bytes, Arc::clone(&ended));
        async move {
            let mut answers = Vec::new();
            while !ended.load(Ordering::Relaxed) {
                let started = Instant::now();
                connection.set(&key, vec![b'x'; bytes]).await?;
                let between = Instant::now();
                connection.get(&key).await?;
                answers.extend([(started, between), (between, Instant::now())]);
            }
            anyhow::Ok(answers)
        }
    });
    let others = others.await?;
    tokio::time::sleep(OTHERS_BEFORE).await;
    let mut connection = load.client()?.connect().await?;
    let path = format!("{prefix}?prefix");
    let started = Instant::now();
    let answer = connection.ask(Method::DELETE, &path, None, "").await?;
    let until = Instant::now();
    ended.store(true, Ordering::Relaxed);
    let mut answers = all(others).await?.concat();
    // Only requests that overlapped with the deletion count.
    answers.retain(|(from, to)| *from < until && *to > started);
    let mut times: Vec<_> = answers
        .iter()
        .map(|(from, to)| milliseconds(*to - *from))
        .collect();
    let told = String::from_utf8_lossy(answer.body());
    let count: String = told.chars().filter(char::is_ascii_digit).collect();
    ensure!(count == expected, "not {expected} keys: {answer:?}");
    note("median", milliseconds(until - started));
    note("others-p99", percentile(&mut times, 99)?);
    Ok(())
}

/// Sets every key in batches, one after another over one connection.
pub(crate) async fn batches(load: &Load) -> anyhow::Result<()> {
    let value = "x".repeat(load.bytes);
    let entries = (0..load.keys).map(|number| (names::key(number, load.keys, 0), value.clone()));
    load.client()?.connect().await?.set_all(entries).await
}

/// Runs `prominence kv get`, and measures the whole process.
pub(crate) fn kv_get(load: &Load) -> anyhow::Result<()> {
    let mut times = Vec::new();
    for _ in 0..WARM_UP + RUNS {
        let mut command = command_line(load)?;
        let started = Instant::now();
        let output = command.args(["kv", "get", "/hot"]).output()?;
        times.push(milliseconds(started.elapsed()));
        let is_hot = output.stdout.trim_ascii_end() == "x".repeat(load.bytes).as_bytes();
        ensure!(is_hot, "kv get: {output:?}");
    }
    note_times("", times.split_off(WARM_UP))
}

/// Runs `prominence kv load` of a table, and measures the whole process; then a client that sends the same rows in
/// batches without reading a table.
pub(crate) async fn kv_load(load: &Load, rows: usize) -> anyhow::Result<()> {
    let table = load.scratch.join("table.csv");
    let lines = (1..=rows).map(|row| format!("{row},0.{row:06},run {row}\n"));
    std::fs::write(
        &table,
        format!("n,rate,name\n{}", lines.collect::<String>()),
    )?;
    let mut command = command_line(load)?;
    command.args(["kv", "load", "/loaded/"]).arg(table);
    let started = Instant::now();
    let output = command.output()?;
    note("ours", milliseconds(started.elapsed()));
    ensure!(output.status.success(), "kv load: {output:?}");

    let mut connection = load.client()?.connect().await?;
    let started = Instant::now();
    let entries = (1..=rows).map(|row| {
        let value = format!(r#"{{\"n\":{row},\"rate\":0.{row:06},\"name\":\"run {row}\"}}"#);
        (format!("/batched/{row}"), value)
    });
    connection.set_all(entries).await?;
    note("batches", milliseconds(started.elapsed()));
    let loaded = connection.get("/loaded/?count").await?;
    let batched = connection.get("/batched/?count").await?;
    ensure!(loaded == batched, "kv load stored another number of rows");
    Ok(())
}

/// The command line, which is built into the same folder as this program, as the user of the load.
fn command_line(load: &Load) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?.with_file_name("prominence"));
    command
        .env("PROMINENCE_URL", load.url.trim_end_matches("/kv"))
        .env("PROMINENCE_TOKEN", &load.token);
    Ok(command)
}
