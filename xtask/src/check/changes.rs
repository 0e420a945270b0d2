//! The files that have changed since a branch was begun, as git lists them: committed, staged, unstaged, or new.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sh;

/// The last common commit of HEAD and a revision; HEAD if there is no such revision.
pub(super) fn base(root: &Path, revision: &str) -> anyhow::Result<String> {
    let mut merge_base = git(root);
    merge_base.args(["merge-base", "HEAD", revision]);
    // A failure is no error: a clone may lack the branch.
    let found = merge_base.output()?;
    let commit = if found.status.success() {
        String::from_utf8_lossy(&found.stdout).into_owned()
    } else {
        sh::output(git(root).args(["rev-parse", "HEAD"]))?
    };
    Ok(commit.trim().to_owned())
}

/// Files that differ from a commit, or are new and not ignored; removed ones are included.
pub(super) fn files(root: &Path, base: &str) -> anyhow::Result<BTreeSet<PathBuf>> {
    // A renamed file touches the package that it has left as well.
    let changed = sh::output(git(root).args(["diff", "-z", "--name-only", "--no-renames", base]))?;
    let new = ["ls-files", "-z", "--others", "--exclude-standard"];
    let new = sh::output(git(root).args(new))?;
    let names = changed.split('\0').chain(new.split('\0'));
    Ok(names
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
        .collect())
}

pub(super) fn git(root: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(root);
    git
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A repository with one commit on `main`.
    pub(crate) fn repository() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        run(root, &["init", "--quiet", "--initial-branch=main"]);
        run(root, &["config", "user.name", "Somebody"]);
        run(root, &["config", "user.email", "somebody@example.org"]);
        write(root, ".gitignore", "ignored\n");
        write(root, "kept", "kept");
        write(root, "removed", "removed");
        commit(root);
        folder
    }

    pub(crate) fn run(root: &Path, arguments: &[&str]) {
        sh::output(git(root).args(arguments)).unwrap();
    }

    pub(crate) fn write(root: &Path, name: &str, text: &str) {
        let file = root.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    pub(crate) fn commit(root: &Path) {
        run(root, &["add", "--all"]);
        run(root, &["commit", "--quiet", "--message", "a commit"]);
    }

    #[test]
    fn files_have_changed_that_were_committed_staged_written_removed_or_added() {
        let folder = repository();
        let root = folder.path();
        run(root, &["switch", "--quiet", "--create", "branch"]);
        write(root, "committed", "");
        commit(root);
        write(root, "staged/name with spaces", "");
        run(root, &["add", "--all"]);
        write(root, "kept", "changed");
        std::fs::remove_file(root.join("removed")).unwrap();
        write(root, "new", "");
        write(root, "ignored", "");
        let base = base(root, "main").unwrap();
        let files = files(root, &base).unwrap();
        let names = [
            "committed",
            "kept",
            "new",
            "removed",
            "staged/name with spaces",
        ];
        assert_eq!(files, names.map(PathBuf::from).into());
    }

    #[test]
    fn commits_of_the_other_branch_do_not_count_and_without_it_head_is_the_base() {
        let folder = repository();
        let root = folder.path();
        run(root, &["branch", "branch"]);
        write(root, "theirs", "");
        commit(root);
        run(root, &["switch", "--quiet", "branch"]);
        let since_main = files(root, &base(root, "main").unwrap()).unwrap();
        assert_eq!(since_main, BTreeSet::new());
        write(root, "kept", "changed");
        let since_head = files(root, &base(root, "nowhere").unwrap()).unwrap();
        assert_eq!(since_head, [PathBuf::from("kept")].into());
    }
}
