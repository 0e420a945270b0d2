//! The virtual environments that `cargo xtask install` prepares, and the other Pythons of this machine.

use std::path::PathBuf;
use std::process::Command;

use crate::root;

/// The Python that has the existing client, and `requests` with it.
pub fn with_pypi_client() -> PathBuf {
    let python = std::env::var_os("PROMINENCE_TEST_PYTHON").map_or_else(
        || root().join("target/pypi-client/bin/python"),
        PathBuf::from,
    );
    installed(python)
}

/// The program that tests the service by its OpenAPI document.
pub fn schemathesis() -> PathBuf {
    installed(root().join("target/schemathesis/bin/schemathesis"))
}

/// The Python with the packages that the tests of the Python library import.
pub fn with_tools() -> PathBuf {
    installed(root().join("target/python/bin/python"))
}

/// The folder with the wheels of the existing client and of its dependencies.
pub fn wheels() -> PathBuf {
    installed(root().join("target/python/wheels"))
}

/// The interpreter of Python 3.`minor`, on the path or in the folder of pyenv.
pub fn of_version(minor: u32) -> Option<PathBuf> {
    let name = format!("python3.{minor}");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join(&name));
    let home = std::env::var_os("HOME").map(PathBuf::from)?;
    let versions = std::fs::read_dir(home.join(".pyenv/versions"));
    let kept = versions.into_iter().flatten().flatten();
    let kept = kept.map(|version| version.path().join("bin").join(&name));
    // The programs that pyenv puts on the path start a version only where it is the chosen one.
    on_path.chain(kept).find(|interpreter| {
        let version = Command::new(interpreter).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    })
}

fn installed(program: PathBuf) -> PathBuf {
    assert!(
        program.exists(),
        "{} does not exist; `cargo xtask install` puts it there",
        program.display()
    );
    program
}
