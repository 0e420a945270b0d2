//! The packages that tests need from npm.

use std::process::Command;

use crate::sh;

/// The folders with the exact versions of packages: an OpenID provider, and what tests the web page.
const FOLDERS: [&str; 2] = ["tests/oidc", "tests/web"];

/// Installs them unless these versions are installed.
pub(crate) fn install() -> anyhow::Result<()> {
    FOLDERS.into_iter().try_for_each(install_in)
}

fn install_in(folder: &str) -> anyhow::Result<()> {
    let folder = sh::root().join(folder);
    let wanted = std::fs::read(folder.join("package-lock.json"))?;
    // npm writes this file last, so an installation that was interrupted is repeated.
    let done = folder.join("node_modules/.prominence-lock.json");
    if std::fs::read(&done).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    if !sh::has("npm") {
        sh::apt_install(&["npm"])?;
    }
    let mut npm = Command::new("npm");
    sh::run(
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&folder),
    )?;
    std::fs::write(&done, wanted)?;
    Ok(())
}
