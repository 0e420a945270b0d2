//! Durable sets, each beside appends to a file that are grouped and synced alike.

use crate::bench::figures::Figures;
use crate::bench::lab::Lab;
use crate::bench::peers::{Peer, Redis, VALUE_BYTES, appends};
use crate::bench::server::Server;
use crate::bench::wrk::{Load, Wrk};

/// Keys that are set again and again, at random.
const KEYS: u64 = 1_000_000;

/// Connections, or threads, that write at once.
const MANY: u32 = 128;

/// Values as large as they may be by default.
const LARGE_BYTES: usize = 16_384;

/// Large values are set for at least this long, so that compaction is part of it.
const COMPACTION_SECONDS: u32 = 20;

/// 1 KB over 128 connections.
pub(crate) fn many(lab: &Lab) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let load = sets(lab, VALUE_BYTES, MANY, lab.seconds)?;
    figures.note("ours", load.rate);
    figures.note("ours, p99", load.slowest);
    if !lab.lacks_any(&["redis-server", "redis-benchmark"]) {
        let (rate, slowest) = Redis::start(lab)?.sets(lab)?;
        figures.note("redis-benchmark SET, appendfsync always", rate);
        figures.note("Redis, p99", slowest);
    }
    bare(lab, VALUE_BYTES, MANY, lab.seconds, &mut figures)?;
    let (rate, _) = appends(lab, VALUE_BYTES, MANY, lab.seconds)?;
    figures.note("append + fdatasync in groups", rate);
    Ok(figures)
}

/// 1 KB over one connection.
pub(crate) fn one(lab: &Lab) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    figures.note("ours", sets(lab, VALUE_BYTES, 1, lab.seconds)?.rate);
    bare(lab, VALUE_BYTES, 1, lab.seconds, &mut figures)?;
    let (rate, _) = appends(lab, VALUE_BYTES, 1, lab.seconds)?;
    figures.note("append + fdatasync, one by one", rate);
    Ok(figures)
}

/// 16 KB over 128 connections.
pub(crate) fn large(lab: &Lab) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let seconds = lab.seconds.max(COMPACTION_SECONDS);
    let load = sets(lab, LARGE_BYTES, MANY, seconds)?;
    figures.note("ours", load.rate);
    figures.note("ours, p99", load.slowest);
    bare(lab, LARGE_BYTES, MANY, seconds, &mut figures)?;
    let (rate, _) = appends(lab, LARGE_BYTES, MANY, seconds)?;
    figures.note("append + fdatasync in groups", rate);
    Ok(figures)
}

/// Sets of random keys on a server that begins empty.
fn sets(lab: &Lab, bytes: usize, connections: u32, seconds: u32) -> anyhow::Result<Load> {
    let data = lab.folder()?;
    let server = Server::start(lab, data.path())?;
    let load = sets_by(server.wrk(lab, ""), bytes, connections, seconds)?;
    server.stop()?;
    Ok(load)
}

/// The same of a server that does nothing but append what it is sent: the least that a durable
/// set over HTTP costs.
fn bare(
    lab: &Lab,
    bytes: usize,
    connections: u32,
    seconds: u32,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let server = Peer::appending(lab)?;
    let load = sets_by(server.wrk(lab), bytes, connections, seconds)?;
    figures.note("bare axum that appends", load.rate);
    figures.note("bare axum that appends, p99", load.slowest);
    Ok(())
}

fn sets_by(wrk: Wrk, bytes: usize, connections: u32, seconds: u32) -> anyhow::Result<Load> {
    let sets = wrk.asks("set").with("BENCH_KEYS", KEYS);
    let sets = sets.with("BENCH_BYTES", bytes).connections(connections);
    sets.seconds(seconds).run()
}
