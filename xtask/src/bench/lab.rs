//! Used by all rows: time and scale, scratch folders, the installed programs and their commands.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use procfs::{CpuInfo, Current as _, Meminfo};

use super::Options;
use super::rows::Catalogue;
use crate::{python, sh};

/// The size of the stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scale {
    /// The size in the targets: up to ten million keys.
    #[default]
    Full,
    /// A hundredth of that.
    Small,
}

/// The environment of all measurements.
pub(crate) struct Lab<'a> {
    pub(crate) options: &'a Options,
    pub(crate) catalogue: &'a Catalogue,
    scratch: tempfile::TempDir,
    missing: Vec<&'static str>,
}

/// The values of names in braces, in commands and in files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(BTreeMap<&'static str, String>);

/// Programs that measurements need or that are peers, each with its Debian package.
const PROGRAMS: &[(&str, &str)] = &[
    ("wrk", "wrk"),
    ("nginx", "nginx"),
    ("redis-server", "redis-server"),
    ("redis-benchmark", "redis-tools"),
    ("etcd", "etcd-server"),
    ("valgrind", "valgrind"),
];

/// A peer, installed from PyPI.
const NATS: &str = "nats";

impl<'a> Lab<'a> {
    pub(crate) fn new(options: &'a Options, catalogue: &'a Catalogue) -> anyhow::Result<Self> {
        for (program, package) in PROGRAMS {
            if !sh::has(program)
                && let Err(error) = sh::apt_install(&[package])
            {
                println!("{program} is missing: {error:#}");
            }
        }
        let programs = PROGRAMS.iter().map(|(program, _)| *program);
        let missing: Vec<_> = programs.filter(|program| !sh::has(program)).collect();
        ensure!(!missing.contains(&"wrk"), "nothing is measured without wrk");
        // In the build folder, because a temporary folder may be in memory.
        let target = sh::root().join("target");
        let scratch = tempfile::Builder::new()
            .prefix("bench-")
            .tempdir_in(target)?;
        Ok(Self {
            options,
            catalogue,
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

    /// Seconds of a measurement with this minimum at full scale.
    pub(crate) fn at_least(&self, seconds: u32) -> u32 {
        match self.options.scale {
            Scale::Full => self.options.seconds.max(seconds),
            Scale::Small => self.options.seconds,
        }
    }

    /// A new, empty folder that is removed when the returned value is dropped.
    pub(crate) fn folder(&self) -> anyhow::Result<tempfile::TempDir> {
        Ok(tempfile::tempdir_in(self.scratch.path())?)
    }

    /// The reason why a program can't be used here, if any.
    pub(crate) fn lacks(&self, program: &str) -> Option<String> {
        match program {
            NATS => python::nats().err().map(|error| error.to_string()),
            other if self.missing.contains(&other) => Some(format!("{other} is missing")),
            _ => None,
        }
    }

    /// The command of these words; a number in braces is scaled to the scale of this run.
    pub(crate) fn command<'w>(
        &self,
        names: &Names,
        words: impl IntoIterator<Item = &'w str>,
    ) -> anyhow::Result<Command> {
        let words = words.into_iter().map(|word| {
            let name = word
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            let word = match name.and_then(|name| name.parse().ok()) {
                Some(number) => self.scaled(number).to_string(),
                None => names.fill(word),
            };
            ensure!(!word.contains('{'), "{word} has no meaning");
            Ok(word)
        });
        let words = words.collect::<anyhow::Result<Vec<_>>>()?;
        let (program, arguments) = words.split_first().context("no command")?;
        let mut command = Command::new(program);
        command.args(arguments);
        // The user's own settings must not change the measurement.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PROMINENCE_") {
                command.env_remove(name);
            }
        }
        Ok(command)
    }
}

impl Names {
    /// The names of programs; those of a subject are added when it starts.
    pub(crate) fn new(data: &Path, endpoints: &str) -> Self {
        let target = std::env::var_os("CARGO_TARGET_DIR");
        let target = target.map_or_else(|| sh::root().join("target"), PathBuf::from);
        let mut names = Self::default();
        names.set("release", target.join("release").display());
        names.set("benches", sh::root().join("benches").display());
        names.set("nats", sh::root().join("target/nats/bin").display());
        names.set("data", data.display());
        names.set("endpoints", endpoints);
        for unknown in ["url", "token", "tokens", "port"] {
            names.set(unknown, "");
        }
        names.set("pid", 0);
        names
    }

    /// Sets the value of a name.
    pub(crate) fn set(&mut self, name: &'static str, meaning: impl ToString) {
        self.0.insert(name, meaning.to_string());
    }

    pub(crate) fn fill(&self, text: &str) -> String {
        let names = self.0.iter();
        names.fold(text.to_owned(), |text, (name, meaning)| {
            text.replace(&format!("{{{name}}}"), meaning)
        })
    }
}

/// The description of a run: its date, its options, the machine.
pub(crate) fn describe_run(options: &Options) -> anyhow::Result<String> {
    let (rounds, seconds) = (options.rounds, options.seconds);
    let cpu = CpuInfo::current()?;
    let model = cpu.model_name(0).unwrap_or("unknown");
    let memory = Meminfo::current()?.mem_total >> 30;
    let cores = std::thread::available_parallelism()?;
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let day = sh::output(Command::new("date").args(["-u", "+%F"]))?;
    Ok(format!(
        "{}, `--rounds {rounds} --seconds {seconds}`, {cores} cores ({model}), {memory} GiB of memory, Linux {}",
        day.trim(),
        kernel.trim()
    ))
}
