//! Measures the program beside what limits it, in the same run, and writes docs/benchmarks.md.
//!
//! Speeds on shared machines drift; what counts is the ratio within one run. Each row is measured
//! in rounds, the rows taking turns, and its median is written down.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};

use crate::sh;

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Rounds; the median of them is written down.
    #[arg(long, default_value_t = 3)]
    rounds: usize,

    /// Seconds for each measurement.
    #[arg(long, default_value_t = 5)]
    seconds: u32,
}

/// One line of the table.
struct Row {
    what: &'static str,
    unit: &'static str,
    figures: Vec<f64>,
    /// The row that it is compared with.
    against: Option<&'static str>,
}

const BARE_GET: &str = "GET, bare axum server, 64 connections";
const BARE_APPEND: &str = "append of 1 KB + fdatasync in groups of 128";
const BARE_APPEND_ONE: &str = "append of 1 KB + fdatasync, one by one";

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    if !sh::has("wrk") {
        sh::apt_install(&["wrk"])?;
    }
    sh::run(sh::cargo().args([
        "build",
        "--release",
        "-p",
        "prominence",
        "-p",
        "prominence-bench",
    ]))?;
    let bench = Bench::start(options)?;
    bench.fill()?;
    let mut rows = rows();
    for round in 1..=options.rounds {
        for row in &mut rows {
            let figure = bench.measure(row.what).with_context(|| row.what)?;
            println!("round {round}: {}: {figure:.0} {}", row.what, row.unit);
            row.figures.push(figure);
        }
    }
    let page = sh::root().join("docs/benchmarks.md");
    std::fs::write(&page, report(options, &rows)?)?;
    println!("wrote {}", page.display());
    Ok(())
}

fn rows() -> Vec<Row> {
    let row = |what, unit, against| Row {
        what,
        unit,
        figures: Vec::new(),
        against,
    };
    vec![
        row(BARE_GET, "/s", None),
        row(
            "GET of one key of 1 KB, 64 connections",
            "/s",
            Some(BARE_GET),
        ),
        row("list of 1,000 keys, 16 connections", "/s", None),
        row(BARE_APPEND, "/s", None),
        row(
            "durable set of 1 KB, 128 connections",
            "/s",
            Some(BARE_APPEND),
        ),
        row(BARE_APPEND_ONE, "/s", None),
        row(
            "durable set of 1 KB, 1 connection",
            "/s",
            Some(BARE_APPEND_ONE),
        ),
        row("`prominence kv get`, whole process", "ms", None),
        row("the server's resident memory", "MB", None),
    ]
}

/// The servers that are measured.
struct Bench {
    seconds: u32,
    folder: tempfile::TempDir,
    server: Child,
    url: String,
    token: String,
    bare: Child,
    bare_url: String,
}

impl Drop for Bench {
    fn drop(&mut self) {
        for child in [&mut self.server, &mut self.bare] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Bench {
    fn start(options: &Options) -> anyhow::Result<Self> {
        // Below the build folder, because a temporary folder may be in memory.
        let folder = tempfile::tempdir_in(sh::root().join("target"))?;
        let data = folder.path().join("data");
        let mut serve = Command::new(built("prominence"));
        serve
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&data);
        let (server, url) = listen(&mut serve)?;
        let mut mint = Command::new(built("prominence"));
        mint.args(["token", "create", "--user", "bench", "--data-dir"])
            .arg(&data);
        let token = sh::output(&mut mint)?.trim().to_owned();
        let (bare, bare_url) = listen(&mut Command::new(built("bare-axum")))?;
        Ok(Self {
            seconds: options.seconds,
            folder,
            server,
            url,
            token,
            bare,
            bare_url,
        })
    }

    /// The keys that are read.
    fn fill(&self) -> anyhow::Result<()> {
        let value = "x".repeat(1_000);
        self.client(&["kv", "set", "/hot", "--string", &value])?;
        for number in 0..1_000 {
            self.client(&["kv", "set", &format!("/list/{number:04}"), "--string", "x"])?;
        }
        Ok(())
    }

    fn measure(&self, what: &str) -> anyhow::Result<f64> {
        let kv = |path: &str| format!("{}/kv{path}", self.url);
        match what {
            BARE_GET => self.wrk(&self.bare_url, 64, None),
            BARE_APPEND => self.append(128),
            BARE_APPEND_ONE => self.append(1),
            "GET of one key of 1 KB, 64 connections" => self.wrk(&kv("/hot"), 64, None),
            "list of 1,000 keys, 16 connections" => self.wrk(&kv("/list/?list"), 16, None),
            "durable set of 1 KB, 128 connections" => self.wrk(&kv(""), 128, Some("set.lua")),
            "durable set of 1 KB, 1 connection" => self.wrk(&kv(""), 1, Some("set.lua")),
            "`prominence kv get`, whole process" => self.start_up(),
            "the server's resident memory" => self.resident(),
            other => bail!("nothing measures {other}"),
        }
    }

    /// Requests a second; every one of them has to succeed.
    fn wrk(&self, url: &str, connections: u32, script: Option<&str>) -> anyhow::Result<f64> {
        let mut wrk = Command::new("wrk");
        wrk.args([
            "-t1",
            &format!("-c{connections}"),
            &format!("-d{}s", self.seconds),
        ]);
        wrk.args(["-H", &format!("Authorization: Bearer {}", self.token)]);
        if let Some(script) = script {
            wrk.arg("-s").arg(sh::root().join("benches").join(script));
        }
        let report = sh::output(wrk.arg(url))?;
        ensure!(
            !report.contains("Non-2xx"),
            "some answers were no success: {report}"
        );
        ensure!(
            !report.contains("Socket errors"),
            "some connections failed: {report}"
        );
        let line = report
            .lines()
            .find_map(|line| line.strip_prefix("Requests/sec:"));
        Ok(line.context("wrk prints its rate")?.trim().parse()?)
    }

    fn append(&self, group: usize) -> anyhow::Result<f64> {
        let mut append = Command::new(built("bare-append"));
        append
            .arg(self.folder.path())
            .args(["1000", &group.to_string()]);
        Ok(sh::output(&mut append)?.trim().parse()?)
    }

    /// Milliseconds of the whole process: the median of many.
    fn start_up(&self) -> anyhow::Result<f64> {
        let mut times = Vec::new();
        for _ in 0..50 {
            let started = Instant::now();
            self.client(&["kv", "get", "/hot"])?;
            times.push(started.elapsed().as_secs_f64() * 1_000.0);
        }
        Ok(median(&times))
    }

    fn resident(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.server.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes: f64 = line
            .context("VmRSS")?
            .trim()
            .trim_end_matches(" kB")
            .trim()
            .parse()?;
        Ok(kilobytes / 1_000.0)
    }

    fn client(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut client = Command::new(built("prominence"));
        client
            .env("PROMINENCE_URL", &self.url)
            .env("PROMINENCE_TOKEN", &self.token);
        sh::output(client.args(arguments))
    }
}

fn built(program: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let target = target.map_or_else(|| sh::root().join("target"), PathBuf::from);
    target.join("release").join(program)
}

/// Starts a server and waits for the line with its address.
fn listen(command: &mut Command) -> anyhow::Result<(Child, String)> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let output = child.stdout.take().context("standard output")?;
    for line in BufReader::new(output).lines() {
        let line = line?;
        if let Some(at) = line.find("http://") {
            let url = line[at..]
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned();
            return Ok((child, url));
        }
    }
    let _ = child.kill();
    bail!("{command:?} did not say where it listens")
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn report(options: &Options, rows: &[Row]) -> anyhow::Result<String> {
    let mut page = String::from(
        "# Benchmarks\n\nWritten by `cargo xtask bench`, which anyone can run again; do not edit \
         by hand.\n\nSpeeds on shared machines drift by half from hour to hour. What counts is \
         the ratio to what limits a row, measured in the same run on the same machine, with the \
         load generator (wrk, one thread) on that machine too.\n\n",
    );
    writeln!(
        page,
        "{} rounds of {} s each; medians. {}\n",
        options.rounds,
        options.seconds,
        machine()?
    )?;
    page.push_str(
        "| what | median | lowest | highest | ratio |\n| --- | --- | --- | --- | --- |\n",
    );
    for row in rows {
        let own = median(&row.figures);
        let lowest = row.figures.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = row.figures.iter().copied().fold(0.0, f64::max);
        let limit = row
            .against
            .and_then(|name| rows.iter().find(|other| other.what == name));
        let ratio = limit.map_or_else(String::new, |limit| {
            format!("{:.2} of \"{}\"", own / median(&limit.figures), limit.what)
        });
        let show = |figure: f64| {
            if figure < 100.0 {
                format!("{figure:.1}")
            } else {
                format!("{figure:.0}")
            }
        };
        let unit = row.unit;
        writeln!(
            page,
            "| {} | {} {unit} | {} | {} | {ratio} |",
            row.what,
            show(own),
            show(lowest),
            show(highest)
        )?;
    }
    Ok(page)
}

/// What the figures were measured on.
fn machine() -> anyhow::Result<String> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or(": unknown");
    let memory = std::fs::read_to_string("/proc/meminfo")?;
    let total = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .unwrap_or("0 kB");
    let kilobytes: u64 = total
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap_or_default();
    let cores = std::thread::available_parallelism()?;
    let kernel = std::fs::read_to_string(Path::new("/proc/sys/kernel/osrelease"))?;
    Ok(format!(
        "Machine: {cores} cores ({}), {} GB of memory, Linux {}.",
        model.trim_start_matches([':', ' ', '\t']),
        kilobytes / 1_000_000,
        kernel.trim()
    ))
}
