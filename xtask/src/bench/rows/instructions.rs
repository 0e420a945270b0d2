//! Instructions of one request, counted by valgrind: the steadiest measure of its cost.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use crate::bench::figures::Figures;
use crate::bench::http::Caller;
use crate::bench::lab::Lab;
use crate::bench::server::Server;

/// What one request costs is the difference of these two, so that starting and stopping fall
/// out.
const FEW: u32 = 200;
const MANY: u32 = 2_200;

const VALUE: [u8; 1_000] = [b'x'; 1_000];

/// A get of a hot key and a durable set, both of 1 KB over one connection.
pub(crate) fn count(lab: &Lab) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    if !lab.has("valgrind") {
        anyhow::bail!("valgrind is missing");
    }
    figures.note("get", each(lab, |caller, url| caller.get(url))?);
    figures.note("set", each(lab, |caller, url| caller.post(url, &VALUE))?);
    Ok(figures)
}

fn each(lab: &Lab, ask: impl Fn(&Caller, &str) -> anyhow::Result<Vec<u8>>) -> anyhow::Result<f64> {
    let few = run(lab, FEW, &ask)?;
    let many = run(lab, MANY, &ask)?;
    Ok((many - few) / f64::from(MANY - FEW))
}

/// Instructions of a server that is asked so many times.
fn run(
    lab: &Lab,
    times: u32,
    ask: impl Fn(&Caller, &str) -> anyhow::Result<Vec<u8>>,
) -> anyhow::Result<f64> {
    let data = lab.folder()?;
    let counted = data.path().join("callgrind.out");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--tool=callgrind"]);
    valgrind.arg(format!("--callgrind-out-file={}", counted.display()));
    let server = Server::start_below(lab, &data.path().join("data"), &mut valgrind)?;
    let (caller, url) = (server.caller(), server.kv("/hot"));
    caller.post(&url, &VALUE)?;
    for _ in 0..times {
        ask(&caller, &url)?;
    }
    server.stop()?;
    read(&counted)
}

/// The sum at the end of callgrind's file.
fn read(file: &Path) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(file)?;
    let total = text.lines().rev().find_map(|line| {
        let total = line
            .strip_prefix("totals:")
            .or(line.strip_prefix("summary:"))?;
        total.split_whitespace().next()?.parse().ok()
    });
    total.context("callgrind wrote no sum")
}
