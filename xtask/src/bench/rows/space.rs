//! Disk and memory.

use anyhow::Context as _;

use crate::bench::figures::Figures;
use crate::bench::lab::Lab;
use crate::bench::rows::reads::CONNECTIONS;
use crate::bench::server::Server;
use crate::bench::stores::{Contents, KILOBYTES, TEN_MILLION, disk, prepared};
use crate::sh;

/// How long the store may take to give space back.
const SETTLE_SECONDS: u32 = 300;

/// A million entries, written four times over; the store stays open throughout.
pub(crate) fn overwritten(lab: &Lab) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let folder = lab.folder()?;
    let mut load = KILOBYTES.scaled(lab).loader(lab, folder.path());
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

/// Ten million small entries.
pub(crate) fn small(lab: &Lab) -> anyhow::Result<Figures> {
    each_key(lab, TEN_MILLION)
}

/// A million entries of 1 KB.
pub(crate) fn kilobytes(lab: &Lab) -> anyhow::Result<Figures> {
    each_key(lab, KILOBYTES)
}

/// Memory just after opening and after random reads, and disk, for each key.
fn each_key(lab: &Lab, contents: Contents) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let keys = contents.scaled(lab).keys;
    let count = f64::from(u32::try_from(keys)?);
    let data = prepared(lab, contents)?;
    let server = Server::start(lab, &data)?;
    let opened = server.process().resident()?;
    let gets = server.wrk(lab, "").asks("get").with("BENCH_KEYS", keys);
    gets.connections(CONNECTIONS).run()?;
    let used = server.process().resident()?;
    figures.note("memory when opened", opened);
    figures.note("memory after reads", used);
    figures.note("memory for each key", used * 1_048_576.0 / count);
    figures.note("disk for each key", disk(&data)? / count);
    server.stop()?;
    Ok(figures)
}
