//! Programs that bear a load for some seconds and print how fast it was: wrk, bare appends, and whatever
//! else prints the requests a second and their 99th percentile in milliseconds.

use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};

use super::lab::Lab;
use crate::sh;

/// What a generator saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Speed {
    /// Requests a second.
    pub(crate) rate: f64,
    /// Half of the requests took no longer, in milliseconds; NaN where nobody says it.
    pub(crate) median: f64,
    /// 99 of 100 requests took no longer, in milliseconds.
    pub(crate) p99: f64,
}

/// A generator that is ready to start.
pub(crate) struct Generator {
    command: Command,
    read: fn(&str) -> anyhow::Result<Speed>,
}

/// One that runs; it is ended when this is dropped.
pub(crate) struct Running {
    child: Option<Child>,
    read: fn(&str) -> anyhow::Result<Speed>,
}

impl Generator {
    /// One that prints `RATE P99`.
    pub(crate) fn new(command: Command) -> Self {
        let read = read_pair;
        Self { command, read }
    }

    /// Appends to a file, synced in groups where there are several writers; without a server.
    pub(crate) fn appends(
        lab: &Lab,
        bytes: u64,
        writers: u32,
        seconds: u32,
    ) -> anyhow::Result<(Self, tempfile::TempDir)> {
        let folder = lab.folder()?;
        let mut command = lab.own("bare-append");
        command.arg(folder.path());
        let numbers = [("--writers", writers), ("--seconds", seconds)];
        for (option, number) in numbers {
            command.args([option, &number.to_string()]);
        }
        command.args(["--bytes", &bytes.to_string()]);
        Ok((Self::new(command), folder))
    }

    pub(crate) fn run(self) -> anyhow::Result<Speed> {
        self.start()?.finish()
    }

    /// Starts it beside something else.
    pub(crate) fn start(mut self) -> anyhow::Result<Running> {
        let command = self.command.stdout(Stdio::piped());
        let child = command.stderr(Stdio::inherit()).spawn();
        let child = child.with_context(|| format!("cannot start {:?}", self.command))?;
        Ok(Running {
            child: Some(child),
            read: self.read,
        })
    }
}

impl Running {
    /// Waits for its end.
    pub(crate) fn finish(mut self) -> anyhow::Result<Speed> {
        let child = self.child.take().context("a generator runs once")?;
        let output = child.wait_with_output()?;
        let printed = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{}: {printed}", output.status);
        (self.read)(&printed)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// wrk with one thread, some connections, and the demand that every answer is a success.
pub(crate) struct Wrk {
    pub(crate) url: String,
    pub(crate) seconds: u32,
    pub(crate) connections: u32,
    /// Sent to whatever is measured, so that all read the same headers.
    pub(crate) token: Option<String>,
    /// What `requests.lua` reads.
    script: Vec<(&'static str, String)>,
}

impl Wrk {
    pub(crate) fn new(url: String, seconds: u32, connections: u32) -> Self {
        Self {
            url,
            seconds,
            connections,
            token: None,
            script: Vec::new(),
        }
    }

    /// What `requests.lua` is to ask instead of the URL itself, and how many keys it chooses from.
    pub(crate) fn asks(self, what: &str, keys: u64) -> Self {
        self.with("BENCH_WHAT", what).with("BENCH_KEYS", keys)
    }

    /// A variable that `requests.lua` reads.
    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.script.push((name, value.to_string()));
        self
    }

    pub(crate) fn generator(self) -> Generator {
        let mut command = Command::new("wrk");
        command
            .args(["-t1", "--latency", "--timeout", "30s"])
            .arg(format!("-c{}", self.connections))
            .arg(format!("-d{}s", self.seconds));
        if let Some(token) = &self.token {
            command.arg("-H");
            command.arg(format!("Authorization: Bearer {token}"));
        }
        if !self.script.is_empty() {
            command.arg("-s");
            command.arg(sh::root().join("benches/requests.lua"));
            command.envs(self.script);
        }
        command.arg(self.url);
        let read = read_wrk;
        Generator { command, read }
    }

    pub(crate) fn run(self) -> anyhow::Result<Speed> {
        self.generator().run()
    }
}

/// Reads wrk's report, and demands that every request succeeded.
fn read_wrk(report: &str) -> anyhow::Result<Speed> {
    for trouble in ["Non-2xx", "Socket errors"] {
        ensure!(!report.contains(trouble), "not all went well: {report}");
    }
    let after = |label: &str| {
        let mut lines = report.lines().map(str::trim);
        let found = lines.find_map(|line| line.strip_prefix(label));
        found
            .map(str::trim)
            .with_context(|| format!("wrk prints no {label}: {report}"))
    };
    Ok(Speed {
        rate: after("Requests/sec:")?.parse()?,
        median: milliseconds(after("50%")?)?,
        p99: milliseconds(after("99%")?)?,
    })
}

/// wrk's times: `812.00us`, `3.20ms`, `1.05s`, `1.10m`.
fn milliseconds(text: &str) -> anyhow::Result<f64> {
    let units = [("us", 0.001), ("ms", 1.0), ("s", 1_000.0), ("m", 60_000.0)];
    let found = units.iter().find_map(|(unit, worth)| {
        let number = text.strip_suffix(unit)?;
        Some(number.parse::<f64>().ok()? * worth)
    });
    found.with_context(|| format!("no time: {text}"))
}

fn read_pair(report: &str) -> anyhow::Result<Speed> {
    let pair = report.trim().split_once(' ');
    let (rate, p99) = pair.with_context(|| format!("RATE P99 is wanted, not {report:?}"))?;
    let speed = Speed {
        rate: rate.parse()?,
        median: f64::NAN,
        p99: p99.parse()?,
    };
    ensure!(speed.rate > 0.0, "the generator got nowhere");
    Ok(speed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "Running 1s test @ http://127.0.0.1:1/
  1 threads and 2 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   100.00us   50.00us   1.02ms   91.00%
  Latency Distribution
     50%  812.00us
     75%    1.00ms
     90%    2.00ms
     99%    1.05s
  100 requests in 1.00s, 1.00MB read
Requests/sec:  12345.67
Transfer/sec:      1.00MB
";

    #[test]
    fn a_report_is_read_with_its_units() {
        let speed = read_wrk(REPORT).unwrap();
        assert_eq!((speed.rate, speed.p99), (12_345.67, 1_050.0));
        assert!((speed.median - 0.812).abs() < 1e-9);
        let speed = read_pair("1234 5.678\n").unwrap();
        assert_eq!((speed.rate, speed.p99), (1_234.0, 5.678));
        assert!(read_pair("0 0.1").is_err());
    }

    #[test]
    fn an_answer_that_is_no_success_fails_the_measurement() {
        let failed = REPORT.replace(
            "Requests/sec",
            "  Non-2xx or 3xx responses: 1\nRequests/sec",
        );
        assert!(
            read_wrk(&failed)
                .unwrap_err()
                .to_string()
                .contains("Non-2xx")
        );
        let broken = format!("{REPORT}  Socket errors: connect 0, read 1, write 0, timeout 0\n");
        assert!(read_wrk(&broken).is_err());
    }
}
