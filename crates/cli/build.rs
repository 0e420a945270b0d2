//! Tells the program which commit it is built from, where that is known.
//!
//! The variable `PROMINENCE_COMMIT` says it, for packages that are built without a repository; otherwise
//! a release build asks git. Other builds don't, so that a commit does not make them build again.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=PROMINENCE_COMMIT");
    println!("cargo::rerun-if-changed=build.rs");
    let given = std::env::var("PROMINENCE_COMMIT").ok();
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = given
        .filter(|text| !text.is_empty())
        .or_else(|| is_release.then(from_git).flatten());
    if let Some(commit) = commit {
        println!("cargo::rustc-env=PROMINENCE_BUILT_FROM={commit}");
    }
}

/// The commit that is checked out. Asks to be run again when another is.
fn from_git() -> Option<String> {
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    // The commit of a branch is in a file of its own, or in packed-refs.
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    for name in [Some("HEAD"), branch.as_deref(), Some("packed-refs")] {
        let Some(file) = name.and_then(|name| git(&["rev-parse", "--git-path", name])) else {
            continue;
        };
        // A file that does not exist would have this run again at every build.
        if std::path::Path::new(&file).exists() {
            println!("cargo::rerun-if-changed={file}");
        }
    }
    Some(commit)
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
