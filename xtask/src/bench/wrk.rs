//! wrk, the load generator: one thread, some connections, every answer a success.

use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::sh;

/// One measurement to make.
pub(crate) struct Wrk {
    url: String,
    seconds: u32,
    connections: u32,
    token: Option<String>,
    script: Vec<(&'static str, String)>,
}

/// What wrk saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Load {
    /// Requests a second.
    pub(crate) rate: f64,
    /// Half of the requests took no longer, in milliseconds.
    pub(crate) median: f64,
    /// 99 of 100 requests took no longer, in milliseconds.
    pub(crate) slowest: f64,
}

/// A measurement that is under way.
pub(crate) struct Running(Option<Child>);

impl Wrk {
    pub(crate) fn new(url: String, seconds: u32) -> Self {
        Self {
            url,
            seconds,
            connections: 64,
            token: None,
            script: Vec::new(),
        }
    }

    pub(crate) fn connections(mut self, connections: u32) -> Self {
        self.connections = connections;
        self
    }

    pub(crate) fn seconds(mut self, seconds: u32) -> Self {
        self.seconds = seconds;
        self
    }

    /// Sent to whatever is measured, so that all read the same headers.
    pub(crate) fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// What `requests.lua` is to ask instead of the URL itself; see there.
    pub(crate) fn asks(self, what: &str) -> Self {
        self.with("BENCH_WHAT", what)
    }

    /// A variable that `requests.lua` reads.
    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.script.push((name, value.to_string()));
        self
    }

    pub(crate) fn run(self) -> anyhow::Result<Load> {
        self.start()?.finish()
    }

    /// Starts it beside something else.
    pub(crate) fn start(self) -> anyhow::Result<Running> {
        let mut wrk = Command::new("wrk");
        wrk.args(["-t1", "--latency", "--timeout", "30s"])
            .arg(format!("-c{}", self.connections))
            .arg(format!("-d{}s", self.seconds));
        if let Some(token) = &self.token {
            wrk.arg("-H").arg(format!("Authorization: Bearer {token}"));
        }
        if !self.script.is_empty() {
            wrk.arg("-s").arg(sh::root().join("benches/requests.lua"));
            wrk.envs(self.script.iter().map(|(name, value)| (name, value)));
        }
        wrk.arg(&self.url);
        let child = wrk
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        Ok(Running(Some(child)))
    }
}

impl Running {
    /// Waits for its end.
    pub(crate) fn finish(mut self) -> anyhow::Result<Load> {
        let child = self.0.take().context("wrk runs once")?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "wrk: {}", output.status);
        read(&String::from_utf8_lossy(&output.stdout))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Reads wrk's report, and demands that every request succeeded.
fn read(report: &str) -> anyhow::Result<Load> {
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
    Ok(Load {
        rate: after("Requests/sec:")?.parse()?,
        median: milliseconds(after("50%")?)?,
        slowest: milliseconds(after("99%")?)?,
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
        let load = read(REPORT).unwrap();
        assert_eq!((load.rate, load.slowest), (12_345.67, 1_050.0));
        assert!((load.median - 0.812).abs() < 1e-9);
    }

    #[test]
    fn an_answer_that_is_no_success_fails_the_measurement() {
        let failed = REPORT.replace(
            "Requests/sec",
            "  Non-2xx or 3xx responses: 1\nRequests/sec",
        );
        assert!(read(&failed).unwrap_err().to_string().contains("Non-2xx"));
        let broken = format!("{REPORT}  Socket errors: connect 0, read 1, write 0, timeout 0\n");
        assert!(read(&broken).is_err());
    }
}
