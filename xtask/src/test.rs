//! Every test, after installing what they need.

use std::path::PathBuf;
use std::process::Command;

use crate::{node, python, sh};

/// Programs that building and testing need, each with its Debian packages.
const NEEDED: &[(&str, &[&str])] = &[
    // The client of etcd is built from etcd's own definitions, and those from Google's.
    ("protoc", &["protobuf-compiler", "libprotobuf-dev"]),
    // The README's examples and the job scripts use it.
    ("curl", &["curl"]),
    // Keys are completed in the shells that people use; bash is there.
    ("zsh", &["zsh"]),
    ("fish", &["fish"]),
    // It records what the embedded engine does to its disk, and makes disks fail.
    ("strace", &["strace"]),
    // What the other engine keeps its data in, and what asks it how it is.
    ("etcd", &["etcd-server"]),
    ("etcdctl", &["etcd-client"]),
    // It makes networks, from which nodes of a cluster are cut off.
    ("ip", &["iproute2"]),
    // A batch system of one node. Daemons are where not every user's shell looks for them.
    ("/usr/sbin/munged", &["munge"]),
    ("/usr/sbin/slurmctld", &["slurmctld"]),
    ("/usr/sbin/slurmd", &["slurmd"]),
    ("sbatch", &["slurm-client"]),
    // It says whether a unit is right, and how well it is confined.
    ("systemd-analyze", &["systemd"]),
    // A proxy in front of the server.
    ("/usr/sbin/nginx", &["nginx-light"]),
    // It lets servers run on clocks that disagree.
    ("faketime", &["faketime"]),
    // It makes the certificates of servers that the Python library has to believe or not.
    ("openssl", &["openssl"]),
    // The page for users of R is run.
    ("Rscript", &["r-base-core"]),
    // GNU parallel runs many tasks. Another program has the same name; this one comes with it alone.
    ("parcat", &["parallel"]),
    // HTTP clients that have to see why a request is refused.
    ("wget", &["wget"]),
    ("node", &["nodejs"]),
    // The web page is looked at.
    ("chromium", &["chromium"]),
    ("go", &["golang-go"]),
    ("javac", &["default-jdk-headless"]),
];

/// Options of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Kills in each of the crash tests (a longer run: 1000).
    #[arg(long, default_value_t = 20)]
    kills: u32,

    /// How long many clients are recorded at a server that is killed (a longer run: 1h).
    #[arg(long, default_value = "20s")]
    history: String,

    /// Waits beyond the limit that one user asks for (a longer run: 100000).
    #[arg(long, default_value_t = 5_000)]
    waits: u32,

    /// Passed on to `cargo test`, such as a package (-p NAME) or a test's name.
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Installs what is missing of it; answers the Python that has the existing client.
pub(crate) fn install() -> anyhow::Result<PathBuf> {
    for &(program, packages) in NEEDED {
        if !sh::has(program) {
            sh::apt_install(packages)?;
        }
    }
    // Two of its packages, which are no programs.
    let library = ["--vanilla", "-e", "library(httr2); library(jsonlite)"];
    if sh::output(Command::new("Rscript").args(library)).is_err() {
        sh::apt_install(&["r-cran-httr2", "r-cran-jsonlite"])?;
    }
    node::install()?;
    python::install()
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let python = install()?;
    // Cargo would otherwise leave the choice of a package aside.
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
