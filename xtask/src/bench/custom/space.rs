//! The disk that entries take, and opening them after a crash.

use std::time::Duration;

use anyhow::Context as _;

use crate::bench::catalogue::Contents;
use crate::bench::figures::Figures;
use crate::bench::lab::Lab;
use crate::bench::server::Server;
use crate::bench::stores::{copied, settle_disk};
use crate::sh;

/// The store that is killed, and connections that set its keys then.
const TEN_MILLION: &str = "ten-million";
const WRITERS: u32 = 128;

/// How long the store may take to give space back.
const SETTLE_SECONDS: u32 = 300;

/// A million entries, written four times over; the store stays open throughout.
pub(super) fn overwritten(lab: &Lab) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let folder = lab.folder()?;
    let mut load = Contents::of(lab, "million-of-1000-bytes")?.loader(lab, folder.path());
    load.args([
        "--times",
        "4",
        "--settle-seconds",
        &SETTLE_SECONDS.to_string(),
    ]);
    let report = sh::output(&mut load)?;
    let printed: Vec<f64> = report
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()
        .with_context(|| format!("what load prints: {report}"))?;
    let [payload, written, settled, seconds] = printed[..] else {
        anyhow::bail!("load prints four figures, not {report}");
    };
    figures.note("settled", settled / payload);
    figures.note("when written", written / payload);
    figures.note("milliseconds to settle", seconds * 1_000.0);
    Ok(figures)
}

/// Opening ten million keys after kill -9 in the midst of sets.
pub(super) fn open_killed(lab: &Lab) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let data = copied(lab, TEN_MILLION)?;
    let server = Server::start(lab, data.path())?;
    let keys = Contents::of(lab, TEN_MILLION)?.keys;
    let mut sets = server.wrk(lab, "", WRITERS).asks("set", keys);
    // Nobody reads what wrk says; its last requests are cut off.
    sets.seconds += 60;
    let sets = sets.generator().start()?;
    std::thread::sleep(Duration::from_secs(u64::from(lab.seconds)));
    server.kill()?;
    drop(sets);
    settle_disk()?;
    let server = Server::start(lab, data.path())?;
    figures.note("ready", server.ready_after());
    server.stop()?;
    Ok(figures)
}
