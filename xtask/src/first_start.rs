//! `cargo xtask first-start`: the first command of the README, on a machine without `protoc`.
//!
//! The command is taken from the README and run with a search path that has every program of this machine except
//! `protoc`, and with an empty target folder, so that no earlier build helps. Then the README's next lines are run
//! against the server.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, ensure};

use crate::sh;

/// The program that a first build must not need.
const LEFT_OUT: &str = "protoc";

/// Options of `cargo xtask first-start`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Build with the feature `etcd` as well, and print time and size of both builds.
    #[arg(long)]
    compare: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let readme = fs::read_to_string(sh::root().join("README.md"))?;
    let mut blocks = fenced_blocks(&readme);
    let start = blocks.next().context("the README has no start command")?;
    let usage = blocks.next().context("the README shows no use")?;
    let scratch = tempfile::tempdir()?;
    let path = search_path(scratch.path())?;
    let target = sh::root().join("target/first-start");
    empty(&target)?;

    let begun = Instant::now();
    let mut server = Server::start(start.trim(), &path, &target, scratch.path())?;
    let exports = server.exports()?;
    println!("built and started in {} s", begun.elapsed().as_secs());
    let program = target.join("release/prominence");
    println!("the program has {} bytes", fs::metadata(&program)?.len());
    let script = format!("set -eu\n{exports}\n{usage}");
    let mut used = Command::new("bash");
    let with_program = joined(&[target.join("release").into(), path])?;
    used.arg("-c").arg(script).env("PATH", with_program);
    let printed = sh::output(&mut used)?;
    let expected = "example string";
    ensure!(
        printed.matches(expected).count() == 2,
        "both lines that read should print {expected:?}, and this was printed: {printed:?}"
    );
    drop(server);
    refuses_etcd(&program)?;
    if options.compare {
        compare(&target)?;
    }
    println!("the README's first commands work without {LEFT_OUT}");
    Ok(())
}

/// Checks that this build has no etcd engine, and names the feature that adds it.
fn refuses_etcd(program: &Path) -> anyhow::Result<()> {
    let serve = [
        "serve",
        "--engine",
        "etcd",
        "--etcd-endpoints",
        "http://a:1",
    ];
    let migrate = ["admin", "migrate", "--from", "/a", "--to", "etcd://b:1"];
    for arguments in [&serve[..], &migrate[..]] {
        let output = Command::new(program).args(arguments).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.code() == Some(2) && said.contains("--features etcd"),
            "{arguments:?} should end with status 2 and name the feature: {said:?}"
        );
    }
    Ok(())
}

/// Builds with the etcd engine in an empty folder, with `protoc` on the search path.
fn compare(target: &Path) -> anyhow::Result<()> {
    empty(target)?;
    let begun = Instant::now();
    let mut build = sh::cargo();
    build
        .args(["build", "--release", "--features", "etcd"])
        .env("CARGO_TARGET_DIR", target);
    sh::run(&mut build)?;
    println!("with etcd: built in {} s", begun.elapsed().as_secs());
    let program = fs::metadata(target.join("release/prominence"))?;
    println!("with etcd: the program has {} bytes", program.len());
    Ok(())
}

fn empty(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(())
}

/// The contents of the fenced blocks of a Markdown text, in order.
fn fenced_blocks(text: &str) -> impl Iterator<Item = &str> {
    text.split("```").skip(1).step_by(2).map(|block| {
        // The first line is the block's info string.
        block.split_once('\n').map_or(block, |(_, lines)| lines)
    })
}

/// A folder of links to every program on the path, except the excluded one.
fn search_path(scratch: &Path) -> anyhow::Result<OsString> {
    let folder = scratch.join("bin");
    fs::create_dir(&folder)?;
    let path = std::env::var_os("PATH").context("PATH is not set")?;
    let mut seen = HashSet::from([OsString::from(LEFT_OUT)]);
    for place in std::env::split_paths(&path) {
        // A folder on the path may be missing.
        let Ok(programs) = fs::read_dir(&place) else {
            continue;
        };
        for program in programs {
            let program = program?;
            if seen.insert(program.file_name()) {
                let link = folder.join(program.file_name());
                std::os::unix::fs::symlink(program.path(), link)?;
            }
        }
    }
    Ok(folder.into())
}

fn joined(places: &[OsString]) -> anyhow::Result<OsString> {
    Ok(std::env::join_paths(places.iter().map(PathBuf::from))?)
}

/// The server that the README's command starts; it is stopped when this is dropped.
struct Server(Child);

impl Server {
    fn start(command: &str, path: &OsString, target: &Path, home: &Path) -> anyhow::Result<Self> {
        // A free port, since another server may use the default one.
        let command = format!("exec {command} --listen 127.0.0.1:0");
        println!("$ {command}");
        let child = Command::new("bash")
            .arg("-c")
            .arg(&command)
            .current_dir(sh::root())
            .env("PATH", path)
            .env("CARGO_TARGET_DIR", target)
            .env("XDG_DATA_HOME", home)
            .env_remove("PROTOC")
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command}"))?;
        Ok(Self(child))
    }

    /// The two lines that the server prints for the shell.
    fn exports(&mut self) -> anyhow::Result<String> {
        let output = self.0.stdout.take().context("the output is taken")?;
        let mut found = Vec::new();
        for line in BufReader::new(output).lines() {
            let line = line?;
            if line.trim_start().starts_with("export PROMINENCE_") {
                found.push(line);
            }
            if found.len() == 2 {
                return Ok(found.join("\n"));
            }
        }
        anyhow::bail!("the server ended before it printed its two export lines")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, which is no error.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
