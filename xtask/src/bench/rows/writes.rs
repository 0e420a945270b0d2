//! Durable sets, each beside appends to a file that are grouped and synced alike.

use crate::bench::figures::Figures;
use crate::bench::lab::Lab;
use crate::bench::peers::{Peer, Redis, VALUE_BYTES, appends};
use crate::bench::process::Process;
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
    ours(lab, VALUE_BYTES, MANY, lab.seconds, &mut figures)?;
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
    ours(lab, VALUE_BYTES, 1, lab.seconds, &mut figures)?;
    bare(lab, VALUE_BYTES, 1, lab.seconds, &mut figures)?;
    let (rate, _) = appends(lab, VALUE_BYTES, 1, lab.seconds)?;
    figures.note("append + fdatasync, one by one", rate);
    Ok(figures)
}

/// 16 KB over 128 connections.
pub(crate) fn large(lab: &Lab) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let seconds = lab.seconds.max(COMPACTION_SECONDS);
    ours(lab, LARGE_BYTES, MANY, seconds, &mut figures)?;
    bare(lab, LARGE_BYTES, MANY, seconds, &mut figures)?;
    let (rate, _) = appends(lab, LARGE_BYTES, MANY, seconds)?;
    figures.note("append + fdatasync in groups", rate);
    Ok(figures)
}

/// Sets of random keys on a server that begins empty.
fn ours(
    lab: &Lab,
    bytes: usize,
    connections: u32,
    seconds: u32,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let data = lab.folder()?;
    let server = Server::start(lab, data.path())?;
    let sets = Sets::run(
        server.process(),
        server.wrk(lab, ""),
        bytes,
        (connections, seconds),
    )?;
    server.stop()?;
    figures.note("ours", sets.load.rate);
    figures.note("ours, p99", sets.load.slowest);
    figures.note("ours, user", sets.user);
    figures.note("ours, system", sets.system);
    figures.note("ours, written", sets.written);
    Ok(())
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
    let sets = Sets::run(
        server.process(),
        server.wrk(lab),
        bytes,
        (connections, seconds),
    )?;
    figures.note("bare axum that appends", sets.load.rate);
    figures.note("bare axum that appends, p99", sets.load.slowest);
    figures.note("bare axum, user", sets.user);
    figures.note("bare axum, system", sets.system);
    figures.note("bare axum, written", sets.written);
    Ok(())
}

/// How fast a server was, and what each set cost it.
struct Sets {
    load: Load,
    /// Microseconds of the processor, in the server's own code.
    user: f64,
    /// Microseconds of the processor, in the kernel.
    system: f64,
    /// Bytes that were written for each byte of a value.
    written: f64,
}

impl Sets {
    fn run(
        server: &Process,
        wrk: Wrk,
        bytes: usize,
        (connections, seconds): (u32, u32),
    ) -> anyhow::Result<Self> {
        let sets = wrk.asks("set").with("BENCH_KEYS", KEYS);
        let sets = sets.with("BENCH_BYTES", bytes).connections(connections);
        let before = server.spent()?;
        let load = sets.seconds(seconds).run()?;
        let after = server.spent()?;
        let count = load.rate * f64::from(seconds);
        let payload = count * f64::from(u32::try_from(bytes)?);
        Ok(Self {
            user: (after.user - before.user) * 1e6 / count,
            system: (after.system - before.system) * 1e6 / count,
            written: (after.written - before.written) / payload,
            load,
        })
    }
}
