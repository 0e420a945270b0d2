//! The server of this project, as it is measured.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::http::Caller;
use super::lab::Lab;
use super::process::Process;
use crate::sh;

/// Far above what any row stores in one namespace; otherwise the settings are the usual ones.
const QUOTA: &[&str] = &["--quota-keys", "1000000000", "--quota-bytes", "1TiB"];

/// The user whose keys are measured, as prepared stores have it.
const USER: &str = "bench";

/// How often it is asked whether it is ready.
const TRY_EVERY: Duration = Duration::from_millis(1);

/// What is added to the usual command of a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Additions {
    /// Before it, such as `valgrind` with its options.
    pub(crate) before: Vec<String>,
    /// After it.
    pub(crate) settings: Vec<String>,
}

/// A running server.
pub(crate) struct Server {
    process: Process,
    url: String,
    token: String,
    ready_after: Duration,
}

impl Server {
    /// Starts a server on a data folder, and waits until it is ready.
    pub(crate) fn start(lab: &Lab, data: &Path) -> anyhow::Result<Self> {
        Self::start_with(lab, data, &Additions::default())
    }

    /// The same with something added to its command.
    pub(crate) fn start_with(
        lab: &Lab,
        data: &Path,
        additions: &Additions,
    ) -> anyhow::Result<Self> {
        let mut command = lab.own_below(&additions.before, "prominence");
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data)
            .args(QUOTA)
            .args(&additions.settings);
        let started = Instant::now();
        let (process, url) = Process::with_url(lab, &mut command)?;
        let origin = url.split("/prominence/").next().unwrap_or(&url);
        let caller = Caller::anonymous();
        while caller.get(&format!("{origin}/readyz")).is_err() {
            ensure!(
                started.elapsed() < Duration::from_secs(60),
                "the server is not ready"
            );
            std::thread::sleep(TRY_EVERY);
        }
        let ready_after = started.elapsed();
        let token = token(lab, data, USER)?;
        Ok(Self {
            process,
            url,
            token,
            ready_after,
        })
    }

    /// How long it took from the start of the process to the first `/readyz` that said yes.
    pub(crate) fn ready_after(&self) -> f64 {
        self.ready_after.as_secs_f64() * 1_000.0
    }

    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// The URL of a key, a listing, or anything else below `/kv`.
    pub(crate) fn kv(&self, path: &str) -> String {
        format!("{}/kv{path}", self.url)
    }

    /// Sets the one key of 1 KB.
    pub(crate) fn set_hot(&self) -> anyhow::Result<()> {
        let value = [b'x'; super::subjects::VALUE_BYTES];
        self.caller().post(&self.kv("/hot"), &value).map(drop)
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Somebody with that user's token.
    pub(crate) fn caller(&self) -> Caller {
        Caller::with_token(&self.token)
    }

    /// The command line as that user.
    pub(crate) fn command_line(&self, lab: &Lab) -> Command {
        let mut command = lab.own("prominence");
        command
            .env("PROMINENCE_URL", &self.url)
            .env("PROMINENCE_TOKEN", &self.token);
        command
    }

    /// A program of `benches` that asks it as that user, and looks at its process.
    pub(crate) fn asked_by(&self, lab: &Lab, program: &str) -> Command {
        let mut command = lab.own(program);
        command.args(["--url", &self.url, "--token", &self.token, "--pid"]);
        command.arg(self.process.id().to_string());
        command
    }

    /// Asks it to stop in good order, and waits until it has.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        let status = self.process.stop()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(self) -> anyhow::Result<()> {
        self.process.kill()
    }
}

/// A token of a user, signed with the secret in a data folder.
pub(crate) fn token(lab: &Lab, data: &Path, user: &str) -> anyhow::Result<String> {
    let mut mint = lab.own("prominence");
    mint.args(["token", "create", "--user", user, "--data-dir"])
        .arg(data);
    let token = sh::output(&mut mint).context("a token for the user")?;
    Ok(token.trim().to_owned())
}
