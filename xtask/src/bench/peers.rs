//! What the server is measured beside: a bare one, nginx, Redis, etcd, and bare appends.

use std::process::Command;

use anyhow::{Context as _, ensure};

use super::http::Caller;
use super::lab::Lab;
use super::process::{Process, free_port};
use super::wrk::Wrk;
use crate::sh;

/// What a peer keeps under one key: as many bytes as ours.
pub(crate) const VALUE_BYTES: usize = 1_000;

/// Requests from which redis-benchmark's rate is guessed: it counts requests, not time.
const TRIAL_REQUESTS: u32 = 10_000;

/// A peer that speaks HTTP.
pub(crate) struct Peer {
    process: Process,
    url: String,
    _folder: Option<tempfile::TempDir>,
}

impl Peer {
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// The web framework with nothing behind it.
    pub(crate) fn bare(lab: &Lab) -> anyhow::Result<Self> {
        let (process, url) = Process::with_url(lab, &mut lab.own("bare-axum"))?;
        Ok(Self {
            process,
            url,
            _folder: None,
        })
    }

    /// The same with grouped appends behind its POST.
    pub(crate) fn appending(lab: &Lab) -> anyhow::Result<Self> {
        let folder = lab.folder()?;
        let mut bare = lab.own("bare-axum");
        bare.arg("--folder").arg(folder.path());
        let (process, url) = Process::with_url(lab, &mut bare)?;
        Ok(Self {
            process,
            url,
            _folder: Some(folder),
        })
    }

    /// nginx with one static file and nothing that slows it down.
    pub(crate) fn nginx(lab: &Lab) -> anyhow::Result<Self> {
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
        Ok(Self {
            process: Process::on_port(lab, &mut nginx, port)?,
            url: format!("http://127.0.0.1:{port}/hot"),
            _folder: Some(folder),
        })
    }

    /// A single etcd with one key, asked through its HTTP gateway.
    pub(crate) fn etcd(lab: &Lab) -> anyhow::Result<Self> {
        let folder = lab.folder()?;
        let (clients, peers) = (free_port()?, free_port()?);
        let client = format!("http://127.0.0.1:{clients}");
        let peer = format!("http://127.0.0.1:{peers}");
        let mut etcd = Command::new("etcd");
        etcd.arg("--data-dir").arg(folder.path());
        etcd.args([
            "--listen-client-urls",
            &client,
            "--advertise-client-urls",
            &client,
        ]);
        etcd.args([
            "--listen-peer-urls",
            &peer,
            "--initial-advertise-peer-urls",
            &peer,
        ]);
        etcd.args([
            "--initial-cluster",
            &format!("default={peer}"),
            "--log-level",
            "error",
        ]);
        let process = Process::on_port(lab, &mut etcd, clients)?;
        // "hot", and a value of 999 bytes, both in base64.
        let body = format!(
            r#"{{"key":"aG90","value":"{}"}}"#,
            "eHh4".repeat(VALUE_BYTES / 3)
        );
        // It listens before it has elected itself, and holds the request until then.
        Caller::anonymous().post(&format!("{client}/v3/kv/put"), body.as_bytes())?;
        Ok(Self {
            process,
            url: format!("{client}/v3/kv/range"),
            _folder: Some(folder),
        })
    }

    pub(crate) fn wrk(&self, lab: &Lab) -> Wrk {
        Wrk::new(self.url.clone(), lab.seconds)
    }
}

/// A Redis server that syncs every write before it answers.
pub(crate) struct Redis {
    _process: Process,
    port: String,
    _folder: tempfile::TempDir,
}

impl Redis {
    pub(crate) fn start(lab: &Lab) -> anyhow::Result<Self> {
        let folder = lab.folder()?;
        let port = free_port()?;
        let mut redis = Command::new("redis-server");
        redis.args([
            "--bind",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--save",
            "",
        ]);
        redis.args(["--appendonly", "yes", "--appendfsync", "always"]);
        redis.args([
            "--auto-aof-rewrite-percentage",
            "0",
            "--loglevel",
            "warning",
        ]);
        redis.arg("--dir").arg(folder.path());
        Ok(Self {
            _process: Process::on_port(lab, &mut redis, port)?,
            port: port.to_string(),
            _folder: folder,
        })
    }

    /// Gets of one key a second, over 64 connections.
    pub(crate) fn gets(&self, lab: &Lab) -> anyhow::Result<f64> {
        self.benchmark(&["-t", "set", "-c", "1"], 1)?;
        Ok(self.timed(lab, &["-t", "get", "-c", "64"])?.0)
    }

    /// Durable sets of random keys a second, over 128 connections, and their 99th percentile in
    /// milliseconds.
    pub(crate) fn sets(&self, lab: &Lab) -> anyhow::Result<(f64, f64)> {
        self.timed(lab, &["-t", "set", "-c", "128", "-r", "1000000"])
    }

    /// As many requests as take about as long as the other measurements.
    fn timed(&self, lab: &Lab, arguments: &[&str]) -> anyhow::Result<(f64, f64)> {
        let (mut rate, _) = self.benchmark(arguments, TRIAL_REQUESTS)?;
        let mut requests = lab.seconds * TRIAL_REQUESTS;
        while rate >= f64::from(TRIAL_REQUESTS) * 2.0 {
            rate /= 2.0;
            requests *= 2;
        }
        self.benchmark(arguments, requests)
    }

    fn benchmark(&self, arguments: &[&str], requests: u32) -> anyhow::Result<(f64, f64)> {
        let mut benchmark = Command::new("redis-benchmark");
        benchmark.args(["-n", &requests.to_string()]);
        benchmark.args(["-p", &self.port, "--csv", "-d", &VALUE_BYTES.to_string()]);
        let report = sh::output(benchmark.args(arguments))?;
        // It counts errors as answers, so the server is asked whether it gave any.
        let mut ask = Command::new("redis-cli");
        let errors = sh::output(ask.args(["-p", &self.port, "info", "errorstats"]))?;
        ensure!(
            !errors.contains("errorstat_"),
            "Redis answered errors: {errors}"
        );
        read(&report)
    }
}

/// The rate and the 99th percentile in redis-benchmark's CSV.
fn read(report: &str) -> anyhow::Result<(f64, f64)> {
    let mut lines = report
        .lines()
        .map(|line| line.split(',').map(|cell| cell.trim_matches('"')));
    let names: Vec<_> = lines
        .next()
        .context("redis-benchmark prints no names")?
        .collect();
    let cells: Vec<_> = lines
        .next()
        .context("redis-benchmark prints no figures")?
        .collect();
    let cell = |name: &str| {
        let place = names.iter().position(|other| *other == name);
        let cell = place.and_then(|place| cells.get(place));
        cell.with_context(|| format!("redis-benchmark prints no {name}: {report}"))
    };
    Ok((cell("rps")?.parse()?, cell("p99_latency_ms")?.parse()?))
}

/// Appends and syncs: records a second and their 99th percentile in milliseconds.
pub(crate) fn appends(
    lab: &Lab,
    bytes: usize,
    writers: u32,
    seconds: u32,
) -> anyhow::Result<(f64, f64)> {
    let folder = lab.folder()?;
    let report = sh::output(&mut append(lab, &folder, bytes, writers, seconds))?;
    read_appends(&report)
}

/// The same as a command, to run beside something else.
pub(crate) fn append(
    lab: &Lab,
    folder: &tempfile::TempDir,
    bytes: usize,
    writers: u32,
    seconds: u32,
) -> Command {
    let mut append = lab.own("bare-append");
    append.arg(folder.path());
    append.args([
        "--bytes",
        &bytes.to_string(),
        "--writers",
        &writers.to_string(),
    ]);
    append.args(["--seconds", &seconds.to_string()]);
    append
}

/// The two figures that it prints.
pub(crate) fn read_appends(report: &str) -> anyhow::Result<(f64, f64)> {
    let (rate, slowest) = report
        .trim()
        .split_once(' ')
        .context("bare-append prints two")?;
    Ok((rate.parse()?, slowest.parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_redis_are_found_by_their_names() {
        let report = "\"test\",\"rps\",\"avg_latency_ms\",\"p99_latency_ms\",\"max_latency_ms\"\n\
                      \"SET\",\"17391.30\",\"6.9\",\"11.607\",\"20.1\"\n";
        assert_eq!(read(report).unwrap(), (17_391.30, 11.607));
        assert!(read("\"test\"\n\"SET\"\n").is_err());
    }
}
