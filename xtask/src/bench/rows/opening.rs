//! Starting: with nothing, with ten million keys, and after a crash.

use std::time::Duration;

use crate::bench::figures::Figures;
use crate::bench::lab::Lab;
use crate::bench::server::Server;
use crate::bench::stores::{TEN_MILLION, copied, prepared, settle_disk};

/// Connections that set keys when the server is killed.
const WRITERS: u32 = 128;

/// How long an empty server stands idle before its memory is read.
const IDLE: Duration = Duration::from_secs(2);

/// An empty server that nobody asks.
pub(crate) fn idle(lab: &Lab) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let data = lab.folder()?;
    let server = Server::start(lab, data.path())?;
    figures.note("ready", server.ready_after());
    std::thread::sleep(IDLE);
    figures.note("memory", server.process().resident()?);
    server.stop()?;
    Ok(figures)
}

/// Ten million keys, after a stop in good order.
pub(crate) fn clean(lab: &Lab) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let data = prepared(lab, TEN_MILLION)?;
    Server::start(lab, &data)?.stop()?;
    let server = Server::start(lab, &data)?;
    figures.note("ready", server.ready_after());
    server.stop()?;
    Ok(figures)
}

/// Ten million keys, after kill -9 in the midst of sets.
pub(crate) fn killed(lab: &Lab) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let data = copied(lab, TEN_MILLION)?;
    let server = Server::start(lab, data.path())?;
    let sets = server.wrk(lab, "").asks("set").connections(WRITERS);
    let sets = sets.with("BENCH_KEYS", TEN_MILLION.scaled(lab).keys);
    // Nobody reads what wrk says; its last requests are cut off.
    let sets = sets.seconds(lab.seconds + 60).start()?;
    std::thread::sleep(Duration::from_secs(u64::from(lab.seconds)));
    server.kill()?;
    drop(sets);
    settle_disk()?;
    let server = Server::start(lab, data.path())?;
    figures.note("ready", server.ready_after());
    server.stop()?;
    Ok(figures)
}
