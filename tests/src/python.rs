//! The virtual environments that `cargo xtask install` prepares.

use std::path::PathBuf;

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

fn installed(program: PathBuf) -> PathBuf {
    assert!(
        program.exists(),
        "{} does not exist; `cargo xtask install` puts it there",
        program.display()
    );
    program
}
