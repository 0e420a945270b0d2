//! Runs every test, after installing the packages that they need.

use std::path::PathBuf;
use std::process::Command;

use crate::{node, python, sh};

/// Programs that building and testing need, each with its Debian packages.
const NEEDED: &[(&str, &[&str])] = &[
    // The etcd client is generated from etcd's protocol definitions, which import Google's.
    ("protoc", &["protobuf-compiler", "libprotobuf-dev"]),
    // The README's examples and the job scripts use it.
    ("curl", &["curl"]),
    // Key completion is tested in zsh and bash; bash is always installed.
    ("zsh", &["zsh"]),
    ("fish", &["fish"]),
    // Records the system calls of the embedded engine, and injects disk errors.
    ("strace", &["strace"]),
    // The etcd engine stores its data in it; its tests also need its command-line client.
    ("etcd", &["etcd-server"]),
    ("etcdctl", &["etcd-client"]),
    // Makes the networks from which nodes of a cluster are cut off.
    ("ip", &["iproute2"]),
    // A batch system of one node. Daemons are in a folder that is not on every user's search path.
    ("/usr/sbin/munged", &["munge"]),
    ("/usr/sbin/slurmctld", &["slurmctld"]),
    ("/usr/sbin/slurmd", &["slurmd"]),
    ("sbatch", &["slurm-client"]),
    // It says whether a unit is right, and how well it is confined.
    ("systemd-analyze", &["systemd"]),
    // A proxy in front of the server.
    ("/usr/sbin/nginx", &["nginx-light"]),
    // Lets servers run with clocks that differ.
    ("faketime", &["faketime"]),
    // Makes certificates of servers that the Python library has to accept or to refuse.
    ("openssl", &["openssl"]),
    // Runs the examples of the page for users of R.
    ("Rscript", &["r-base-core"]),
    // GNU parallel runs many tasks. Another program has the same name; this one comes with it alone.
    ("parcat", &["parallel"]),
    // HTTP clients that have to show the reason of a refused request.
    ("wget", &["wget"]),
    ("node", &["nodejs"]),
    // The web page is looked at.
    ("chromium", &["chromium"]),
    ("firefox-esr", &["firefox-esr"]),
    ("go", &["golang-go"]),
    ("javac", &["default-jdk-headless"]),
];

/// Options of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Number of kills in each of the crash tests (a longer run: 1000).
    #[arg(long, default_value_t = 20)]
    kills: u32,

    /// Time for which requests of many clients are recorded while their server is killed (a longer run: 1h).
    #[arg(long, default_value = "20s")]
    history: String,

    /// Number of waits that one user requests beyond the limit (a longer run: 100000).
    #[arg(long, default_value_t = 5_000)]
    waits: u32,

    /// Arguments for `cargo test`, such as a package (-p NAME) or a test's name.
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Installs the missing ones of these packages; returns the Python that has the existing client.
pub(crate) fn install() -> anyhow::Result<PathBuf> {
    for &(program, packages) in NEEDED {
        if !sh::has(program) {
            sh::apt_install(packages)?;
        }
    }
    // Two Debian packages that contain no program.
    let library = ["--vanilla", "-e", "library(httr2); library(jsonlite)"];
    if sh::output(Command::new("Rscript").args(library)).is_err() {
        sh::apt_install(&["r-cran-httr2", "r-cran-jsonlite"])?;
    }
    node::install()?;
    python::install()
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let python = install()?;
    // With `--workspace`, cargo would ignore the choice of a package.
    let chosen = |word: &String| word == "-p" || word.starts_with("--package");
    let everything = (!options.rest.iter().any(chosen)).then_some("--workspace");
    sh::run(
        sh::cargo()
            .args(["test", "--all-features"])
            .args(everything)
            .args(&options.rest)
            .env("PROMINENCE_TEST_PYTHON", python)
            .env("PROMINENCE_TEST_KILLS", options.kills.to_string())
            .env("PROMINENCE_TEST_HISTORY", &options.history)
            .env("PROMINENCE_TEST_WAITS", options.waits.to_string()),
    )
}
