//! The packages that changed files touch: those that contain the files, and those that depend on these.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, Package};

/// Files of the workspace with which every package is built or linted.
const SHARED: &[&str] = &[
    ".cargo",
    "Cargo.lock",
    "Cargo.toml",
    "clippy.toml",
    "rust-toolchain.toml",
];

/// Folders of a package that no other package is built from.
const OWN_FOLDERS: &[&str] = &["tests", "examples"];

/// Names of packages.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Touched {
    directly: BTreeSet<String>,
    by_dependency: BTreeSet<String>,
    untouched: BTreeSet<String>,
}

impl Touched {
    /// The packages that the files touch; paths are relative to the workspace's folder.
    pub(super) fn by(metadata: &Metadata, files: &BTreeSet<PathBuf>) -> Self {
        let root = metadata.workspace_root.as_std_path();
        let mut touched = Self::default();
        // Packages whose library has changed, so that those that depend on it are built again.
        let mut changed: Vec<&str> = Vec::new();
        for package in &metadata.packages {
            let name = package.name.as_str();
            let folder = folder(package);
            let inside = || {
                files.iter().filter_map(|file| {
                    root.join(file)
                        .strip_prefix(folder)
                        .ok()
                        .map(Path::to_owned)
                })
            };
            let shared = files
                .iter()
                .any(|file| SHARED.iter().any(|shared| file.starts_with(shared)));
            let is_own = |file: &PathBuf| OWN_FOLDERS.iter().any(|own| file.starts_with(own));
            if shared || inside().next().is_some() {
                touched.directly.insert(name.to_owned());
            }
            if shared || inside().any(|file| !is_own(&file)) {
                changed.push(name);
            }
        }
        while let Some(name) = changed.pop() {
            for package in &metadata.packages {
                let depends = package.dependencies.iter().any(|one| one.name == name);
                if depends && touched.by_dependency.insert(package.name.to_string()) {
                    changed.push(&package.name);
                }
            }
        }
        let Self {
            directly,
            by_dependency,
            untouched,
        } = &mut touched;
        by_dependency.retain(|name| !directly.contains(name));
        let names = metadata
            .packages
            .iter()
            .map(|package| package.name.to_string());
        untouched
            .extend(names.filter(|name| !directly.contains(name) && !by_dependency.contains(name)));
        touched
    }

    pub(super) fn packages(&self) -> impl Iterator<Item = &String> {
        self.directly.iter().chain(&self.by_dependency)
    }

    pub(super) fn has(&self, package: &str) -> bool {
        self.packages().any(|name| name == package)
    }

    /// Touched packages with their tests that take long to build or to run.
    pub(super) fn slow_tests<'a>(
        &self,
        metadata: &'a Metadata,
    ) -> impl Iterator<Item = (&'a str, Vec<&'a str>)> {
        let packages = metadata.packages.iter();
        let touched = packages.filter(|package| self.has(&package.name));
        touched.filter_map(|package| {
            let targets = package.targets.iter().filter(|target| target.is_test());
            let names = targets.map(|target| target.name.as_str());
            let slow: Vec<_> = names.filter(|name| !super::RULES.contains(name)).collect();
            (!slow.is_empty()).then_some((package.name.as_str(), slow))
        })
    }
}

impl fmt::Display for Touched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |names: &BTreeSet<String>| match names.is_empty() {
            true => "none".to_owned(),
            false => names
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(", "),
        };
        writeln!(f, "touched: {}", listed(&self.directly))?;
        writeln!(f, "touched by dependency: {}", listed(&self.by_dependency))?;
        write!(f, "untouched: {}", listed(&self.untouched))
    }
}

/// The folder of a package.
pub(super) fn folder(package: &Package) -> &Path {
    let manifest = package.manifest_path.as_std_path();
    manifest.parent().unwrap_or(manifest)
}

#[cfg(test)]
mod tests {
    use cargo_metadata::MetadataCommand;

    use super::*;
    use crate::sh;

    fn metadata() -> Metadata {
        let mut command = MetadataCommand::new();
        command.current_dir(sh::root()).no_deps().exec().unwrap()
    }

    fn touched(file: &str) -> Touched {
        Touched::by(&metadata(), &[PathBuf::from(file)].into())
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_library_touches_all_that_depend_on_it_directly_or_through_others() {
        let touched = touched("crates/engines/src/lib.rs");
        assert_eq!(touched.directly, names(&["prominence-engines"]));
        // The program depends on the engines through the server as well; the client library does not.
        for name in [
            "prominence",
            "prominence-server",
            "prominence-bench",
            "prominence-tests",
        ] {
            assert!(touched.by_dependency.contains(name), "{touched}");
        }
        for name in ["prominence-core", "prominence-client", "xtask"] {
            assert!(touched.untouched.contains(name), "{touched}");
        }
    }

    #[test]
    fn a_test_touches_its_package_alone() {
        let touched = touched("crates/engines/tests/embedded/main.rs");
        assert_eq!(touched.directly, names(&["prominence-engines"]));
        assert_eq!(touched.by_dependency, names(&[]));
        let metadata = metadata();
        let slow: Vec<_> = touched.slow_tests(&metadata).collect();
        assert_eq!(slow, [("prominence-engines", vec!["embedded", "etcd"])]);
    }

    #[test]
    fn the_lock_file_touches_every_package_and_a_page_of_the_documentation_none() {
        let all = touched("Cargo.lock");
        assert_eq!(all.directly.len(), metadata().packages.len());
        assert_eq!(all.untouched, names(&[]));
        let none = touched("docs/http.md");
        assert_eq!(none.packages().count(), 0);
    }
}
