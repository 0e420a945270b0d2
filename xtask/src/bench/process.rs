//! Servers as processes: started, waited for, measured, ended.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::lab::Lab;

/// How long a server may take until it listens: far more than any does, for busy machines.
const START_WITHIN: Duration = Duration::from_secs(120);

/// How long a peer may take to end before it is killed.
const END_WITHIN: Duration = Duration::from_secs(5);

/// How often a port is tried until it answers.
const TRY_EVERY: Duration = Duration::from_millis(5);

/// What a process has used of the machine since it was started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    /// Seconds of the processor, in its own code.
    pub(crate) user: f64,
    /// Seconds of the processor, in the kernel on its behalf.
    pub(crate) system: f64,
}

/// A running server; it is ended when this is dropped.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts a server that listens on a port it was given, and waits until it does.
    pub(crate) fn on_port(lab: &Lab, command: &mut Command, port: u16) -> anyhow::Result<Self> {
        let mut process = Self::spawn(lab, command, Stdio::null())?;
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = process.child.try_wait()? {
                bail!("{command:?} ended: {status}");
            }
            if started.elapsed() > START_WITHIN {
                bail!("{command:?} does not listen on port {port}");
            }
            std::thread::sleep(TRY_EVERY);
        }
        Ok(process)
    }

    /// Starts a server that prints the URL where it listens, and waits for that.
    pub(crate) fn with_url(lab: &Lab, command: &mut Command) -> anyhow::Result<(Self, String)> {
        let mut process = Self::spawn(lab, command, Stdio::piped())?;
        let output = process.child.stdout.take().context("standard output")?;
        for line in BufReader::new(output).lines() {
            let line = line?;
            if let Some(at) = line.find("http://") {
                let url = line[at..].split_whitespace().next().unwrap_or_default();
                return Ok((process, url.to_owned()));
            }
        }
        bail!("{command:?} did not say where it listens")
    }

    fn spawn(lab: &Lab, command: &mut Command, output: Stdio) -> anyhow::Result<Self> {
        let log = File::create(lab.logs().join("server.log"))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self { child })
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks the process to stop, and waits until it has.
    pub(crate) fn stop(mut self) -> anyhow::Result<ExitStatus> {
        self.terminate()?;
        Ok(self.child.wait()?)
    }

    /// Ends the process at once, as a crash would.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn terminate(&self) -> anyhow::Result<()> {
        let pid = self.child.id().to_string();
        let mut ask = Command::new("kill");
        let asked = ask.args(["-TERM", &pid]).stderr(Stdio::null()).status()?;
        anyhow::ensure!(asked.success(), "process {pid} is gone already");
        Ok(())
    }

    /// Mebibytes of memory that the process has now.
    pub(crate) fn resident(&self) -> anyhow::Result<f64> {
        mebibytes(self.kernel()?.status()?.vmrss)
    }

    /// Mebibytes of memory that the process had at most since [`Process::forget_peak`].
    pub(crate) fn peak(&self) -> anyhow::Result<f64> {
        mebibytes(self.kernel()?.status()?.vmhwm)
    }

    /// Lets the peak start over (proc_pid_clear_refs(5)).
    pub(crate) fn forget_peak(&self) -> anyhow::Result<()> {
        let file = format!("/proc/{}/clear_refs", self.child.id());
        std::fs::write(file, "5").context("the peak of memory can't be reset")
    }

    /// What it has used up to now.
    pub(crate) fn spent(&self) -> anyhow::Result<Spent> {
        let times = self.kernel()?.stat()?;
        let seconds = |ticks: u64| ticks as f64 / procfs::ticks_per_second() as f64;
        Ok(Spent {
            user: seconds(times.utime),
            system: seconds(times.stime),
        })
    }

    /// What the kernel tells of it.
    fn kernel(&self) -> anyhow::Result<procfs::process::Process> {
        let id = i32::try_from(self.child.id())?;
        procfs::process::Process::new(id).context("the process is gone")
    }
}

fn mebibytes(kibibytes: Option<u64>) -> anyhow::Result<f64> {
    Ok(kibibytes.context("the process is gone")? as f64 / 1_024.0)
}

impl Drop for Process {
    /// What has processes of its own, as nginx does, ends them only where it is asked to end.
    fn drop(&mut self) {
        let runs = |child: &mut Child| matches!(child.try_wait(), Ok(None));
        if !runs(&mut self.child) {
            return;
        }
        let asked_at = Instant::now();
        let asked = self.terminate().is_ok();
        while asked && runs(&mut self.child) && asked_at.elapsed() < END_WITHIN {
            std::thread::sleep(TRY_EVERY);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nothing listens on. Another process might take it meanwhile; the server would
/// then say so.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
