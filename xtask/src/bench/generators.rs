//! Programs that bear a load and print how fast it was: wrk, bare appends, and whatever else prints the
//! requests a second and their times in milliseconds, or figures by their names.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use super::catalogue::Measure;
use super::figures::Figures;
use super::lab::Lab;
use crate::sh;

/// What came of a load.
pub(crate) type Speed = BTreeMap<Measure, f64>;

/// A generator that is ready to start.
pub(crate) struct Generator(Command);

/// One that runs; it is ended when this is dropped.
pub(crate) struct Running(Option<Child>);

impl Generator {
    /// One whose last line is `RATE P99`, or `RATE P99 MEDIAN`.
    pub(crate) fn new(command: Command) -> Self {
        Self(command)
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

    pub(crate) fn start(mut self) -> anyhow::Result<Running> {
        let child = self.0.stdout(Stdio::piped()).spawn();
        let child = child.with_context(|| format!("cannot start {:?}", self.0))?;
        Ok(Running(Some(child)))
    }
}

impl Running {
    /// Waits for its end.
    pub(crate) fn finish(mut self) -> anyhow::Result<Speed> {
        let child = self.0.take().context("a generator runs once")?;
        let output = child.wait_with_output()?;
        let printed = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{}: {printed}", output.status);
        read(&printed)
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
            .args(["-t1", "--timeout", "30s", "-s"])
            .arg(sh::root().join("benches/requests.lua"))
            .arg(format!("-c{}", self.connections))
            .arg(format!("-d{}s", self.seconds))
            .envs(self.script);
        if let Some(token) = &self.token {
            command.arg("-H");
            command.arg(format!("Authorization: Bearer {token}"));
        }
        command.arg(self.url);
        Generator(command)
    }
}

/// Reads the last line of a generator's report.
fn read(report: &str) -> anyhow::Result<Speed> {
    let last = report.lines().next_back().unwrap_or_default();
    let figures: Result<Vec<f64>, _> = last.split(' ').map(str::parse).collect();
    let speed: Speed = match figures.as_deref() {
        Ok(figures @ ([_, _] | [_, _, _])) => {
            let names = [Measure::Rate, Measure::P99, Measure::Median];
            names.into_iter().zip(figures.iter().copied()).collect()
        }
        _ => bail!("the last line is not RATE P99 [MEDIAN]: {report}"),
    };
    ensure!(speed[&Measure::Rate] > 0.0, "the generator got nowhere");
    Ok(speed)
}

/// What several generators came to that shared a load: rates together, and the times of the slowest.
pub(crate) fn shared(speeds: &[Speed]) -> Speed {
    let mut shared = Speed::new();
    for speed in speeds {
        for (measure, figure) in speed {
            if *measure == Measure::Rate {
                *shared.entry(Measure::Rate).or_default() += figure;
                let least = shared.entry(Measure::Least).or_insert(f64::INFINITY);
                *least = least.min(*figure);
            } else {
                let most = shared.entry(*measure).or_default();
                *most = most.max(*figure);
            }
        }
    }
    shared
}

/// A program that prints figures, one a line as `NAME NUMBER`, and perhaps `ready` after them. From then on it
/// keeps up what it has begun, until its standard input ends. It is ended when this is dropped.
pub(crate) struct Program {
    child: Child,
    printed: Lines<BufReader<ChildStdout>>,
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let output = child.stdout.take().context("standard output")?;
        let printed = BufReader::new(output).lines();
        Ok(Self { child, printed })
    }

    /// Notes what it prints, until it is ready or has ended.
    pub(crate) fn note(&mut self, figures: &mut Figures) -> anyhow::Result<()> {
        for line in self.printed.by_ref() {
            let line = line?;
            if line == "ready" {
                break;
            }
            let (name, figure) = line.rsplit_once(' ').context("no figure")?;
            figures.note(name, figure.parse()?);
        }
        Ok(())
    }

    /// Lets it end, and notes what it prints until then. What it found wrong, it says by how it ends.
    pub(crate) fn finish(&mut self, figures: &mut Figures) -> anyhow::Result<()> {
        drop(self.child.stdin.take());
        self.note(figures)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the program ended with {status}");
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Where it has ended already, there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_a_report_has_the_rate_and_the_times() {
        let speed = read("Running 1s test\n  99 requests\n12345.67 1050.5 0.812\n").unwrap();
        let wanted = [
            (Measure::Rate, 12_345.67),
            (Measure::Median, 0.812),
            (Measure::P99, 1_050.5),
        ];
        assert_eq!(speed, wanted.into());
        assert_eq!(read("1234 5.678\n").unwrap()[&Measure::P99], 5.678);
        assert!(read("0 0.1\n").is_err());
    }

    #[test]
    fn a_report_that_ends_with_words_fails_and_is_shown() {
        let error = read("  Non-2xx or 3xx responses: 1\nnot every request succeeded\n");
        assert!(error.unwrap_err().to_string().contains("Non-2xx"));
    }

    #[test]
    fn servers_that_share_a_load_are_added_up_and_as_slow_as_the_slowest() {
        let speeds = ["10 3 1", "30 2 2"].map(|report| read(report).unwrap());
        let wanted = [
            (Measure::Rate, 40.0),
            (Measure::Median, 2.0),
            (Measure::P99, 3.0),
            (Measure::Least, 10.0),
        ];
        assert_eq!(shared(&speeds), wanted.into());
    }
}
