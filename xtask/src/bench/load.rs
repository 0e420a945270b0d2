//! Starts load generators, waits for them, and reads their figures.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

/// The figures that a program has printed, by their names.
pub(crate) type Speed = BTreeMap<String, f64>;

/// A program that prints figures, one a line as `NAME NUMBER`, among other lines. It may print `ready` after some of
/// them; after that it keeps its load up until its standard input ends. It is killed when this is dropped.
pub(crate) struct Program {
    child: Child,
    printed: BufReader<ChildStdout>,
    report: String,
    /// Removed when the program has ended.
    _scratch: TempDir,
}

impl Program {
    pub(crate) fn start(mut command: Command, scratch: TempDir) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let output = child.stdout.take().context("standard output")?;
        Ok(Self {
            child,
            printed: BufReader::new(output),
            report: String::new(),
            _scratch: scratch,
        })
    }

    /// Waits until it is ready, or has ended.
    pub(crate) fn until_ready(&mut self) -> anyhow::Result<()> {
        while !self.report.ends_with("ready\n") {
            if self.printed.read_line(&mut self.report)? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Ends it, and returns its figures; an error if the program reports one by its exit status.
    pub(crate) fn finish(mut self) -> anyhow::Result<Speed> {
        drop(self.child.stdin.take());
        while self.printed.read_line(&mut self.report)? > 0 {}
        let status = self.child.wait()?;
        ensure!(status.success(), "{status}: {}", self.report);
        Ok(read(&self.report))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // This fails where the program has ended already, which is no error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(report: &str) -> Speed {
    let figures = report.lines().filter_map(|line| {
        let (name, figure) = line.rsplit_once(' ')?;
        Some((name.to_owned(), figure.parse().ok()?))
    });
    figures.collect()
}

/// The figures of several programs that share a load: rates are added, and of times the longest is taken.
pub(crate) fn shared(speeds: &[Speed]) -> Speed {
    let mut shared = Speed::new();
    for (name, figure) in speeds.iter().flatten() {
        if name == "rate" {
            *shared.entry(name.clone()).or_default() += figure;
            let least = shared.entry("least".to_owned()).or_insert(f64::INFINITY);
            *least = least.min(*figure);
        } else {
            let most = shared.entry(name.clone()).or_default();
            *most = most.max(*figure);
        }
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speed<const N: usize>(figures: [(&str, f64); N]) -> Speed {
        figures
            .map(|(name, figure)| (name.to_owned(), figure))
            .into()
    }

    fn shell(script: &str) -> Program {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        Program::start(shell, tempfile::tempdir().unwrap()).unwrap()
    }

    #[test]
    fn figures_are_found_among_whatever_else_a_program_prints() {
        let script = "echo Running 1s; echo from a set, p99 0.5; echo ready; cat; echo rate 12";
        let mut program = shell(script);
        program.until_ready().unwrap();
        assert!(program.report.ends_with("0.5\nready\n"));
        let wanted = speed([("from a set, p99", 0.5), ("rate", 12.0)]);
        assert_eq!(program.finish().unwrap(), wanted);
    }

    #[test]
    fn a_program_that_fails_shows_what_it_printed() {
        let failure = shell("echo Non-2xx or 3xx responses: 1; false").finish();
        let failure = failure.unwrap_err().to_string();
        assert!(failure.contains("Non-2xx"), "{failure}");
    }

    #[test]
    fn servers_that_share_a_load_are_added_up_and_as_slow_as_the_slowest() {
        let speeds = [
            speed([("rate", 10.0), ("p99", 3.0), ("median", 1.0)]),
            speed([("rate", 30.0), ("p99", 2.0), ("median", 2.0)]),
        ];
        let wanted = [
            ("rate", 40.0),
            ("median", 2.0),
            ("p99", 3.0),
            ("least", 10.0),
        ];
        assert_eq!(shared(&speeds), speed(wanted));
    }
}
