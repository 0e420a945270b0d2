//! A git hook that runs `cargo xtask check` before every commit.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::changes::git;
use crate::sh;

/// The hook. It unsets the variables with git's own repository, since tests make repositories of their own.
const HOOK: &str = "#!/bin/sh
# Written by `cargo xtask check --install-hook`; `git commit --no-verify` skips it.
unset $(git rev-parse --local-env-vars)
exec cargo xtask check
";

/// The beginning of every version of the hook, which marks it as ours.
const MARK: &str = "#!/bin/sh\n# Written by `cargo xtask check --install-hook`";

/// Writes the hook of the repository that contains `root`, unless there is one of another origin; returns its file. All
/// worktrees of a repository share it.
pub(super) fn install(root: &Path) -> anyhow::Result<PathBuf> {
    let hooks = sh::output(git(root).args(["rev-parse", "--git-path", "hooks"]))?;
    let hooks = root.join(hooks.trim_end_matches('\n'));
    let file = hooks.join("pre-commit");
    // A link counts as another hook, even one to a missing file.
    if file.symlink_metadata().is_ok() {
        let is_ours = fs::read_to_string(&file).is_ok_and(|text| text.starts_with(MARK));
        if !is_ours {
            bail!("{} is another hook; remove it first", file.display());
        }
    }
    let written = fs::create_dir_all(&hooks)
        .and_then(|()| fs::write(&file, HOOK))
        .and_then(|()| fs::set_permissions(&file, PermissionsExt::from_mode(0o755)));
    written.with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::changes::tests::{commit, repository, run, write};

    /// A repository whose `cargo xtask check` is a program that fails if there is a file `broken`.
    fn workspace() -> tempfile::TempDir {
        let folder = repository();
        let root = folder.path();
        write(root, ".gitignore", "target\nCargo.lock\nbroken\n");
        write(
            root,
            ".cargo/config.toml",
            "[alias]\nxtask = \"run --quiet --offline --\"\n",
        );
        let manifest = "[package]\nname = \"check\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
        write(root, "Cargo.toml", manifest);
        let program = "fn main() {
            assert_eq!(std::env::args().nth(1).as_deref(), Some(\"check\"));
            assert!(std::env::var_os(\"GIT_INDEX_FILE\").is_none());
            assert!(!std::path::Path::new(\"broken\").exists());
        }";
        write(root, "src/main.rs", program);
        commit(root);
        folder
    }

    /// True if a commit is made.
    fn commits(root: &Path, arguments: &[&str]) -> bool {
        let mut commit = git(root);
        commit.args(["commit", "--quiet", "--allow-empty", "--message", "another"]);
        commit.env("CARGO_TARGET_DIR", root.join("target"));
        commit.args(arguments).output().unwrap().status.success()
    }

    #[test]
    fn a_commit_runs_the_check_and_is_refused_if_it_fails_unless_it_is_skipped() {
        let folder = workspace();
        let root = folder.path();
        install(root).unwrap();
        assert!(commits(root, &[]));
        write(root, "broken", "");
        assert!(!commits(root, &[]));
        assert!(commits(root, &["--no-verify"]));
    }

    #[test]
    fn a_worktree_has_the_hook_of_its_repository() {
        let folder = workspace();
        let root = folder.path();
        let worktree = root.join("target/worktree");
        run(
            root,
            &["worktree", "add", "--quiet", worktree.to_str().unwrap()],
        );
        let file = install(&worktree).unwrap();
        assert_eq!(
            file.canonicalize().unwrap(),
            root.canonicalize().unwrap().join(".git/hooks/pre-commit")
        );
        write(&worktree, "broken", "");
        assert!(!commits(&worktree, &[]));
        assert!(commits(root, &[]));
    }

    #[test]
    fn a_hook_of_another_origin_stays_and_an_older_version_of_this_one_is_replaced() {
        let folder = repository();
        let root = folder.path();
        let file = root.join(".git/hooks/pre-commit");
        write(root, ".git/hooks/pre-commit", "#!/bin/sh\nexit 0\n");
        let error = install(root).unwrap_err().to_string();
        assert!(
            error.ends_with("pre-commit is another hook; remove it first"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), "#!/bin/sh\nexit 0\n");
        write(
            root,
            ".git/hooks/pre-commit",
            &format!("{MARK}, an earlier version\n"),
        );
        install(root).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), HOOK);
        install(root).unwrap();
    }
}
