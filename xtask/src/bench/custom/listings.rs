//! Listings of everything and of one level.

use anyhow::ensure;

use crate::bench::catalogue::Contents;
use crate::bench::figures::Figures;
use crate::bench::lab::Lab;
use crate::bench::server::Server;
use crate::bench::stores::prepared;

/// The store that is listed, and its folders.
const STORE: &str = "hundred-folders";
const LEVEL_FOLDERS: u64 = 100;

/// Keys on the largest page.
const PAGE_KEYS: usize = 10_000;

/// Every key of a million, streamed to one reader.
pub(super) fn everything(lab: &Lab) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let keys = Contents::of(lab, STORE)?.keys;
    let server = Server::start(lab, &prepared(lab, STORE)?)?;
    let (caller, url) = (server.caller(), server.kv("/k/?list"));
    read_in_pages(&server, keys)?;
    server.process().forget_peak()?;
    let before = server.process().resident()?;
    let started = std::time::Instant::now();
    let streamed = caller.stream(&url)?;
    let seconds = started.elapsed().as_secs_f64();
    ensure!(
        streamed.lines == keys,
        "{} of {keys} keys came",
        streamed.lines
    );
    figures.note("growth", (server.process().peak()? - before).max(0.0));
    figures.note("first byte", streamed.first_byte.as_secs_f64() * 1_000.0);
    figures.note("rate", f64::from(u32::try_from(keys)?) / seconds);
    server.stop()?;
    Ok(figures)
}

/// Reads every key in pages, so that the cache, which has a limit of its own, is full and doesn't
/// count as growth. One long listing would not do: what it grew by might never be given back,
/// and the next one would seem to need nothing.
fn read_in_pages(server: &Server, keys: u64) -> anyhow::Result<()> {
    let caller = server.caller();
    for number in (0..keys).step_by(PAGE_KEYS) {
        let folder = number * LEVEL_FOLDERS / keys;
        let after = format!("/k/{folder:02}/{number:08}");
        caller.get(&server.kv(&format!("/k/?list&limit={PAGE_KEYS}&after={after}")))?;
    }
    Ok(())
}

/// One level above a million keys in a hundred folders.
pub(super) fn level(lab: &Lab) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let server = Server::start(lab, &prepared(lab, STORE)?)?;
    let path = "/k/?list&delimiter=/";
    let streamed = server.caller().stream(&server.kv(path))?;
    let folders = streamed.lines;
    ensure!(
        folders == LEVEL_FOLDERS,
        "{folders} of {LEVEL_FOLDERS} folders came"
    );
    let speed = server.wrk(lab, path, 1).run()?;
    figures.note("ours", speed.median);
    figures.note("ours, p99", speed.p99);
    server.stop()?;
    Ok(figures)
}
