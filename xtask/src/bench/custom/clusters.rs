//! The server over an etcd cluster, beside a client that asks the same cluster without a server in
//! between: what the server costs.

use prominence_cluster::etcd::{Cluster, Options, Place};

use crate::bench::figures::Figures;
use crate::bench::generators::{Generator, Running, Speed};
use crate::bench::lab::Lab;
use crate::bench::server::Server;
use crate::bench::subjects::VALUE_BYTES;

/// Connections to the server, and tasks of the bare client.
const CONNECTIONS: u32 = 64;

/// Keys to choose from, as the bare client has it.
const KEYS: u64 = 10_000;

/// Keys that are set in one request before anything is measured.
const BATCH: u64 = 100;

/// The client without a server.
const BARE: &str = "bare_etcd";

/// A cluster of so many nodes, all on this machine.
pub(super) fn beside(lab: &Lab, nodes: u8) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let folder = lab.folder()?;
    let options = Options {
        nodes,
        place: Place::Loopback,
        ..Options::default()
    };
    let mut cluster = Cluster::create(folder.path(), &options)?;
    let mut measured = measure(lab, &cluster, &mut figures);
    if nodes > 1 {
        measured = measured.and_then(|()| side_by_side(lab, &cluster, &mut figures));
    }
    cluster.remove();
    measured.map(|()| figures)
}

fn measure(lab: &Lab, cluster: &Cluster, figures: &mut Figures) -> anyhow::Result<()> {
    let endpoints = &*cluster.endpoints().join(",");
    bare(lab, endpoints, "fill")?;
    let data = lab.folder()?;
    let start = || {
        let settings = ["--engine", "etcd", "--etcd-endpoints", endpoints];
        Server::start_with(lab, data.path(), &settings)
    };
    let asked = |server: &Server, asks: &'static str| {
        server.wrk(lab, "", CONNECTIONS).asks(asks, KEYS).run()
    };
    let server = start()?;
    let before = database_bytes(cluster)?;
    fill(&server)?;
    let keys = u32::try_from(KEYS)?;
    let grown = database_bytes(cluster)? - before;
    figures.note("database", grown / f64::from(keys));
    // Each pair is measured together: clusters grow and compact meanwhile.
    for (asks, name) in [
        ("get", "get"),
        ("set", "set"),
        ("page", "list"),
        ("add", "add"),
    ] {
        let before = server.process().spent()?;
        let speed = asked(&server, asks)?;
        let after = server.process().spent()?;
        let seconds = after.user + after.system - before.user - before.system;
        let requests = speed.rate * f64::from(lab.seconds);
        figures.note(format!("ours, {name}"), speed.rate);
        figures.note(format!("ours, {name}, p99"), speed.p99);
        figures.note(format!("server, {name}"), seconds * 1e6 / requests);
        let bare = bare(lab, endpoints, name)?;
        figures.note(format!("bare, {name}"), bare.rate);
    }
    server.stop()?;
    // One that knows nothing of the keys has to read each before it replaces it.
    let server = start()?;
    figures.note("ours, set, started", asked(&server, "set")?.rate);
    server.stop()
}

/// Sets of one user's keys through several servers at once, which have to take turns.
fn side_by_side(lab: &Lab, cluster: &Cluster, figures: &mut Figures) -> anyhow::Result<()> {
    let endpoints = &*cluster.endpoints().join(",");
    let settings = ["--engine", "etcd", "--etcd-endpoints", endpoints];
    let folders = [lab.folder()?, lab.folder()?, lab.folder()?];
    let servers = folders.each_ref().map(|data| {
        // Each has a secret and a token of its own; the user is the same.
        Server::start_with(lab, data.path(), &settings)
    });
    let servers: Vec<_> = servers.into_iter().collect::<Result<_, _>>()?;
    let connections = CONNECTIONS / u32::try_from(servers.len())?;
    let start = |server: &Server| {
        let sets = server.wrk(lab, "", connections).asks("set", KEYS);
        sets.generator().start()
    };
    let loads: Vec<_> = servers.iter().map(start).collect::<Result<_, _>>()?;
    let loads = loads.into_iter().map(Running::finish);
    let loads: Vec<_> = loads.collect::<Result<_, _>>()?;
    let rates = || loads.iter().map(|load| load.rate);
    figures.note("three servers, set", rates().sum());
    figures.note(
        "three servers, least",
        rates().fold(f64::INFINITY, f64::min),
    );
    let slowest = loads.iter().map(|load| load.p99);
    figures.note("three servers, p99", slowest.fold(0.0, f64::max));
    servers.into_iter().try_for_each(Server::stop)
}

/// Bytes of a member's database without what is past.
fn database_bytes(cluster: &Cluster) -> anyhow::Result<f64> {
    cluster.compact(cluster.status(0)?.revision)?;
    cluster.defragment()?;
    let size = u32::try_from(cluster.status(0)?.size)?;
    Ok(f64::from(size))
}

/// Sets every key, many in a request.
fn fill(server: &Server) -> anyhow::Result<()> {
    let caller = server.caller();
    let value = "x".repeat(VALUE_BYTES);
    for first in (0..KEYS).step_by(usize::try_from(BATCH)?) {
        let sets: Vec<_> = (first..first + BATCH)
            .map(|number| format!(r#"{{"set":"/k/{number:08}","value":"{value}"}}"#))
            .collect();
        let batch = format!(r#"{{"do":[{}]}}"#, sets.join(","));
        caller.post_json(&server.kv(""), batch.as_bytes())?;
    }
    Ok(())
}

/// What the bare client reaches.
fn bare(lab: &Lab, endpoints: &str, what: &str) -> anyhow::Result<Speed> {
    let mut bare = lab.own(&format!("examples/{BARE}"));
    bare.args([endpoints, what]);
    bare.args([CONNECTIONS.to_string(), lab.seconds.to_string()]);
    Generator::new(bare).run()
}
