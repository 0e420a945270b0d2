//! The walls of the house, as tests over what depends on what.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests say what went wrong by failing"
)]

mod names;
mod offers;
mod page;
mod rooms;

use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .current_dir(root())
        .no_deps()
        .exec()
        .unwrap()
}

/// The names of what a package itself depends on, tests left out.
fn dependencies(package: &Package) -> Vec<&str> {
    let normal = package
        .dependencies
        .iter()
        .filter(|one| one.kind == DependencyKind::Normal);
    normal.map(|one| one.name.as_str()).collect()
}

fn package<'a>(metadata: &'a Metadata, name: &str) -> &'a Package {
    metadata
        .packages
        .iter()
        .find(|package| package.name.as_str() == name)
        .unwrap()
}

/// Every Rust file of the project, with its text.
fn sources(below: &str) -> Vec<(PathBuf, String)> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            below,
        ])
        .current_dir(root())
        .output()
        .unwrap();
    let names = String::from_utf8(listed.stdout).unwrap();
    let files = names
        .lines()
        .filter(|name| name.ends_with(".rs"))
        .map(PathBuf::from);
    let files: Vec<_> = files.filter(|name| root().join(name).exists()).collect();
    assert!(!files.is_empty(), "git found no source below {below}");
    files
        .into_iter()
        .map(|name| {
            let text = std::fs::read_to_string(root().join(&name)).unwrap();
            (name, text)
        })
        .collect()
}

#[test]
fn core_depends_on_nothing_that_does_io_and_on_no_other_room() {
    let metadata = metadata();
    let allowed = [
        "async-trait",
        "bytes",
        "event-listener",
        "proptest",
        "thiserror",
    ];
    for name in dependencies(package(&metadata, "prominence-core")) {
        assert!(allowed.contains(&name), "core must not depend on {name}");
    }
}

#[test]
fn core_names_no_file_socket_process_thread_or_clock() {
    let forbidden = [
        "std::fs",
        "std::net",
        "std::process",
        "std::thread",
        "std::env",
        "std::io",
        "SystemTime",
        "Instant::now",
    ];
    for (file, text) in sources("crates/core/src") {
        for word in forbidden {
            // The model test reads its size from the environment; it is no part of the library.
            let model = file.ends_with("conformance/model.rs") && word == "std::env";
            assert!(
                model || !text.contains(word),
                "{} names {word}",
                file.display()
            );
        }
    }
}

#[test]
fn only_engines_names_a_storage_library() {
    let storage = [
        "fjall",
        "lsm-tree",
        "etcd-client",
        "rocksdb",
        "redb",
        "sled",
        "heed",
        "rusqlite",
    ];
    for package in &metadata().packages {
        for name in dependencies(package) {
            let allowed = package.name.as_str() == "prominence-engines" || !storage.contains(&name);
            assert!(allowed, "{} must not depend on {name}", package.name);
        }
    }
    for (file, text) in sources("crates") {
        let engine = file.starts_with("crates/engines");
        assert!(
            engine || !text.contains("fjall::"),
            "{} names fjall",
            file.display()
        );
    }
}

#[test]
fn only_the_server_knows_the_web_framework_and_engines_know_no_users() {
    let metadata = metadata();
    let web = [
        "axum",
        "axum-server",
        "hyper",
        "hyper-util",
        "tower",
        "tower-http",
    ];
    for package in &metadata.packages {
        // The program that others are measured against is a bare server by design.
        if ["prominence-server", "prominence-bench"].contains(&package.name.as_str()) {
            continue;
        }
        for name in dependencies(package) {
            assert!(
                !web.contains(&name),
                "{} must not depend on {name}",
                package.name
            );
        }
    }
    for (file, text) in sources("crates/engines/src") {
        for word in ["Principal", "jsonwebtoken", "Scopes", "prominence_api"] {
            assert!(!text.contains(word), "{} names {word}", file.display());
        }
    }
}

#[test]
fn handlers_hold_permits_and_never_a_store() {
    for (file, text) in sources("crates/server/src/handler") {
        for word in [
            "dyn Store",
            "EmbeddedStore",
            "MemoryStore",
            "prominence_engines",
        ] {
            assert!(!text.contains(word), "{} names {word}", file.display());
        }
    }
}

#[test]
fn the_client_library_knows_no_arguments_terminal_or_runtime() {
    let metadata = metadata();
    for name in dependencies(package(&metadata, "prominence-client")) {
        assert!(
            !["clap", "tokio", "anstream", "indicatif"].contains(&name),
            "{name}"
        );
    }
    for name in dependencies(package(&metadata, "prominence-api")) {
        assert!(
            !name.starts_with("prominence-") || name == "prominence-core",
            "{name}"
        );
    }
}

/// The names of everything that the program is built from with these arguments.
fn built_from(arguments: &[&str]) -> Vec<String> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "-p", "prominence", "-e", "normal,build"])
        .args(["--prefix", "none", "--format", "{p}"])
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    let failed = String::from_utf8_lossy(&tree.stderr);
    assert!(tree.status.success(), "{failed}");
    let names = String::from_utf8(tree.stdout).unwrap();
    let names = names.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

#[test]
fn the_small_client_is_built_without_server_engine_and_runtime() {
    let names = built_from(&["--no-default-features"]);
    assert!(names.iter().any(|name| name == "prominence-client"));
    let server_side = [
        "axum",
        "fjall",
        "hyper",
        "jsonwebtoken",
        "prominence-engines",
        "prominence-server",
        "tokio",
        "utoipa",
    ];
    for name in names {
        assert!(
            !server_side.contains(&name.as_str()),
            "the small client depends on {name}"
        );
    }
}

#[test]
fn only_the_feature_etcd_brings_a_client_of_etcd_and_what_needs_protoc() {
    let etcd_side = |name: &String| {
        let start = ["etcd-client", "prost", "tonic"];
        start.iter().any(|start| name.starts_with(start))
    };
    assert_eq!(built_from(&[]).into_iter().find(etcd_side), None);
    assert!(built_from(&["--features", "etcd"]).iter().any(etcd_side));
}

#[test]
fn every_direct_dependency_is_explained() {
    for package in &metadata().packages {
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        let mut in_dependencies = false;
        let mut previous = "";
        for line in manifest.lines() {
            if line.starts_with('[') {
                in_dependencies = line.ends_with("dependencies]");
            } else if in_dependencies && !line.is_empty() && !line.starts_with('#') {
                let continues =
                    line.starts_with(' ') || line.starts_with(']') || line.starts_with('}');
                let own = line.starts_with("prominence-");
                let explained = previous.starts_with('#') || continues || own;
                assert!(explained, "{}: {line}", package.manifest_path);
            }
            previous = line;
        }
    }
}

#[test]
fn every_file_says_what_it_is_for_and_none_is_called_mod() {
    for (file, text) in sources(".") {
        assert!(
            text.starts_with("//!"),
            "{} does not open with //!",
            file.display()
        );
        assert!(!file.ends_with("mod.rs"), "{}", file.display());
    }
}
