//! What all rows share: how long and how large, scratch folders, programs that are there.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;

use super::Options;
use super::catalogue::Catalogue;
use crate::sh;

/// How large the stores are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scale {
    /// As the targets have it: up to ten million keys.
    #[default]
    Full,
    /// A hundredth of that.
    Small,
}

/// Where everything is measured.
pub(crate) struct Lab<'a> {
    pub(crate) options: &'a Options,
    pub(crate) catalogue: &'a Catalogue,
    /// A token for peers, which read as many headers as the server does.
    pub(crate) token: String,
    /// Seconds for each measurement of a speed.
    pub(crate) seconds: u32,
    scratch: tempfile::TempDir,
    missing: Vec<&'static str>,
}

/// What has to be there or is measured beside us, and the Debian package that has it.
const PROGRAMS: &[(&str, &str)] = &[
    ("wrk", "wrk"),
    ("nginx", "nginx"),
    ("redis-server", "redis-server"),
    ("redis-benchmark", "redis-tools"),
    ("etcd", "etcd-server"),
    ("valgrind", "valgrind"),
];

impl<'a> Lab<'a> {
    pub(crate) fn new(options: &'a Options, catalogue: &'a Catalogue) -> anyhow::Result<Self> {
        let missing = install();
        ensure!(!missing.contains(&"wrk"), "nothing is measured without wrk");
        // Below the build folder, because a temporary folder may be in memory.
        let target = sh::root().join("target");
        let scratch = tempfile::Builder::new()
            .prefix("bench-")
            .tempdir_in(target)?;
        let mut sign = own(&[], "tokens");
        let token = sh::output(sign.arg(scratch.path()))?;
        Ok(Self {
            options,
            catalogue,
            token: token.trim().to_owned(),
            seconds: options.seconds,
            scratch,
            missing,
        })
    }

    /// A number of keys or users in the scale of this run.
    pub(crate) fn scaled(&self, number: u64) -> u64 {
        match self.options.scale {
            Scale::Full => number,
            Scale::Small => number / 100,
        }
    }

    /// A new, empty folder that goes away with what is answered.
    pub(crate) fn folder(&self) -> anyhow::Result<tempfile::TempDir> {
        Ok(tempfile::tempdir_in(self.scratch.path())?)
    }

    /// Where servers write their logs.
    pub(crate) fn logs(&self) -> &Path {
        self.scratch.path()
    }

    pub(crate) fn has(&self, program: &str) -> bool {
        !self.missing.contains(&program)
    }

    /// Seconds of a measurement that takes at least so many, at full scale.
    pub(crate) fn at_least(&self, seconds: u32) -> u32 {
        match self.options.scale {
            Scale::Full => self.seconds.max(seconds),
            Scale::Small => self.seconds,
        }
    }

    /// A program of this workspace.
    pub(crate) fn own(&self, program: &str) -> Command {
        own(&[], program)
    }

    /// The same, started by the words that stand before it.
    pub(crate) fn own_below(&self, before: &[String], program: &str) -> Command {
        own(before, program)
    }
}

/// A program of this workspace, without anything that whoever measures has set for themselves.
fn own(before: &[String], program: &str) -> Command {
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let target = target.map_or_else(|| sh::root().join("target"), PathBuf::from);
    let program = target.join("release").join(program);
    let mut command = match before {
        [] => Command::new(program),
        [first, options @ ..] => {
            let mut command = Command::new(first);
            command.args(options).arg(program);
            command
        }
    };
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PROMINENCE_") {
            command.env_remove(name);
        }
    }
    command
}

/// Installs what is missing, each by itself; answers what is missing still.
fn install() -> Vec<&'static str> {
    let mut missing = Vec::new();
    for (program, package) in PROGRAMS {
        if sh::has(program) {
            continue;
        }
        if let Err(error) = sh::apt_install(&[package]) {
            println!("{program} is missing: {error:#}");
        }
        if !sh::has(program) {
            missing.push(*program);
        }
    }
    missing
}
