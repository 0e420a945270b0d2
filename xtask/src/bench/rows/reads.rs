//! Reads of one key and of many.

use crate::bench::figures::Figures;
use crate::bench::lab::Lab;
use crate::bench::peers::{Peer, Redis, VALUE_BYTES};
use crate::bench::server::Server;
use crate::bench::stores::{KILOBYTES, prepared, read_through};

/// Connections of all reads.
pub(crate) const CONNECTIONS: u32 = 64;

/// One key of 1 KB, and what others do with one.
pub(crate) fn hot(lab: &Lab) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let data = lab.folder()?;
    let server = Server::start(lab, data.path())?;
    server
        .caller()
        .post(&server.kv("/hot"), &[b'x'; VALUE_BYTES])?;
    let load = server.wrk(lab, "/hot").connections(CONNECTIONS).run()?;
    figures.note("ours", load.rate);
    figures.note("ours, p99", load.slowest);
    // The header costs its bytes, so the others get it too.
    let header = crate::bench::server::token(lab, data.path(), "bench")?;
    drop(server);

    let bare = Peer::bare(lab)?;
    let load = bare
        .wrk(lab)
        .connections(CONNECTIONS)
        .token(&header)
        .run()?;
    figures.note("bare axum", load.rate);
    drop(bare);
    if lab.has("nginx") {
        let nginx = Peer::nginx(lab)?;
        let load = nginx
            .wrk(lab)
            .connections(CONNECTIONS)
            .token(&header)
            .run()?;
        figures.note("nginx, static file", load.rate);
    }
    if !lab.lacks_any(&["redis-server", "redis-benchmark"]) {
        figures.note("redis-benchmark GET", Redis::start(lab)?.gets(lab)?);
    }
    if lab.has("etcd") {
        let etcd = Peer::etcd(lab)?;
        let load = etcd.wrk(lab).connections(CONNECTIONS).asks("range").run()?;
        figures.note("etcd's HTTP gateway", load.rate);
    }
    Ok(figures)
}

/// Random keys out of a million of 1 KB.
pub(crate) fn random(lab: &Lab) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let keys = KILOBYTES.scaled(lab).keys;
    let data = prepared(lab, KILOBYTES)?;
    let server = Server::start(lab, &data)?;
    read_through(&data)?;
    let gets = server.wrk(lab, "").asks("get").with("BENCH_KEYS", keys);
    let load = gets.connections(CONNECTIONS).run()?;
    figures.note("ours", load.rate);
    figures.note("ours, p99", load.slowest);
    let header = crate::bench::server::token(lab, &data, "bench")?;
    server.stop()?;

    let bare = Peer::bare(lab)?;
    let gets = bare.wrk(lab).asks("get").with("BENCH_KEYS", keys);
    let load = gets.connections(CONNECTIONS).token(&header).run()?;
    figures.note("bare axum", load.rate);
    Ok(figures)
}
