//! Reads while writes go on. The generators take their share of the processor too, so the same
//! pair is measured on a bare server beside bare appends: more than that can't be had.

use std::process::Stdio;
use std::time::Duration;

use crate::bench::figures::Figures;
use crate::bench::lab::Lab;
use crate::bench::peers::{Peer, VALUE_BYTES, append, read_appends};
use crate::bench::rows::reads::CONNECTIONS;
use crate::bench::server::Server;

/// Connections, or threads, that write meanwhile.
const WRITERS: u32 = 32;

/// Keys that are written, apart from the one that is read.
const KEYS: u64 = 1_000_000;

/// Writes begin this much before the reads and end this much after them.
const MARGIN_SECONDS: u32 = 1;
const MARGIN: Duration = Duration::from_secs(1);

/// One hot key, alone and beside sets of others.
pub(crate) fn beside_sets(lab: &Lab) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    ours(lab, &mut figures)?;
    bare(lab, &mut figures)?;
    Ok(figures)
}

fn ours(lab: &Lab, figures: &mut Figures) -> anyhow::Result<()> {
    let data = lab.folder()?;
    let server = Server::start(lab, data.path())?;
    server
        .caller()
        .post(&server.kv("/hot"), &[b'x'; VALUE_BYTES])?;
    let reads = || server.wrk(lab, "/hot").connections(CONNECTIONS);
    figures.note("reads alone", reads().run()?.rate);
    let sets = server.wrk(lab, "").asks("set").with("BENCH_KEYS", KEYS);
    let sets = sets
        .connections(WRITERS)
        .seconds(lab.seconds + 2 * MARGIN_SECONDS);
    let sets = sets.start()?;
    std::thread::sleep(MARGIN);
    let load = reads().run()?;
    figures.note("reads beside sets", load.rate);
    figures.note("reads beside sets, p99", load.slowest);
    figures.note("sets beside reads", sets.finish()?.rate);
    server.stop()
}

fn bare(lab: &Lab, figures: &mut Figures) -> anyhow::Result<()> {
    let server = Peer::bare(lab)?;
    let reads = || server.wrk(lab).connections(CONNECTIONS);
    figures.note("bare axum alone", reads().run()?.rate);
    let folder = lab.folder()?;
    let seconds = lab.seconds + 2 * MARGIN_SECONDS;
    let mut appends = append(lab, &folder, VALUE_BYTES, WRITERS, seconds);
    let appends = appends.stdout(Stdio::piped()).spawn()?;
    std::thread::sleep(MARGIN);
    let load = reads().run();
    let output = appends.wait_with_output()?;
    figures.note("bare axum beside bare appends", load?.rate);
    let (rate, _) = read_appends(&String::from_utf8_lossy(&output.stdout))?;
    figures.note("bare appends beside reads", rate);
    Ok(())
}
