//! Virtual environments for what tests need from PyPI.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sh;

/// A virtual environment in the folder `target`.
struct Environment {
    folder: &'static str,
    /// Its package, with the version.
    package: &'static str,
    /// A module of the package, and the expression that is its version.
    version: (&'static str, &'static str),
}

/// The existing client, which has to work unmodified, and `requests` with it.
const PYPI_CLIENT: Environment = Environment {
    folder: "pypi-client",
    package: "prominence==0.21.0",
    version: ("prominence", "prominence.__version__"),
};

/// It makes requests out of the OpenAPI document, and holds the answers against it.
const SCHEMATHESIS: Environment = Environment {
    folder: "schemathesis",
    package: "schemathesis==4.32.5",
    version: (
        "importlib.metadata",
        "importlib.metadata.version('schemathesis')",
    ),
};

/// Prepares the environments that are missing; answers the Python of the existing client.
pub(crate) fn install() -> anyhow::Result<PathBuf> {
    SCHEMATHESIS.install()?;
    PYPI_CLIENT.install()
}

impl Environment {
    fn install(&self) -> anyhow::Result<PathBuf> {
        let folder = sh::root().join("target").join(self.folder);
        let python = folder.join("bin/python");
        if self.is_ready(&python) {
            return Ok(python);
        }
        if make(&folder).is_err() {
            // Debian's Python leaves this module out.
            sh::apt_install(&["python3-venv"])?;
            make(&folder)?;
        }
        let install = ["-m", "pip", "install", "--quiet", self.package];
        sh::run(Command::new(&python).args(install))?;
        Ok(python)
    }

    fn is_ready(&self, python: &Path) -> bool {
        let wanted = self.package.rsplit('=').next().unwrap_or_default();
        let (module, version) = self.version;
        let check = format!("import {module}; assert {version} == '{wanted}'");
        let output = Command::new(python).args(["-c", &check]).output();
        output.is_ok_and(|output| output.status.success())
    }
}

fn make(folder: &Path) -> anyhow::Result<()> {
    let mut make = Command::new("python3");
    sh::run(make.args(["-m", "venv", "--clear"]).arg(folder))
}
