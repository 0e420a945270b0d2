//! `cargo xtask check`: format, lints and the fast tests of the packages that a change touches.
//!
//! | module | contents |
//! | --- | --- |
//! | `changes` | the files that have changed, as git lists them |
//! | `touched` | the packages that they touch, directly or by dependency |
//! | `hook` | the git hook that runs the check before each commit |
//!
//! Every command names the whole workspace: with fewer packages, cargo would choose other features of shared
//! dependencies and build them again. Packages that are not touched are built already.

mod changes;
mod hook;
mod touched;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use cargo_metadata::{Message, Metadata, MetadataCommand};

use crate::sh;
use touched::Touched;

/// The tests of this package that read the files of all others; they run after every change.
const RULES: [&str; 2] = ["house_rules", "troubleshooting"];

/// The programs with unit tests of their own.
const PROGRAMS: [&str; 2] = ["prominence", "xtask"];

/// Options of `cargo xtask check`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Check the changes since HEAD left this revision, or since HEAD if there is no such revision.
    #[arg(long, default_value = "main", value_name = "REVISION")]
    base: String,

    /// Install a git hook that runs this before every commit, and check nothing.
    #[arg(long)]
    install_hook: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let root = sh::root();
    if options.install_hook {
        println!("installed {}", hook::install(&root)?.display());
        return Ok(());
    }
    let started = Instant::now();
    let base = changes::base(&root, &options.base)?;
    let files = changes::files(&root, &base)?;
    println!("{} files have changed since {base}", files.len());
    if files.is_empty() {
        return Ok(());
    }
    let metadata = MetadataCommand::new().current_dir(&root).no_deps().exec()?;
    let touched = Touched::by(&metadata, &files);
    println!("{touched}");

    sh::run(sh::cargo().args(["fmt", "--all", "--check"]))?;
    if touched.packages().next().is_some() {
        let lint = ["clippy", "--workspace", "--all-targets", "--all-features"];
        sh::run(sh::cargo().args(lint).args(["--", "-D", "warnings"]))?;
    }
    for test in tests(&metadata, &touched)? {
        let mut command = Command::new(test.program);
        sh::run(command.arg("--quiet").current_dir(test.folder))?;
    }
    println!("left out, and run by .ci/run:");
    println!("    lints of other sets of features than all");
    for (package, tests) in touched.slow_tests(&metadata) {
        println!("    tests of {package}: {}", tests.join(", "));
    }
    println!("checked in {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// A built test program.
struct Test {
    program: PathBuf,
    /// The folder of its package, in which cargo would run it.
    folder: PathBuf,
}

/// Builds the unit tests of the workspace if a package is touched, and the tests of rules; returns those that are to
/// run.
fn tests(metadata: &Metadata, touched: &Touched) -> anyhow::Result<Vec<Test>> {
    let mut build = sh::cargo();
    build.args(["test", "--workspace", "--all-features", "--no-run"]);
    build.arg("--message-format=json-render-diagnostics");
    build.args(RULES.map(|test| format!("--test={test}")));
    if touched.packages().next().is_some() {
        build.arg("--lib");
        build.args(PROGRAMS.map(|program| format!("--bin={program}")));
    }
    println!("$ cargo test --workspace --all-features --no-run …");
    let built = build.stderr(Stdio::inherit()).output()?;
    ensure!(built.status.success(), "the tests can't be built");
    let mut tests = Vec::new();
    for message in Message::parse_stream(&built.stdout[..]) {
        let Message::CompilerArtifact(artifact) = message? else {
            continue;
        };
        let (true, Some(program)) = (artifact.profile.test, artifact.executable) else {
            continue;
        };
        let mut packages = metadata.packages.iter();
        let package = packages.find(|package| package.id == artifact.package_id);
        let package = package.context("cargo built a package that it does not list")?;
        if touched.has(&package.name) || RULES.contains(&artifact.target.name.as_str()) {
            let folder = touched::folder(package).into();
            let program = program.into();
            tests.push(Test { program, folder });
        }
    }
    Ok(tests)
}
