//! A measured server: this project's or a peer, as `rows.toml` describes it. It is started, waited for, observed, and
//! ended.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use procfs::process::Process;
use rustix::process::{Pid, Signal, kill_process};

use super::lab::{Lab, Names};
use super::rows::Peer;
use crate::sh;

/// The length of the value of the hot key.
pub(crate) const VALUE_BYTES: usize = 1_000;

/// The time limit for a start: far more than one takes, for busy machines.
const START_WITHIN: Duration = Duration::from_secs(120);

/// The time limit for an end, before the process is killed.
const END_WITHIN: Duration = Duration::from_secs(5);

/// The interval between checks for readiness; the time of a start is measured.
const TRY_EVERY: Duration = Duration::from_millis(1);

/// A running server; it is ended when this is dropped.
pub(crate) struct Subject {
    child: Child,
    /// The names that commands of load generators may contain.
    pub(crate) names: Names,
    /// Milliseconds from the start of the process until it was ready.
    pub(crate) ready_after: f64,
    takes_token: bool,
    stops_cleanly: bool,
    home: tempfile::TempDir,
}

impl Subject {
    /// Starts a peer, and waits until it is ready. The names have its folder and settings; the words before its command
    /// may be valgrind with its options.
    pub(crate) fn start(
        lab: &Lab,
        of: &str,
        mut names: Names,
        before: &[String],
        settings: &[String],
    ) -> anyhow::Result<Self> {
        let peer = lab.catalogue.peers.get(of).context("no such peer")?;
        let home = lab.folder()?;
        let port = free_port()?;
        names.set("home", home.path().display());
        names.set("port", port);
        names.set("second-port", free_port()?);
        names.set("address", format!("127.0.0.1:{port}"));
        names.set("value", "x".repeat(VALUE_BYTES));
        // 999 bytes in base64, since 1,000 is no multiple of three.
        names.set("base64", "eHh4".repeat(VALUE_BYTES / 3));
        for (name, text) in &peer.files {
            std::fs::write(home.path().join(name), names.fill(text))?;
        }
        let words = before.iter().chain(&peer.command).chain(settings);
        let words = words.map(String::as_str);
        let mut command = lab.command(&names, words)?;
        let output = match peer.prints_address {
            true => Stdio::piped(),
            false => Stdio::null(),
        };
        let log = File::create(home.path().join("log"))?;
        command.stdin(Stdio::null()).stdout(output).stderr(log);
        let started = Instant::now();
        let child = command.spawn();
        let child = child.with_context(|| format!("cannot start {command:?}"))?;
        names.set("pid", child.id());
        let mut subject = Self {
            child,
            names,
            ready_after: 0.0,
            takes_token: peer.takes_token,
            stops_cleanly: peer.stops_cleanly,
            home,
        };
        subject.wait_until_ready(peer, port)?;
        subject.ready_after = started.elapsed().as_secs_f64() * 1_000.0;
        if peer.takes_token {
            subject.sign_tokens(lab)?;
        }
        if let Some((path, body)) = &peer.first {
            subject.post(path, &subject.names.fill(body))?;
        }
        Ok(subject)
    }

    fn wait_until_ready(&mut self, peer: &Peer, port: u16) -> anyhow::Result<()> {
        if peer.prints_address {
            let address = self.printed_address()?;
            self.names.set("address", address);
        } else {
            let address = (Ipv4Addr::LOCALHOST, port);
            self.wait(|| TcpStream::connect(address).is_ok())?;
        }
        self.names.set("url", self.names.fill(&peer.url));
        let Some(url) = &peer.ready else {
            return Ok(());
        };
        let (agent, url) = (ureq::agent(), self.names.fill(url));
        self.wait(|| agent.get(&url).call().is_ok())
    }

    /// Repeats a check until it succeeds, as long as the process runs.
    fn wait(&mut self, is_ready: impl Fn() -> bool) -> anyhow::Result<()> {
        let started = Instant::now();
        while !is_ready() {
            if let Some(status) = self.child.try_wait()? {
                bail!("it has ended: {status}");
            }
            ensure!(started.elapsed() < START_WITHIN, "it is not ready");
            std::thread::sleep(TRY_EVERY);
        }
        Ok(())
    }

    /// The address in the first URL that it prints.
    fn printed_address(&mut self) -> anyhow::Result<String> {
        let output = self.child.stdout.take().context("standard output")?;
        for line in BufReader::new(output).lines() {
            if let Some((_, rest)) = line?.split_once("http://") {
                let end = rest.find(|sign: char| sign == '/' || sign.is_whitespace());
                return Ok(rest[..end.unwrap_or(rest.len())].to_owned());
            }
        }
        bail!("it did not say where it listens")
    }

    /// Writes a file with a token of each user; requests choose among them.
    fn sign_tokens(&mut self, lab: &Lab) -> anyhow::Result<()> {
        let words = "{release}/prominence-bench --data {data} tokens {users}";
        let tokens = sh::output(&mut lab.command(&self.names, words.split(' '))?)?;
        let file = self.home.path().join("tokens");
        std::fs::write(&file, &tokens)?;
        self.names.set("tokens", file.display());
        self.names
            .set("token", tokens.lines().next().unwrap_or_default());
        Ok(())
    }

    /// Sends a POST; an error unless it succeeds.
    pub(crate) fn post(&self, path: &str, body: &str) -> anyhow::Result<()> {
        let mut request = ureq::post(self.names.fill(&format!("{{url}}{path}")));
        if self.takes_token {
            request = request.header("authorization", self.names.fill("Bearer {token}"));
        }
        request.send(body.as_bytes())?;
        Ok(())
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        self.terminate()?;
        let status = self.child.wait()?;
        // Other programs may end with another status.
        let is_fine = status.success() || !self.stops_cleanly;
        ensure!(is_fine, "the server ended with {status}");
        Ok(())
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn terminate(&self) -> anyhow::Result<()> {
        let signalled = kill_process(Pid::from_child(&self.child), Signal::TERM);
        signalled.context("the process is gone already")
    }

    /// The kernel's statistics of the process.
    pub(crate) fn kernel(&self) -> anyhow::Result<Process> {
        Process::new(i32::try_from(self.child.id())?).context("the process is gone")
    }
}

impl Drop for Subject {
    /// SIGTERM first: a server with child processes, such as nginx, ends these only then.
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

/// A port that is free now. Another process might take it meanwhile; the start of the server would then fail.
fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
