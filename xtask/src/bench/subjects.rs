//! What is measured: the server, and beside it a bare one, nginx, etcd, Redis and NATS.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::catalogue::Subject;
use super::generators::{Generator, Speed};
use super::http::Caller;
use super::lab::Lab;
use super::process::{Process, free_port};
use super::server::Server;
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
    /// Where it is asked; of Redis the port alone.
    url: String,
    /// What follows the URL of the one key that is there.
    hot: &'static str,
    /// It is sent a token as the server is, so that it reads as many headers.
    takes_token: bool,
    _folder: tempfile::TempDir,
}

impl Started {
    /// The server on a data folder, or a peer in a folder of its own.
    pub(crate) fn start(lab: &Lab, subject: Subject, data: &Path) -> anyhow::Result<Self> {
        Ok(Self::Peer(match subject {
            Subject::Ours => return Ok(Self::Ours(Server::start(lab, data)?)),
            Subject::Nobody => return Ok(Self::Nobody),
            Subject::Bare => bare(lab, false)?,
            Subject::BareAppending => bare(lab, true)?,
            Subject::Nginx => nginx(lab)?,
            Subject::Etcd => etcd(lab)?,
            Subject::Redis => redis(lab)?,
            Subject::Nats => nats(lab)?,
        }))
    }

    pub(crate) fn process(&self) -> anyhow::Result<&Process> {
        match self {
            Self::Ours(server) => Ok(server.process()),
            Self::Peer(peer) => Ok(&peer.process),
            Self::Nobody => anyhow::bail!("nothing runs"),
        }
    }

    /// Where it is asked for keys, and what follows that for the one key.
    pub(crate) fn urls(&self) -> (String, &'static str) {
        match self {
            Self::Ours(server) => (server.kv(""), "/hot"),
            Self::Peer(peer) => (peer.url.clone(), peer.hot),
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
pub(crate) fn lacking(lab: &Lab, subject: Subject) -> Option<String> {
    let programs: &[_] = match subject {
        Subject::Ours | Subject::Bare | Subject::BareAppending | Subject::Nobody => &[],
        Subject::Nginx => &["nginx"],
        Subject::Etcd => &["etcd"],
        Subject::Redis => &["redis-server", "redis-benchmark"],
        Subject::Nats => return python::nats().err().map(|error| error.to_string()),
    };
    let missing = programs.iter().find(|program| !lab.has(program))?;
    Some(format!("{missing} is missing"))
}

/// hyper with nothing behind it, or with grouped appends behind its POST and PUT.
fn bare(lab: &Lab, appends: bool) -> anyhow::Result<Peer> {
    let folder = lab.folder()?;
    let mut bare = lab.own("bare-server");
    if appends {
        bare.arg("--folder").arg(folder.path());
    }
    let (process, url) = Process::with_url(lab, &mut bare)?;
    Ok(Peer {
        process,
        url: url.trim_end_matches('/').to_owned(),
        hot: "/",
        takes_token: true,
        _folder: folder,
    })
}

/// nginx with one static file and nothing that slows it down.
fn nginx(lab: &Lab) -> anyhow::Result<Peer> {
    let folder = lab.folder()?;
    let home = folder.path().display();
    let port = free_port()?;
    std::fs::write(folder.path().join("hot"), "x".repeat(VALUE_BYTES))?;
    let configuration = format!(
        "user root;\nworker_processes 2;\nworker_cpu_affinity auto;\ndaemon off;\n\
         pid {home}/pid;\nerror_log {home}/error.log crit;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n  access_log off;\n  sendfile on;\n  tcp_nopush on;\n  tcp_nodelay on;\n\
         keepalive_requests 1000000000;\n  open_file_cache max=100 inactive=1h;\n  \
         open_file_cache_valid 1h;\n  server {{ listen 127.0.0.1:{port}; root {home}; }}\n}}\n"
    );
    let file = folder.path().join("nginx.conf");
    std::fs::write(&file, configuration)?;
    let mut nginx = Command::new("nginx");
    nginx.arg("-p").arg(folder.path()).arg("-c").arg(&file);
    Ok(Peer {
        process: Process::on_port(lab, &mut nginx, port)?,
        url: format!("http://127.0.0.1:{port}"),
        hot: "/hot",
        takes_token: true,
        _folder: folder,
    })
}

/// A single etcd with one key, asked through its HTTP gateway.
fn etcd(lab: &Lab) -> anyhow::Result<Peer> {
    let folder = lab.folder()?;
    let (clients, peers) = (free_port()?, free_port()?);
    let client = format!("http://127.0.0.1:{clients}");
    let peer = format!("http://127.0.0.1:{peers}");
    let mut etcd = Command::new("etcd");
    etcd.arg("--data-dir").arg(folder.path());
    for option in ["--listen-client-urls", "--advertise-client-urls"] {
        etcd.args([option, &client]);
    }
    for option in ["--listen-peer-urls", "--initial-advertise-peer-urls"] {
        etcd.args([option, &peer]);
    }
    etcd.args(["--initial-cluster", &format!("default={peer}")]);
    etcd.args(["--log-level", "error"]);
    let process = Process::on_port(lab, &mut etcd, clients)?;
    // "hot", and a value of 999 bytes, both in base64.
    let value = "eHh4".repeat(VALUE_BYTES / 3);
    let body = format!(r#"{{"key":"aG90","value":"{value}"}}"#);
    // It listens before it has elected itself, and holds the request until then.
    Caller::anonymous().post(&format!("{client}/v3/kv/put"), body.as_bytes())?;
    Ok(Peer {
        process,
        url: format!("{client}/v3/kv"),
        hot: "",
        takes_token: false,
        _folder: folder,
    })
}

/// A Redis server that syncs every write before it answers.
fn redis(lab: &Lab) -> anyhow::Result<Peer> {
    let folder = lab.folder()?;
    let port = free_port()?;
    let mut redis = Command::new("redis-server");
    redis.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
    redis.args(["--save", "", "--appendonly", "yes"]);
    redis.args(["--appendfsync", "always"]);
    redis.args(["--auto-aof-rewrite-percentage", "0"]);
    redis.args(["--loglevel", "warning", "--dir"]);
    redis.arg(folder.path());
    Ok(Peer {
        process: Process::on_port(lab, &mut redis, port)?,
        url: port.to_string(),
        hot: "",
        takes_token: false,
        _folder: folder,
    })
}

/// A NATS server that syncs every message of a stream before it acknowledges it.
fn nats(lab: &Lab) -> anyhow::Result<Peer> {
    let folder = lab.folder()?;
    let port = free_port()?;
    let configuration = format!(
        "listen: 127.0.0.1:{port}\njetstream {{ store_dir: {:?}, sync_interval: always }}\n",
        folder.path()
    );
    let file = folder.path().join("nats.conf");
    std::fs::write(&file, configuration)?;
    let mut nats = Command::new(python::nats()?.with_file_name("nats-server"));
    nats.arg("-c").arg(&file);
    Ok(Peer {
        process: Process::on_port(lab, &mut nats, port)?,
        url: format!("nats://127.0.0.1:{port}"),
        hot: "",
        takes_token: false,
        _folder: folder,
    })
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
    let mut rate = redis_benchmark(port, arguments, TRIAL_REQUESTS)?.rate;
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
    Ok(Speed {
        rate: cell("rps")??,
        median: cell("p50_latency_ms")??,
        p99: cell("p99_latency_ms")??,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_redis_are_found_by_their_names() {
        let report = "\"test\",\"rps\",\"p50_latency_ms\",\"p99_latency_ms\",\"max_latency_ms\"\n\
                      \"SET\",\"17391.30\",\"6.9\",\"11.607\",\"20.1\"\n";
        let speed = read_redis(report).unwrap();
        assert_eq!((speed.rate, speed.p99), (17_391.30, 11.607));
        assert!(read_redis("\"test\"\n\"SET\"\n").is_err());
    }
}
