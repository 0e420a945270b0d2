//! The packages that tests need from npm.

use std::process::Command;

use crate::sh;

/// The folder of the OpenID provider, with the exact versions of its packages.
const PROVIDER: &str = "tests/oidc";

/// Installs them where the versions are not there yet.
pub(crate) fn install() -> anyhow::Result<()> {
    let folder = sh::root().join(PROVIDER);
    let wanted = std::fs::read(folder.join("package-lock.json"))?;
    // Written at the end, so that an installation that was interrupted is done again.
    let done = folder.join("node_modules/.prominence-lock.json");
    if std::fs::read(&done).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    if !sh::has("npm") {
        sh::apt_install(&["npm"])?;
    }
    let mut npm = Command::new("npm");
    sh::run(
        npm.args(["ci", "--no-audit", "--no-fund"])
            .current_dir(&folder),
    )?;
    std::fs::write(&done, wanted)?;
    Ok(())
}
