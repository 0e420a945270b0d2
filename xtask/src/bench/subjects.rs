//! What is measured: the server, and beside it the peers that `rows.toml` describes.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::catalogue::{self, Measure};
use super::generators::{Generator, Speed};
use super::http::Caller;
use super::lab::Lab;
use super::process::{Process, free_port};
use super::server::{Additions, Server};
use crate::{python, sh};

/// What each keeps under its one key.
pub(crate) const VALUE_BYTES: usize = 1_000;

/// Requests from which redis-benchmark's rate is guessed: it counts requests, not time.
const TRIAL_REQUESTS: u32 = 10_000;

/// Something that runs and can be asked; it is ended when this is dropped.
pub(crate) enum Started {
    Ours(Server),
    Peer(Peer),
    Nobody,
}

/// A peer that runs.
pub(crate) struct Peer {
    process: Process,
    url: String,
    hot: String,
    takes_token: bool,
    _folder: tempfile::TempDir,
}

impl Started {
    /// The server on a data folder, or a peer in a folder of its own.
    pub(crate) fn start(
        lab: &Lab,
        subject: &str,
        data: &Path,
        additions: &Additions,
    ) -> anyhow::Result<Self> {
        match subject {
            "ours" => Ok(Self::Ours(Server::start_with(lab, data, additions)?)),
            "nobody" => Ok(Self::Nobody),
            peer => {
                let peer = lab.catalogue.peers.get(peer).context("no such peer")?;
                Ok(Self::Peer(peer.start(lab, additions)?))
            }
        }
    }

    /// Lets it end in good order.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        match self {
            Self::Ours(server) => server.stop(),
            // Peers end as they like.
            Self::Peer(peer) => peer.process.stop().map(drop),
            Self::Nobody => Ok(()),
        }
    }

    pub(crate) fn process(&self) -> anyhow::Result<&Process> {
        match self {
            Self::Ours(server) => Ok(server.process()),
            Self::Peer(peer) => Ok(&peer.process),
            Self::Nobody => anyhow::bail!("nothing runs"),
        }
    }

    /// Where it is asked for keys, and what follows that for the one key.
    pub(crate) fn urls(&self) -> (String, &str) {
        match self {
            Self::Ours(server) => (server.kv(""), "/hot"),
            Self::Peer(peer) => (peer.url.clone(), &peer.hot),
            Self::Nobody => (String::new(), ""),
        }
    }

    /// The token that is sent to it.
    pub(crate) fn token<'a>(&'a self, lab: &'a Lab) -> Option<&'a str> {
        match self {
            Self::Ours(server) => Some(server.token()),
            Self::Peer(peer) if peer.takes_token => Some(&lab.token),
            Self::Peer(_) | Self::Nobody => None,
        }
    }
}

/// Why a subject can't be measured here, where that is so.
pub(crate) fn lacking(lab: &Lab, subject: &str) -> Option<String> {
    let peer = lab.catalogue.peers.get(subject)?;
    if peer.uses(NATS) {
        return python::nats().err().map(|error| error.to_string());
    }
    let missing = peer.needs.iter().find(|program| !lab.has(program))?;
    Some(format!("{missing} is missing"))
}

/// The folder of the programs that come with the client of NATS.
const NATS: &str = "{nats}";

impl catalogue::Peer {
    /// Starts it in a folder of its own, and waits until it can be asked.
    fn start(&self, lab: &Lab, additions: &Additions) -> anyhow::Result<Peer> {
        let folder = lab.folder()?;
        let (port, second_port) = (free_port()?, free_port()?);
        let mut names = vec![
            ("{home}", folder.path().display().to_string()),
            ("{port}", port.to_string()),
            ("{second-port}", second_port.to_string()),
            ("{value}", "x".repeat(VALUE_BYTES)),
            // A byte less than that, in base64.
            ("{base64}", "eHh4".repeat(VALUE_BYTES / 3)),
        ];
        if self.uses(NATS) {
            let programs = python::nats()?.with_file_name("");
            names.push((NATS, programs.display().to_string()));
        }
        let filled = |text: &str| {
            let names = names.iter();
            names.fold(text.to_owned(), |text, (name, value)| {
                text.replace(name, value)
            })
        };
        for (name, text) in &self.files {
            std::fs::write(folder.path().join(name), filled(text))?;
        }
        let (program, arguments) = self.command.split_first().context("no command")?;
        let mut command = match self.is_own {
            true => lab.own_below(&additions.before, program),
            false => Command::new(filled(program)),
        };
        command.args(arguments.iter().map(|argument| filled(argument)));
        let (process, url) = match &self.url {
            Some(url) => (Process::on_port(lab, &mut command, port)?, filled(url)),
            None => Process::with_url(lab, &mut command)?,
        };
        let url = url.trim_end_matches('/').to_owned();
        if let Some((path, body)) = &self.first {
            let caller = Caller::anonymous();
            caller.post(&format!("{url}{path}"), filled(body).as_bytes())?;
        }
        Ok(Peer {
            process,
            url,
            hot: self.hot.clone(),
            takes_token: self.takes_token,
            _folder: folder,
        })
    }

    fn uses(&self, name: &str) -> bool {
        self.command.iter().any(|word| word.contains(name))
    }
}

/// Puts of random keys into a bucket of NATS, so many at a time.
pub(crate) fn nats_puts(url: &str, at_once: u32, seconds: u32) -> anyhow::Result<Generator> {
    let mut puts = Command::new(python::nats()?);
    puts.arg(sh::root().join("benches/nats_puts.py")).arg(url);
    puts.args([at_once.to_string(), seconds.to_string()]);
    Ok(Generator::new(puts))
}

/// Gets of one key of Redis over 64 connections.
pub(crate) fn redis_gets(port: &str, seconds: u32) -> anyhow::Result<Speed> {
    redis_benchmark(port, &["-t", "set", "-c", "1"], 1)?;
    redis_timed(port, seconds, &["-t", "get", "-c", "64"])
}

/// Durable sets of random keys of Redis over 128 connections.
pub(crate) fn redis_sets(port: &str, seconds: u32) -> anyhow::Result<Speed> {
    redis_timed(port, seconds, &["-t", "set", "-c", "128", "-r", "1000000"])
}

/// As many requests as take about as long as the other measurements.
fn redis_timed(port: &str, seconds: u32, arguments: &[&str]) -> anyhow::Result<Speed> {
    let mut rate = redis_benchmark(port, arguments, TRIAL_REQUESTS)?[&Measure::Rate];
    let mut requests = seconds * TRIAL_REQUESTS;
    while rate >= f64::from(TRIAL_REQUESTS) * 2.0 {
        rate /= 2.0;
        requests *= 2;
    }
    redis_benchmark(port, arguments, requests)
}

fn redis_benchmark(port: &str, arguments: &[&str], requests: u32) -> anyhow::Result<Speed> {
    let mut benchmark = Command::new("redis-benchmark");
    benchmark.args(["-n", &requests.to_string(), "-p", port, "--csv"]);
    benchmark.args(["-d", &VALUE_BYTES.to_string()]);
    let report = sh::output(benchmark.args(arguments))?;
    // It counts errors as answers, so the server is asked whether it gave any.
    let mut ask = Command::new("redis-cli");
    let errors = sh::output(ask.args(["-p", port, "info", "errorstats"]))?;
    let is_fine = !errors.contains("errorstat_");
    ensure!(is_fine, "Redis answered errors: {errors}");
    read_redis(&report)
}

/// The rate and the percentiles in redis-benchmark's CSV.
fn read_redis(report: &str) -> anyhow::Result<Speed> {
    let mut lines = report
        .lines()
        .map(|line| line.split(',').map(|cell| cell.trim_matches('"')));
    let (Some(names), Some(cells)) = (lines.next(), lines.next()) else {
        anyhow::bail!("redis-benchmark prints no figures: {report}");
    };
    let cells: Vec<_> = names.zip(cells).collect();
    let cell = |name: &str| {
        let cell = cells.iter().find(|(other, _)| *other == name);
        let cell = cell.map(|(_, cell)| cell.parse::<f64>());
        cell.with_context(|| format!("redis-benchmark prints no {name}: {report}"))
    };
    Ok(Speed::from([
        (Measure::Rate, cell("rps")??),
        (Measure::Median, cell("p50_latency_ms")??),
        (Measure::P99, cell("p99_latency_ms")??),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_redis_are_found_by_their_names() {
        let report = "\"test\",\"rps\",\"p50_latency_ms\",\"p99_latency_ms\",\"max_latency_ms\"\n\
                      \"SET\",\"17391.30\",\"6.9\",\"11.607\",\"20.1\"\n";
        let speed = read_redis(report).unwrap();
        assert_eq!(
            (speed[&Measure::Rate], speed[&Measure::P99]),
            (17_391.30, 11.607)
        );
        assert!(read_redis("\"test\"\n\"SET\"\n").is_err());
    }
}
